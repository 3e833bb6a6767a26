using Microsoft.Extensions.Options;
using Microsoft.ML.OnnxRuntime;
using SmileApi.Batching;
using SmileApi.Faces;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Models;

/// <summary>The models that are served now. They are loaded before the service starts, and warm before it listens.</summary>
internal sealed partial class ModelStore : IHostedService, IDisposable
{
    private readonly OpenSessions _open;
    private readonly InferenceDevices _devices;
    private readonly BatchingOptions _batching;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly ILogger<ModelStore> _logger;
    private readonly ILogger<SessionRunners> _runnersLogger;
    private ModelSet _current;
    private int _disposed;

    /// <exception cref="StartRefusedException">A file is not there or does not fit.</exception>
    public ModelStore(
        OpenSessions open, InferenceDevices devices, IOptions<ModelOptions> model, IOptions<FacesOptions> faces, IOptions<BatchingOptions> batching,
        TimeProvider time, SmileMetrics metrics, ILogger<ModelStore> logger, ILogger<SessionRunners> runnersLogger)
    {
        (_open, _devices, _batching, _time, _metrics, _logger, _runnersLogger) = (open, devices, batching.Value, time, metrics, logger, runnersLogger);
        if (!SmileModel.TryLoad(model.Value.FullPath, devices.Sessions[0], out var smile, out var reason)
            || !FaceDetector.TryLoad(faces.Value.FullPath, faces.Value.FullCheckPath, devices.Sessions[0], out var detector, out reason))
        {
            smile?.Dispose();
            throw new StartRefusedException(reason);
        }

        try
        {
            _current = Make(smile, detector);
        }
        catch (OnnxRuntimeException e)
        {
            throw new StartRefusedException($"The networks cannot be opened {devices.Sessions.Count} times: {e.Message}");
        }
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
            ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);
        }
    }

    /// <summary>Makes a set of models that are loaded on the first session's device; they become its own.</summary>
    /// <exception cref="OnnxRuntimeException">They cannot be opened on another.</exception>
    public ModelSet Make(SmileModel smile, FaceDetector faces)
    {
        var sessions = new List<SessionRunners>();
        try
        {
            foreach (var device in _devices.Sessions)
            {
                Sessions Open() => Reopen(device);
                sessions.Add(new SessionRunners(
                    device, sessions.Count == 0 ? _open(smile, faces) : Open(), Open, _batching.MaxFailuresInARow, _time, _metrics, _runnersLogger));
            }
        }
        catch
        {
            sessions.ForEach(one => one.Dispose());
            throw;
        }

        return new ModelSet(smile, faces, new RunnerPool(sessions));

        Sessions Reopen(Device device)
        {
            var again = smile.Reopen(device);
            try
            {
                return _open(again, faces.Reopen(device));
            }
            catch
            {
                again.Dispose();
                throw;
            }
        }
    }

    /// <summary>Runs what callers will need once.</summary>
    public async Task WarmAsync(ModelSet models, CancellationToken aborted)
    {
        var started = _time.GetTimestamp();
        await models.Runners.WarmAsync(_batching.ResolvedMaxBatch, aborted);
        var elapsed = _time.GetElapsedTime(started);
        LogWarm(_logger, models.Smile.Metadata.Name, models.Smile.Metadata.Version, _batching.ResolvedMaxBatch, _batching.ResolvedRunners, (int)elapsed.TotalMilliseconds);
    }

    /// <summary>Serves other models from the next picture on. Those that were served are closed when their last picture is judged.</summary>
    public void Serve(ModelSet models) => Interlocked.Exchange(ref _current, models).Release();

    public async Task StartAsync(CancellationToken startAborted)
    {
        try
        {
            await WarmAsync(Current, startAborted);
        }
#pragma warning disable CA1031 // The files are good, and so the device is not: readiness tells of it, and the sessions are opened anew until it works.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogNotWarm(_logger, e);
        }
    }

    public Task StopAsync(CancellationToken hurry) => Task.CompletedTask;

    public void Dispose()
    {
        // Asked for by two names, it is disposed twice.
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            Current.Release();
        }
    }

    [LoggerMessage(EventId = 3001, Level = LogLevel.Information, Message = "{Name} {Version} is warm for batches of 1 to {MaxBatch} faces on {Runners} runners after {Milliseconds} ms")]
    private static partial void LogWarm(ILogger logger, string name, string version, int maxBatch, int runners, int milliseconds);

    [LoggerMessage(EventId = 3004, Level = LogLevel.Error, Message = "The networks do not run")]
    private static partial void LogNotWarm(ILogger logger, Exception exception);
}
