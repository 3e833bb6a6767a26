using System.Threading.Channels;

namespace SmileApi.Batching;

/// <summary>Runs a batch; the seam between batching and ONNX Runtime.</summary>
/// <param name="kind">The network and the size of the pictures.</param>
/// <param name="images">Normalised pictures, each of at least <see cref="WorkKind.Pixels"/> values, shape <c>[Height, Width]</c>.</param>
/// <param name="answers">As many answers, in the same order, rented from the shared pool of arrays; they become the caller's.</param>
internal delegate void RunBatch(WorkKind kind, ReadOnlySpan<float[]> images, Span<float[]> answers);

/// <summary>
/// The idle runners, at most as many as were given. Whoever rents one has it alone until it is returned; who finds none waits.
/// (An object pool would make a new session when it is empty, which is what must not happen under load.)
/// </summary>
internal sealed class RunnerPool
{
    private readonly Channel<RunBatch> _idle;

    public RunnerPool(IReadOnlyCollection<RunBatch> runners)
    {
        ArgumentOutOfRangeException.ThrowIfZero(runners.Count);
        Size = runners.Count;
        _idle = Channel.CreateBounded<RunBatch>(Size);
        foreach (var runner in runners)
        {
            Return(runner);
        }
    }

    /// <summary>All runners, idle or busy.</summary>
    public int Size { get; }

    /// <summary>Runners that nobody uses now.</summary>
    public int Idle => _idle.Reader.Count;

    public ValueTask<RunBatch> RentAsync(CancellationToken stoppingToken) => _idle.Reader.ReadAsync(stoppingToken);

    public void Return(RunBatch runner)
    {
        if (!_idle.Writer.TryWrite(runner))
        {
            throw new InvalidOperationException("More runners were returned than rented.");
        }
    }
}
