using SmileApi.Batching;
using SmileApi.Faces;
using SmileApi.Inference;

namespace SmileApi.Models;

/// <summary>The networks that judge a picture together, and what runs them.</summary>
/// <param name="smile">What it says of itself; its session may have been replaced since.</param>
/// <param name="faces">Likewise.</param>
/// <param name="runners">Closed when the last user has gone.</param>
internal sealed class ModelSet(SmileModel smile, FaceDetector faces, RunnerPool runners)
{
    private int _users = 1; // Whoever made it.

    public SmileModel Smile => smile;

    public FaceDetector Faces => faces;

    public RunnerPool Runners => runners;

    /// <summary>One user more.</summary>
    /// <returns>False when the last has gone already.</returns>
    public bool TryUse()
    {
        var users = Volatile.Read(ref _users);
        while (users > 0)
        {
            var seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users)
            {
                return true;
            }

            users = seen;
        }

        return false;
    }

    /// <summary>One user less.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            runners.Dispose();
        }
    }
}

/// <summary>The models that judge one picture, from its plan to its verdict; they stay open for so long, whatever is served meanwhile.</summary>
internal sealed class ModelLease(ModelSet models) : IDisposable
{
    private bool _released;

    public ModelSet Models => models;

    public void Dispose()
    {
        if (!_released)
        {
            _released = true;
            models.Release();
        }
    }
}
