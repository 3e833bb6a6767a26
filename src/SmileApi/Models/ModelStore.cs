using Microsoft.Extensions.Options;
using SmileApi.Batching;
using SmileApi.Faces;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Models;

/// <summary>The models that are served now. They are loaded before the service starts, and warm before it listens.</summary>
internal sealed partial class ModelStore : IHostedService, IDisposable
{
    private readonly OpenSessions _open;
    private readonly BatchingOptions _batching;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly ILogger<ModelStore> _logger;
    private readonly ILogger<RunnerPool> _poolLogger;
    private ModelSet _current;

    /// <exception cref="StartRefusedException">A file is not there or does not fit.</exception>
    public ModelStore(
        OpenSessions open, IOptions<ModelOptions> model, IOptions<FacesOptions> faces, IOptions<BatchingOptions> batching,
        TimeProvider time, SmileMetrics metrics, ILogger<ModelStore> logger, ILogger<RunnerPool> poolLogger)
    {
        (_open, _batching, _time, _metrics, _logger, _poolLogger) = (open, batching.Value, time, metrics, logger, poolLogger);
        if (!SmileModel.TryLoad(model.Value.FullPath, out var smile, out var reason)
            || !FaceDetector.TryLoad(faces.Value.FullPath, faces.Value.FullCheckPath, out var detector, out reason))
        {
            smile?.Dispose();
            throw new StartRefusedException(reason);
        }

        _current = Make(smile, detector);
    }

    /// <summary>What is served to the next picture.</summary>
    public ModelSet Current => Volatile.Read(ref _current);

    /// <summary>Takes what is served now, for one picture; the caller gives it back.</summary>
    public ModelLease Lease()
    {
        while (true)
        {
            var current = Current;
            if (current.TryUse())
            {
                return new ModelLease(current);
            }

            // It has been replaced in between, and its last user has gone.
        }
    }

    /// <summary>Makes a set of loaded models, which become its own.</summary>
    public ModelSet Make(SmileModel smile, FaceDetector faces)
    {
        var runners = new RunnerPool(_open(smile, faces), Reopen, _batching.MaxFailuresInARow, _time, _metrics, _poolLogger);
        return new ModelSet(smile, faces, runners);

        Sessions Reopen()
        {
            var again = smile.Reopen();
            try
            {
                return _open(again, faces.Reopen());
            }
            catch
            {
                again.Dispose();
                throw;
            }
        }
    }

    /// <summary>Runs what callers will need once.</summary>
    public void Warm(ModelSet models, CancellationToken aborted)
    {
        var started = _time.GetTimestamp();
        models.Runners.Warm(_batching.MaxBatch, aborted);
        var elapsed = _time.GetElapsedTime(started);
        LogWarm(_logger, models.Smile.Metadata.Name, models.Smile.Metadata.Version, _batching.MaxBatch, _batching.ResolvedRunners, (int)elapsed.TotalMilliseconds);
    }

    /// <summary>Serves other models from the next picture on. Those that were served are closed when their last picture is judged.</summary>
    public void Serve(ModelSet models) => Interlocked.Exchange(ref _current, models).Release();

    public Task StartAsync(CancellationToken startAborted)
    {
        try
        {
            Warm(Current, startAborted);
        }
#pragma warning disable CA1031 // The files are good, and so the device is not: readiness tells of it, and the sessions are opened anew until it works.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogNotWarm(_logger, e);
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken hurry) => Task.CompletedTask;

    public void Dispose() => Current.Release();

    [LoggerMessage(EventId = 3001, Level = LogLevel.Information, Message = "{Name} {Version} is warm for batches of 1 to {MaxBatch} faces on {Runners} runners after {Milliseconds} ms")]
    private static partial void LogWarm(ILogger logger, string name, string version, int maxBatch, int runners, int milliseconds);

    [LoggerMessage(EventId = 3004, Level = LogLevel.Error, Message = "The networks do not run")]
    private static partial void LogNotWarm(ILogger logger, Exception exception);
}
