using Microsoft.Extensions.Options;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Batching;

/// <summary>
/// Gathers the work of concurrent requests into runs of a network: tiles, candidates and faces alike. First a free slot to run
/// in, then the batch: nobody waits while a runner is free, and while all are busy the next batch grows by itself. The queue is
/// bounded; what its caller has given up on is skipped; when a run fails, its pictures are tried one by one, so that none
/// suffers for another. A run that does not end is given up: its pictures fail, and its slot goes to the next, a bounded number
/// of times, since native code cannot be stopped and keeps its thread.
/// </summary>
#pragma warning disable CA1001 // The slots hold nothing native, and a run that comes back after the end must still find them.
internal sealed partial class DynamicBatcher : IHostedService
#pragma warning restore CA1001
{
    /// <summary>From here on a run is strangely long.</summary>
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(0.5);

    private readonly WorkQueue _queue;
    private readonly int _maxBatch;
    private readonly TimeSpan _linger;
    private readonly TimeSpan _runTimeout;
    private readonly int _maxHung;
    private readonly int _size;
    private readonly SemaphoreSlim _slots;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly ILogger<DynamicBatcher> _logger;
    private readonly Dictionary<Network, MovingAverage> _secondsPerPixel = Enum.GetValues<Network>().ToDictionary(network => network, _ => new MovingAverage(initial: 1e-7));
    private readonly Lock _lock = new();
    private readonly HashSet<Batch> _running = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _hung; // Runs that were given up and have not ended.
    private bool _stopping;
    private long _succeeded;
    private long _failed;
    private Task _dispatching = Task.CompletedTask;

    public DynamicBatcher(IOptions<BatchingOptions> options, TimeProvider time, SmileMetrics metrics, ILogger<DynamicBatcher> logger)
    {
        (_time, _metrics, _logger) = (time, metrics, logger);
        _maxBatch = options.Value.ResolvedMaxBatch;
        _linger = TimeSpan.FromMilliseconds(options.Value.LingerMilliseconds);
        _runTimeout = TimeSpan.FromSeconds(options.Value.RunTimeoutSeconds);
        _maxHung = options.Value.MaxHungRuns;
        _size = options.Value.ResolvedRunners;
        _slots = new SemaphoreSlim(_size);
        _queue = new WorkQueue(options.Value.QueueLimit);
        metrics.ObserveQueue(() => _queue.Count, () => _slots.CurrentCount, () => _hung);
    }

    /// <summary>How long what is queued now will take, by the measured pace.</summary>
    public TimeSpan DrainTime =>
        TimeSpan.FromSeconds(_secondsPerPixel.Sum(pace => _queue.PixelsFor(pace.Key) * pace.Value.Value) / Slots);

    /// <summary>Runs that may go on at the same time: as many as configured, less those that have not ended and are not replaced.</summary>
    public int Runners => Math.Max(0, _size - Math.Max(0, Volatile.Read(ref _hung) - _maxHung));

    /// <summary>What is wrong, although the networks may still answer; null when nothing is.</summary>
    public string? Trouble
    {
        get
        {
            lock (_lock)
            {
                return _hung > _maxHung ? $"{_hung} runs have not ended, and {Runners} of {_size} runners are left."
                    : _running.Count > 0 && _running.Max(batch => batch.Age) is var age && age >= s_long ? $"A run has been going on for {age.TotalSeconds:0.0} seconds."
                    : null;
            }
        }
    }

    /// <summary>How many runs have ended well, and how many have not, so far.</summary>
    public (long Succeeded, long Failed) Ends => (Interlocked.Read(ref _succeeded), Interlocked.Read(ref _failed));

    /// <summary>Without runners one slot is left, for the queue to be refused through.</summary>
    private int Slots => Math.Max(1, Runners);

    /// <summary>Lets a photograph in, whose work from then on is always taken.</summary>
    /// <param name="runners">Of the models that it is judged by, from its first tile to its last face.</param>
    /// <returns>Its place, which the caller gives back at the end; null when the queue is full or the service is stopping.</returns>
    public WorkQueue.Place? TryEnter(RunnerPool runners) => _queue.TryEnter(runners);

    /// <summary>Queues a picture for a network.</summary>
    /// <param name="place">Of the photograph that it is a part of.</param>
    /// <param name="image">Normalised levels, rented from <see cref="Arrays"/>; the batcher owns and returns it.</param>
    /// <param name="aborted">
    /// Cancelled when the answer is no longer wanted; the task then ends at once, and the picture is skipped if its run has not begun.
    /// </param>
    /// <returns>The answer to come. Faults with <see cref="InferenceFailedException"/>.</returns>
    public Task<Answer> RunAsync(WorkQueue.Place place, WorkKind kind, float[] image, CancellationToken aborted)
    {
        var item = new WorkItem(place.Runners, kind, image, _time.GetTimestamp(), aborted);
        item.CompleteWhenAborted();
        place.Add(item);
        return item.Task;
    }

    public Task StartAsync(CancellationToken startAborted)
    {
        WorkerThreads.Reserve(_size);
        _dispatching = DispatchAsync();
        return Task.CompletedTask;
    }

    /// <summary>Lets no more photographs in and finishes those that are.</summary>
    public async Task StopAsync(CancellationToken hurry)
    {
        _queue.Close();
        await _dispatching.WaitAsync(hurry);
        WorkerThreads.Release(_size);
    }

    private async Task DispatchAsync()
    {
        while (await _queue.WaitForWorkAsync())
        {
            await _slots.WaitAsync();
            var batch = new Batch(this);
            batch.Gather();
            if (_linger > TimeSpan.Zero)
            {
                await LingerAsync(batch);
            }

            if (batch.IsEmpty)
            {
                _slots.Release();
            }
            else if (Runners == 0)
            {
                batch.Refuse();
                _slots.Release();
            }
            else
            {
                Begin(batch);
                ThreadPool.UnsafeQueueUserWorkItem(batch, preferLocal: false);
            }
        }

        lock (_lock)
        {
            _stopping = true;
            if (_running.Count == 0)
            {
                _ended.TrySetResult();
            }
        }

        await _ended.Task;
    }

    private async Task LingerAsync(Batch batch)
    {
        var left = batch.IsEmpty ? TimeSpan.Zero : _linger - _time.GetElapsedTime(batch.OldestQueued);
        if (left <= TimeSpan.Zero || batch.IsFull)
        {
            return;
        }

        using var end = new CancellationTokenSource(left, _time);
        try
        {
            while (!batch.IsFull)
            {
                await _queue.WaitForNewsAsync(end.Token);
                batch.Gather();
            }
        }
        catch (OperationCanceledException)
        {
            // Time is up: the batch goes as it is.
        }
    }

    private void Begin(Batch batch)
    {
        lock (_lock)
        {
            _running.Add(batch);
        }
    }

    private void End(Batch batch)
    {
        lock (_lock)
        {
            _running.Remove(batch);
            if (_stopping && _running.Count == 0)
            {
                _ended.TrySetResult();
            }
        }
    }

    /// <summary>One run more that does not end, or one less: slots follow. Whoever holds one that is not replaced keeps it.</summary>
    private void CountHung(int change)
    {
        int freed;
        lock (_lock)
        {
            var before = Slots;
            Volatile.Write(ref _hung, _hung + change);
            freed = Slots - before + (change > 0 ? 1 : 0); // The slot of the run that was given up is free, if there is still one.
        }

        WorkerThreads.Reserve(change);
        if (freed > 0)
        {
            _slots.Release(freed);
        }
    }

    /// <summary>One run: some pictures of one kind for the same models.</summary>
    private sealed class Batch(DynamicBatcher batcher) : IThreadPoolWorkItem
    {
        private const int Running = 0;
        private const int Ended = 1;
        private const int GivenUp = 2;

        private readonly List<WorkItem> _items = [];
        private readonly long _begun = batcher._time.GetTimestamp();
        private SessionRunners? _place; // Where it runs; whoever takes it away gives it back.
        private SessionRunners? _lastPlace; // Where the runner is from, and where the last run may have failed.
        private Runner? _runner;
        private int _state;

        public bool IsEmpty => _items.Count == 0;

        public bool IsFull => _items.Count == _items[0].Kind.MaxBatch(batcher._maxBatch);

        public long OldestQueued => _items[0].Queued;

        public TimeSpan Age => batcher._time.GetElapsedTime(_begun);

        private RunnerPool Runners => _items[0].Runners;

        private Network Network => _items[0].Kind.Network;

        private bool IsGivenUp => Volatile.Read(ref _state) == GivenUp;

        public void Gather() => batcher._queue.Take(_items, batcher._maxBatch, item => batcher._metrics.Skipped(item.Kind.Network));

        /// <summary>Fails all without a run.</summary>
        public void Refuse() => _items.ForEach(item =>
        {
            item.TrySetException(new InferenceFailedException(InferenceFailure.NoRunner, "No run of a network ends any more."));
            item.Release();
        });

        public void Execute()
        {
            using (var watch = batcher._time.CreateTimer(static batch => ((Batch)batch!).GiveUp(), this, batcher._runTimeout, Timeout.InfiniteTimeSpan))
            {
                Run(watch);
            }

            // Only now: a run that was given up may have gone on reading these.
            foreach (var item in _items)
            {
                item.Release();
            }

            ReturnRunner();
            LeavePlace();
            if (Interlocked.CompareExchange(ref _state, Ended, Running) == Running)
            {
                batcher.End(this);
                batcher._slots.Release();
            }
            else
            {
                LogCameBack(batcher._logger, Network, Age.TotalSeconds);
                batcher.CountHung(-1);
            }
        }

        private void Run(ITimer watch)
        {
            var failure = Run(_items);
            if (failure is not null && (_items.Count > 1 || Runners.HasSeveral))
            {
                LogRetry(batcher._logger, failure, Network, _items.Count);
                GoElsewhere();
                for (var i = 0; i < _items.Count && !IsGivenUp; i++)
                {
                    watch.Change(batcher._runTimeout, Timeout.InfiniteTimeSpan);
                    Fail(_items[i], Run([_items[i]]));
                }
            }
            else if (failure is not null)
            {
                Fail(_items[0], failure);
            }
        }

        /// <summary>The run's time is up.</summary>
        private void GiveUp()
        {
            if (Interlocked.CompareExchange(ref _state, GivenUp, Running) != Running)
            {
                return;
            }

            var failure = new InferenceFailedException(InferenceFailure.Hung, $"A run did not end within {batcher._runTimeout.TotalSeconds} seconds.");
            LogGivenUp(batcher._logger, Network, _items.Count, batcher._runTimeout.TotalSeconds);
            CountFailure(InferenceFailure.Hung);
            LeavePlace()?.Hung();
            batcher.End(this);
            batcher.CountHung(1);
            if (batcher.Runners > 0)
            {
                batcher._metrics.RunnerReplaced();
            }

            _items.ForEach(item => item.TrySetException(failure));
        }

        private static void Fail(WorkItem item, InferenceFailedException? failure)
        {
            if (failure is not null)
            {
                item.TrySetException(failure);
            }
        }

        /// <summary>Judges these pictures and completes their items.</summary>
        /// <returns>Why none was completed, or null.</returns>
        private InferenceFailedException? Run(List<WorkItem> items)
        {
            var kind = items[0].Kind;
            var (images, answers) = (new float[items.Count][], new float[items.Count][]);
            for (var i = 0; i < images.Length; i++)
            {
                images[i] = items[i].Image;
            }

            var started = batcher._time.GetTimestamp();
            var place = _place ??= Runners.Choose(failed: _lastPlace);
            _lastPlace = place;
            try
            {
                _runner ??= place.Rent();
                _runner.Run(kind, images, answers);
            }
#pragma warning disable CA1031 // Whatever a run throws belongs to its callers; the loop and the runner must outlive it.
            catch (Exception e)
#pragma warning restore CA1031
            {
                CountFailure(InferenceFailure.Threw, place);
                return new InferenceFailedException(InferenceFailure.Threw, "The network failed on this picture.", e);
            }

            var ran = batcher._time.GetElapsedTime(started);
            if (!AreSound(kind, answers))
            {
                Array.ForEach(answers, answer => Arrays.Return(answer));
                CountFailure(InferenceFailure.Unsound, place);
                return new InferenceFailedException(InferenceFailure.Unsound, "The network's answer is not a probability.");
            }

            place.Succeeded(kind.Network);
            Interlocked.Increment(ref batcher._succeeded);
            batcher._metrics.BatchRun(kind.Network, images.Length, ran);
            batcher._secondsPerPixel[kind.Network].Add(ran.TotalSeconds / images.Length / kind.Pixels);
            for (var i = 0; i < items.Count; i++)
            {
                var waited = batcher._time.GetElapsedTime(items[i].Queued, started);
                batcher._metrics.Waited(kind.Network, waited);
                if (!items[i].TrySetResult(new Answer(answers[i], waited, ran)))
                {
                    Arrays.Return(answers[i]); // Given up in the meantime.
                }
            }

            return null;
        }

        private static bool AreSound(WorkKind kind, float[][] answers)
        {
            foreach (var answer in answers)
            {
                if (!kind.IsSound(answer))
                {
                    return false;
                }
            }

            return true;
        }

        private void CountFailure(InferenceFailure kind, SessionRunners? place = null)
        {
            Interlocked.Increment(ref batcher._failed);
            batcher._metrics.RunFailed(Network, kind);
            place?.Failed(Network);
        }

        /// <summary>What has failed in one session is tried in another, if there is one.</summary>
        private void GoElsewhere()
        {
            if (Runners.HasSeveral)
            {
                ReturnRunner();
                LeavePlace();
            }
        }

        private void ReturnRunner()
        {
            if (_runner is not null)
            {
                _lastPlace!.Return(_runner);
                _runner = null;
            }
        }

        /// <summary>Gives the place back, whoever comes first: the end of the run, or of its time.</summary>
        private SessionRunners? LeavePlace()
        {
            var place = Interlocked.Exchange(ref _place, null);
            if (place is not null)
            {
                Runners.Leave(place);
            }

            return place;
        }
    }

    [LoggerMessage(EventId = 2001, Level = LogLevel.Error, Message = "A run of {Count} pictures of the network {Network} failed; they are tried one by one")]
    private static partial void LogRetry(ILogger logger, Exception exception, Network network, int count);

    [LoggerMessage(EventId = 2005, Level = LogLevel.Error, Message = "A run of the network {Network} over {Count} pictures has not ended after {Seconds} s and is given up")]
    private static partial void LogGivenUp(ILogger logger, Network network, int count, double seconds);

    [LoggerMessage(EventId = 2006, Level = LogLevel.Warning, Message = "A run of the network {Network} that was given up has ended after {Seconds:0.0} s")]
    private static partial void LogCameBack(ILogger logger, Network network, double seconds);
}
