using System.Threading.Channels;

namespace SmileApi.Batching;

/// <summary>Judges a batch of faces; the seam between batching and ONNX Runtime.</summary>
/// <param name="faces">Normalised faces, each of at least 10,000 values, shape <c>[100, 100]</c>.</param>
/// <param name="probabilities">As many probabilities, written in the same order.</param>
internal delegate void RunBatch(ReadOnlySpan<float[]> faces, Span<float> probabilities);

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
