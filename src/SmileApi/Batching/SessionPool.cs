using Microsoft.Extensions.Options;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Batching;

/// <summary>Makes the runners over one shared ONNX Runtime session and runs each batch size once before the start.</summary>
internal sealed partial class SessionPool : IHostedService, IDisposable
{
    private readonly SmileRunner[] _runners;
    private readonly ILogger<SessionPool> _logger;

    public SessionPool(SmileModel model, IOptions<BatchingOptions> options, ILogger<SessionPool> logger)
    {
        _logger = logger;
        _runners = [.. Enumerable.Range(0, options.Value.ResolvedRunners).Select(_ => model.CreateRunner(options.Value.MaxBatch))];
        Runners = new RunnerPool(Array.ConvertAll<SmileRunner, RunBatch>(_runners, runner => runner.Run));
    }

    public RunnerPool Runners { get; }

    public Task StartAsync(CancellationToken startAborted)
    {
        var started = TimeProvider.System.GetTimestamp();
        foreach (var runner in _runners)
        {
            var faces = Enumerable.Range(0, runner.MaxBatch).Select(_ => new float[FaceCrop.Length]).ToArray();
            var probabilities = new float[faces.Length];
            for (var count = 1; count <= runner.MaxBatch && !startAborted.IsCancellationRequested; count++)
            {
                runner.Run(faces.AsSpan(0, count), probabilities);
            }
        }

        var elapsed = TimeProvider.System.GetElapsedTime(started);
        LogWarm(_logger, _runners.Length, _runners[0].MaxBatch, (int)elapsed.TotalMilliseconds);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken hurry) => Task.CompletedTask;

    public void Dispose() => Array.ForEach(_runners, runner => runner.Dispose());

    [LoggerMessage(EventId = 2002, Level = LogLevel.Information, Message = "{Runners} runners warm for batches of 1 to {MaxBatch} faces after {Milliseconds} ms")]
    private static partial void LogWarm(ILogger logger, int runners, int maxBatch, int milliseconds);
}
