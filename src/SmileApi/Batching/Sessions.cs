using System.Buffers;
using SmileApi.Faces;
using SmileApi.Inference;

namespace SmileApi.Batching;

/// <summary>Runs a batch; the seam between batching and ONNX Runtime.</summary>
/// <param name="kind">The network and the size of the pictures.</param>
/// <param name="images">Normalised pictures, each of at least <see cref="WorkKind.Pixels"/> values, shape <c>[Height, Width]</c>.</param>
/// <param name="answers">As many answers, in the same order, rented from the shared pool of arrays; they become the caller's.</param>
internal delegate void RunBatch(WorkKind kind, ReadOnlySpan<float[]> images, Span<float[]> answers);

/// <summary>Opens what runs these models; they become its own.</summary>
internal delegate Sessions OpenSessions(SmileModel smile, FaceDetector faces);

/// <summary>One run at a time over shared sessions. Closed once, by whoever holds it.</summary>
internal sealed class Runner(Sessions sessions, RunBatch run, Action close) : IDisposable
{
    public Sessions Sessions => sessions;

    public RunBatch Run => run;

    public void Dispose()
    {
        close();
        sessions.Release();
    }
}

/// <summary>
/// One open session a network. They are closed when nobody needs them any more: their owner has released them, and every runner
/// over them is closed. A run that never ends so keeps its sessions, which cannot be taken from under it.
/// </summary>
/// <param name="createRunner">Makes a runner: how it runs, and how it is closed.</param>
/// <param name="close">Called once.</param>
internal sealed class Sessions(Func<(RunBatch Run, Action Close)> createRunner, Action close)
{
    private int _users = 1; // The owner.

    public Runner CreateRunner()
    {
        var (run, closeRunner) = createRunner();
        Interlocked.Increment(ref _users);
        return new Runner(this, run, closeRunner);
    }

    /// <summary>One user less.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            close();
        }
    }
}

/// <summary>The sessions of ONNX Runtime: on the CPU all runners share one a network, one copy of its weights.</summary>
internal static class OnnxSessions
{
    public static Sessions Open(SmileModel smile, FaceDetector faces, int maxBatch) => new(
        () =>
        {
            var runner = new OnnxRunner(smile, faces, maxBatch);
            return (runner.Run, runner.Dispose);
        },
        () =>
        {
            smile.Dispose();
            faces.Dispose();
        });

    /// <summary>One runner a network; used by one thread at a time.</summary>
    private sealed class OnnxRunner(SmileModel smile, FaceDetector faces, int maxBatch) : IDisposable
    {
        private readonly SmileRunner _smile = smile.CreateRunner(maxBatch);
        private readonly FaceRunner _find = faces.Find.CreateRunner(WorkKind.FindPixels);
        private readonly FaceRunner _check = faces.Check.CreateRunner(maxBatch * WorkKind.Candidate.Pixels);

        public void Run(WorkKind kind, ReadOnlySpan<float[]> images, Span<float[]> answers)
        {
            if (kind.Network != Network.Smile)
            {
                (kind.Network == Network.Find ? _find : _check).Run(images, kind.Width, kind.Height, answers);
                return;
            }

            Span<float> probabilities = stackalloc float[images.Length];
            _smile.Run(images, probabilities);
            for (var i = 0; i < images.Length; i++)
            {
                answers[i] = ArrayPool<float>.Shared.Rent(1 + _smile.ActivationLength);
                answers[i][0] = probabilities[i];
                _smile.Activation(i).CopyTo(answers[i].AsSpan(1)); // What an explanation needs, and 100 bytes for everybody else.
            }
        }

        public void Dispose()
        {
            _smile.Dispose();
            _find.Dispose();
            _check.Dispose();
        }
    }
}
