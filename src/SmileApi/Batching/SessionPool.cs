using System.Buffers;
using Microsoft.Extensions.Options;
using SmileApi.Faces;
using SmileApi.Inference;

namespace SmileApi.Batching;

/// <summary>
/// Makes the runners, each of which can run every network, over one shared ONNX Runtime session a network, and runs each batch
/// size once before the start.
/// </summary>
internal sealed partial class SessionPool : IHostedService, IDisposable
{
    private readonly Runner[] _runners;
    private readonly int _maxBatch;
    private readonly ILogger<SessionPool> _logger;

    public SessionPool(SmileModel smile, FaceDetector faces, IOptions<BatchingOptions> options, ILogger<SessionPool> logger)
    {
        _logger = logger;
        _maxBatch = options.Value.MaxBatch;
        _runners = [.. Enumerable.Range(0, options.Value.ResolvedRunners).Select(_ => new Runner(smile, faces, _maxBatch))];
        Runners = new RunnerPool(Array.ConvertAll<Runner, RunBatch>(_runners, runner => runner.Run));
    }

    public RunnerPool Runners { get; }

    public Task StartAsync(CancellationToken startAborted)
    {
        var started = TimeProvider.System.GetTimestamp();

        // The largest and the smallest tile stand for all; memory for the others is then there.
        WorkKind[] kinds = [WorkKind.Face, WorkKind.Candidate, WorkKind.Tile(FaceSearch.MaxTileSide, FaceSearch.MaxTileSide), WorkKind.Tile(32, 32)];
        foreach (var runner in _runners)
        {
            foreach (var kind in kinds)
            {
                for (var count = 1; count <= kind.MaxBatch(_maxBatch) && !startAborted.IsCancellationRequested; count++)
                {
                    runner.Warm(kind, count);
                }
            }
        }

        var elapsed = TimeProvider.System.GetElapsedTime(started);
        LogWarm(_logger, _runners.Length, _maxBatch, (int)elapsed.TotalMilliseconds);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken hurry) => Task.CompletedTask;

    public void Dispose() => Array.ForEach(_runners, runner => runner.Dispose());

    /// <summary>One runner a network; used by one thread at a time.</summary>
    private sealed class Runner(SmileModel smile, FaceDetector faces, int maxBatch) : IDisposable
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
                answers[i] = ArrayPool<float>.Shared.Rent(1);
                answers[i][0] = probabilities[i];
            }
        }

        public void Warm(WorkKind kind, int count)
        {
            var image = new float[kind.Pixels];
            var answers = new float[count][];
            Run(kind, Enumerable.Repeat(image, count).ToArray(), answers);
            Array.ForEach(answers, answer => ArrayPool<float>.Shared.Return(answer));
        }

        public void Dispose()
        {
            _smile.Dispose();
            _find.Dispose();
            _check.Dispose();
        }
    }

    [LoggerMessage(EventId = 2002, Level = LogLevel.Information, Message = "{Runners} runners warm for batches of 1 to {MaxBatch} faces after {Milliseconds} ms")]
    private static partial void LogWarm(ILogger logger, int runners, int maxBatch, int milliseconds);
}
