using System.Buffers;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Batching;

/// <summary>How likely a run ends well; the best comes first.</summary>
internal enum SessionHealth
{
    /// <summary>It may be mended: the next run opens it anew.</summary>
    Due,

    /// <summary>As far as one knows, it works.</summary>
    Works,

    /// <summary>Runs fail, and it is too early for the next attempt to mend it, or one is going on.</summary>
    Broken,
}

/// <summary>
/// The idle runners of one set of models in one session a network. Every caller gets one. When the sessions no longer work,
/// because several runs in a row have failed or one has not ended, they are opened anew: by the next caller, so that nobody waits
/// for it whom the broken ones do not concern.
/// </summary>
internal sealed partial class SessionRunners : IDisposable
{
    /// <summary>Sessions that cannot be mended must not become a load: this long they stay as they are.</summary>
    private static readonly TimeSpan s_leastLife = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Stack<Runner> _idle = [];
    private readonly int[] _failuresInARow = new int[Enum.GetValues<Network>().Length];
    private readonly Func<Sessions> _reopen;
    private readonly int _failureLimit;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly ILogger<SessionRunners> _logger;
    private Sessions _sessions;
    private long _opened;
    private string? _broken; // Why the sessions are to be opened anew.
    private bool _opening;
    private bool _disposed;

    /// <param name="device">Of the sessions.</param>
    /// <param name="sessions">Become its own.</param>
    /// <param name="reopen">Opens others of the same models. May throw when that cannot be done now.</param>
    /// <param name="failureLimit">How many runs of a network in a row must fail for the sessions to be opened anew.</param>
    public SessionRunners(
        Device device, Sessions sessions, Func<Sessions> reopen, int failureLimit, TimeProvider time, SmileMetrics metrics, ILogger<SessionRunners> logger)
    {
        Device = device;
        (_sessions, _reopen, _failureLimit, _time, _metrics, _logger) = (sessions, reopen, failureLimit, time, metrics, logger);
        _opened = time.GetTimestamp();
    }

    /// <summary>What runs the networks.</summary>
    public Device Device { get; }

    /// <summary>How likely the next run ends well.</summary>
    public SessionHealth Health
    {
        get
        {
            lock (_lock)
            {
                return _broken is null ? SessionHealth.Works : IsDue ? SessionHealth.Due : SessionHealth.Broken;
            }
        }
    }

    private bool IsDue => !_disposed && !_opening && _broken is not null && _time.GetElapsedTime(_opened) >= s_leastLife;

    /// <summary>Takes an idle runner or makes one. The caller has it alone until it is returned.</summary>
    public Runner Rent()
    {
        if (MustOpen())
        {
            Open();
        }

        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _idle.TryPop(out var runner) ? runner : _sessions.CreateRunner();
        }
    }

    /// <summary>Takes a runner back, whatever has become of its run.</summary>
    public void Return(Runner runner)
    {
        lock (_lock)
        {
            if (!_disposed && runner.Sessions == _sessions)
            {
                _idle.Push(runner);
                return;
            }
        }

        runner.Dispose();
    }

    /// <summary>A run has ended well.</summary>
    public void Succeeded(Network network) => Volatile.Write(ref _failuresInARow[(int)network], 0);

    /// <summary>A run has failed.</summary>
    public void Failed(Network network)
    {
        if (Interlocked.Increment(ref _failuresInARow[(int)network]) >= _failureLimit)
        {
            Break("failures");
        }
    }

    /// <summary>A run has not ended in time and was given up. Its runner comes back when it does.</summary>
    public void Hung() => Break("hang");

    /// <summary>Runs each batch size once; without fixed shapes, the largest and the smallest tile stand for all.</summary>
    public void Warm(int maxBatch, CancellationToken aborted)
    {
        IEnumerable<(int Width, int Height)> tiles = Device.FixedShapes ? FixedShapes.Tiles : [(FaceSearch.MaxTileSide, FaceSearch.MaxTileSide), (32, 32)];
        WorkKind[] kinds = [WorkKind.Face, WorkKind.Candidate, .. tiles.Select(tile => WorkKind.Tile(tile.Width, tile.Height))];
        var runner = Rent();
        try
        {
            foreach (var kind in kinds)
            {
                var image = new float[kind.Pixels];
                var most = kind.MaxBatch(maxBatch);
                foreach (var count in Device.FixedShapes ? FixedShapes.Batches(most).Select(size => Math.Min(size, most)) : Enumerable.Range(1, most))
                {
                    if (aborted.IsCancellationRequested)
                    {
                        return;
                    }

                    var answers = new float[count][];
                    runner.Run(kind, Enumerable.Repeat(image, count).ToArray(), answers);
                    Array.ForEach(answers, answer => ArrayPool<float>.Shared.Return(answer));
                }
            }
        }
        finally
        {
            Return(runner);
        }
    }

    /// <summary>Closes what is idle; what runs is closed when it is returned.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
        }

        Close(_sessions);
    }

    private void Break(string reason)
    {
        lock (_lock)
        {
            _broken ??= reason;
        }
    }

    private bool MustOpen()
    {
        lock (_lock)
        {
            var must = IsDue;
            _opening |= must;
            return must;
        }
    }

    private void Open()
    {
        Sessions? opened = null;
        try
        {
            opened = _reopen();
        }
#pragma warning disable CA1031 // Whatever a broken device makes of it: the old sessions stay, and a later caller tries again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogNotOpened(_logger, e, Device.Name);
        }

        Sessions? old = null;
        lock (_lock)
        {
            if (opened is not null)
            {
                (old, _sessions) = _disposed ? (opened, _sessions) : (_sessions, opened);
                LogOpened(_logger, Device.Name, _broken!);
                _metrics.SessionsReopened(_broken!);
                _broken = null;
            }

            Array.Clear(_failuresInARow);
            (_opening, _opened) = (false, _time.GetTimestamp());
        }

        if (old is not null)
        {
            Close(old);
        }
    }

    private void Close(Sessions sessions)
    {
        Runner[] idle;
        lock (_lock)
        {
            idle = [.. _idle];
            _idle.Clear();
        }

        // Another thread may have returned a runner over the new sessions in between; it is made again when it is needed.
        Array.ForEach(idle, runner => runner.Dispose());
        sessions.Release();
    }

    [LoggerMessage(EventId = 2003, Level = LogLevel.Warning, Message = "The networks' sessions on {Device} have been opened anew, because of {Reason}")]
    private static partial void LogOpened(ILogger logger, string device, string reason);

    [LoggerMessage(EventId = 2004, Level = LogLevel.Error, Message = "The networks' sessions on {Device} could not be opened anew")]
    private static partial void LogNotOpened(ILogger logger, Exception exception, string device);
}
