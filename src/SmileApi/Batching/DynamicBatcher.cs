using System.Buffers;
using Microsoft.Extensions.Options;
using SmileApi.Operations;

namespace SmileApi.Batching;

/// <summary>
/// Gathers the work of concurrent requests into runs of a network: tiles, candidates and faces alike. First a free runner,
/// then the batch: nobody waits while a runner is free, and while all are busy the next batch grows by itself. The queue is
/// bounded; what its caller has given up on is skipped; when a run fails, its pictures are tried one by one, so that none
/// suffers for another.
/// </summary>
internal sealed partial class DynamicBatcher : IHostedService
{
    private readonly WorkQueue _queue;
    private readonly RunnerPool _runners;
    private readonly int _maxBatch;
    private readonly TimeSpan _linger;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly ILogger<DynamicBatcher> _logger;
    private readonly Dictionary<Network, MovingAverage> _secondsPerPixel = Enum.GetValues<Network>().ToDictionary(network => network, _ => new MovingAverage(initial: 1e-7));
    private Task _dispatching = Task.CompletedTask;

    public DynamicBatcher(
        RunnerPool runners, IOptions<BatchingOptions> options, TimeProvider time, SmileMetrics metrics, ILogger<DynamicBatcher> logger)
    {
        (_runners, _time, _metrics, _logger) = (runners, time, metrics, logger);
        _maxBatch = options.Value.MaxBatch;
        _linger = TimeSpan.FromMilliseconds(options.Value.LingerMilliseconds);
        _queue = new WorkQueue(options.Value.QueueLimit);
        metrics.ObserveQueue(() => _queue.Count, () => _runners.Idle);
    }

    /// <summary>How long what is queued now will take, by the measured pace.</summary>
    public TimeSpan DrainTime =>
        TimeSpan.FromSeconds(_secondsPerPixel.Sum(pace => _queue.PixelsFor(pace.Key) * pace.Value.Value) / _runners.Size);

    /// <summary>Lets a photograph in, whose work from then on is always taken.</summary>
    /// <returns>Its place, which the caller gives back at the end; null when the queue is full or the service is stopping.</returns>
    public WorkQueue.Place? TryEnter() => _queue.TryEnter();

    /// <summary>Queues a picture for a network.</summary>
    /// <param name="place">Of the photograph that it is a part of.</param>
    /// <param name="image">Normalised levels, rented from <see cref="ArrayPool{T}.Shared"/>; the batcher owns and returns it.</param>
    /// <param name="aborted">
    /// Cancelled when the answer is no longer wanted; the task then ends at once, and the picture is skipped if its run has not begun.
    /// </param>
    /// <returns>The answer to come. Faults with <see cref="InferenceFailedException"/>.</returns>
    public Task<Answer> RunAsync(WorkQueue.Place place, WorkKind kind, float[] image, CancellationToken aborted)
    {
        var item = new WorkItem(kind, image, _time.GetTimestamp(), aborted);
        item.CompleteWhenAborted();
        place.Add(item);
        return item.Task;
    }

    public Task StartAsync(CancellationToken startAborted)
    {
        _dispatching = DispatchAsync();
        return Task.CompletedTask;
    }

    /// <summary>Lets no more photographs in and finishes those that are.</summary>
    public async Task StopAsync(CancellationToken hurry)
    {
        _queue.Close();
        await _dispatching.WaitAsync(hurry);
    }

    private async Task DispatchAsync()
    {
        while (await _queue.WaitForWorkAsync())
        {
            var batch = new Batch(this, await _runners.RentAsync(CancellationToken.None));
            batch.Gather();
            if (_linger > TimeSpan.Zero)
            {
                await LingerAsync(batch);
            }

            if (batch.IsEmpty)
            {
                _runners.Return(batch.Runner);
                continue;
            }

            ThreadPool.UnsafeQueueUserWorkItem(batch, preferLocal: false);
        }

        // Every runner back in the pool means that every run has ended.
        for (var i = 0; i < _runners.Size; i++)
        {
            await _runners.RentAsync(CancellationToken.None);
        }
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

    /// <summary>One run: some pictures of one kind and the runner that judges them.</summary>
    private sealed class Batch(DynamicBatcher batcher, RunBatch runner) : IThreadPoolWorkItem
    {
        private readonly List<WorkItem> _items = [];

        public RunBatch Runner { get; } = runner;

        public bool IsEmpty => _items.Count == 0;

        public bool IsFull => _items.Count == _items[0].Kind.MaxBatch(batcher._maxBatch);

        public long OldestQueued => _items[0].Queued;

        public void Gather() => batcher._queue.Take(_items, batcher._maxBatch, item => batcher._metrics.Skipped(item.Kind.Network));

        public void Execute()
        {
            var failure = Run(_items);
            if (failure is not null && _items.Count > 1)
            {
                LogRetry(batcher._logger, failure, _items[0].Kind.Network, _items.Count);
                _items.ForEach(item => Fail(item, Run([item])));
            }
            else if (failure is not null)
            {
                Fail(_items[0], failure);
            }

            _items.ForEach(item => item.Release());
            batcher._runners.Return(Runner);
        }

        private static void Fail(WorkItem item, Exception? failure)
        {
            if (failure is not null)
            {
                item.TrySetException(new InferenceFailedException("The network failed on this picture.", failure));
            }
        }

        /// <summary>Judges these pictures and completes their items.</summary>
        /// <returns>Why none was completed, or null.</returns>
        private Exception? Run(List<WorkItem> items)
        {
            var kind = items[0].Kind;
            var images = items.ConvertAll(item => item.Image).ToArray();
            var answers = new float[images.Length][];
            var started = batcher._time.GetTimestamp();
            try
            {
                Runner(kind, images, answers);
            }
#pragma warning disable CA1031 // Whatever a run throws belongs to its callers; the loop and the runner must outlive it.
            catch (Exception e)
#pragma warning restore CA1031
            {
                return e;
            }

            var ran = batcher._time.GetElapsedTime(started);
            if (Array.Exists(answers, answer => !kind.IsSound(answer)))
            {
                Array.ForEach(answers, answer => ArrayPool<float>.Shared.Return(answer));
                return new InvalidOperationException("The network's answer is not a probability.");
            }

            batcher._metrics.BatchRun(kind.Network, images.Length, ran);
            batcher._secondsPerPixel[kind.Network].Add(ran.TotalSeconds / images.Length / kind.Pixels);
            for (var i = 0; i < items.Count; i++)
            {
                var waited = batcher._time.GetElapsedTime(items[i].Queued, started);
                batcher._metrics.Waited(kind.Network, waited);
                if (!items[i].TrySetResult(new Answer(answers[i], waited, ran)))
                {
                    ArrayPool<float>.Shared.Return(answers[i]); // Its caller gave up during the run.
                }
            }

            return null;
        }
    }

    [LoggerMessage(EventId = 2001, Level = LogLevel.Error, Message = "A run of {Count} pictures of the network {Network} failed; they are tried one by one")]
    private static partial void LogRetry(ILogger logger, Exception exception, Network network, int count);
}
