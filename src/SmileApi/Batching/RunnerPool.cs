using System.Buffers;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Batching;

/// <summary>
/// The idle runners of one set of models. How many run at a time is the batcher's business; here every caller gets one. When the
/// sessions below no longer work, because several runs in a row have failed or one has not ended, they are opened anew: by the
/// next caller, so that nobody waits for it whom the broken ones do not concern.
/// </summary>
internal sealed partial class RunnerPool : IDisposable
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
    private readonly ILogger<RunnerPool> _logger;
    private Sessions _sessions;
    private long _opened;
    private string? _broken; // Why the sessions are to be opened anew.
    private bool _opening;
    private bool _disposed;

    /// <param name="sessions">Become the pool's own.</param>
    /// <param name="reopen">Opens others of the same models. May throw when that cannot be done now.</param>
    /// <param name="failureLimit">How many runs of a network in a row must fail for the sessions to be opened anew.</param>
    public RunnerPool(
        Sessions sessions, Func<Sessions> reopen, int failureLimit, TimeProvider time, SmileMetrics metrics, ILogger<RunnerPool> logger)
    {
        (_sessions, _reopen, _failureLimit, _time, _metrics, _logger) = (sessions, reopen, failureLimit, time, metrics, logger);
        _opened = time.GetTimestamp();
    }

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

    /// <summary>Runs each batch size once, the largest and the smallest tile standing for all; memory for the others is then there.</summary>
    public void Warm(int maxBatch, CancellationToken aborted)
    {
        WorkKind[] kinds = [WorkKind.Face, WorkKind.Candidate, WorkKind.Tile(FaceSearch.MaxTileSide, FaceSearch.MaxTileSide), WorkKind.Tile(32, 32)];
        var runner = Rent();
        try
        {
            foreach (var kind in kinds)
            {
                var image = new float[kind.Pixels];
                for (var count = 1; count <= kind.MaxBatch(maxBatch) && !aborted.IsCancellationRequested; count++)
                {
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
            var must = !_disposed && !_opening && _broken is not null && _time.GetElapsedTime(_opened) >= s_leastLife;
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
#pragma warning disable CA1031 // Whatever a broken device makes of it: the old sessions stay, and the next failures try again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogNotOpened(_logger, e);
        }

        Sessions? old = null;
        lock (_lock)
        {
            if (opened is not null)
            {
                (old, _sessions) = _disposed ? (opened, _sessions) : (_sessions, opened);
                LogOpened(_logger, _broken!);
                _metrics.SessionsReopened(_broken!);
            }

            Array.Clear(_failuresInARow);
            (_broken, _opening, _opened) = (null, false, _time.GetTimestamp());
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

    [LoggerMessage(EventId = 2003, Level = LogLevel.Warning, Message = "The networks' sessions have been opened anew, because of {Reason}")]
    private static partial void LogOpened(ILogger logger, string reason);

    [LoggerMessage(EventId = 2004, Level = LogLevel.Error, Message = "The networks' sessions could not be opened anew")]
    private static partial void LogNotOpened(ILogger logger, Exception exception);
}
