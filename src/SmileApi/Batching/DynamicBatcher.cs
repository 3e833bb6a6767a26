using System.Buffers;
using System.Threading.Channels;
using Microsoft.Extensions.Options;
using SmileApi.Operations;

namespace SmileApi.Batching;

/// <summary>What the network said about one face, and how long that took.</summary>
/// <param name="Probability">Calibrated probability of a smile, 0..1.</param>
/// <param name="Waited">From the queue to the start of its run.</param>
/// <param name="Ran">The run that it was part of.</param>
internal readonly record struct ScoredFace(float Probability, TimeSpan Waited, TimeSpan Ran);

/// <summary>The network failed on a face, alone or in a batch: broken hardware or a bug, never the picture's fault.</summary>
internal sealed class InferenceFailedException(string message, Exception? inner) : Exception(message, inner);

/// <summary>
/// Gathers the faces of concurrent requests into runs. First a free runner, then the batch: nobody waits while a runner is
/// free, and while all are busy the next batch grows by itself. The queue is bounded; faces whose callers have gone are
/// skipped; when a run fails, its faces are tried one by one, so that none suffers for another.
/// </summary>
internal sealed partial class DynamicBatcher : IHostedService
{
    private readonly Channel<Item> _queue;
    private readonly RunnerPool _runners;
    private readonly int _maxBatch;
    private readonly TimeSpan _linger;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly ILogger<DynamicBatcher> _logger;
    private readonly MovingAverage _secondsPerFace = new(initial: 0.001);
    private Task _dispatching = Task.CompletedTask;

    public DynamicBatcher(
        RunnerPool runners, IOptions<BatchingOptions> options, TimeProvider time, SmileMetrics metrics, ILogger<DynamicBatcher> logger)
    {
        (_runners, _time, _metrics, _logger) = (runners, time, metrics, logger);
        _maxBatch = options.Value.MaxBatch;
        _linger = TimeSpan.FromMilliseconds(options.Value.LingerMilliseconds);
        _queue = Channel.CreateBounded<Item>(new BoundedChannelOptions(options.Value.QueueLimit) { SingleReader = true });
        metrics.ObserveQueue(() => _queue.Reader.Count, () => _runners.Idle);
    }

    /// <summary>How long what is queued now will take, by the measured pace.</summary>
    public TimeSpan DrainTime => TimeSpan.FromSeconds(_queue.Reader.Count * _secondsPerFace.Value);

    /// <summary>Queues a face.</summary>
    /// <param name="face">Rented from <see cref="ArrayPool{T}.Shared"/>; when the result is true the batcher owns and returns it.</param>
    /// <param name="aborted">Cancelled when the answer is no longer wanted; the face is then skipped, if its run has not begun.</param>
    /// <param name="score">The answer to come. Faults with <see cref="InferenceFailedException"/>.</param>
    /// <returns>False when the queue is full or the service is stopping.</returns>
    public bool TryEnqueue(float[] face, CancellationToken aborted, out Task<ScoredFace> score)
    {
        var item = new Item(face, _time.GetTimestamp(), aborted);
        score = item.Task;
        return _queue.Writer.TryWrite(item);
    }

    public Task StartAsync(CancellationToken startAborted)
    {
        _dispatching = DispatchAsync();
        return Task.CompletedTask;
    }

    /// <summary>Takes no more faces and finishes those it has.</summary>
    public async Task StopAsync(CancellationToken hurry)
    {
        _queue.Writer.TryComplete();
        await _dispatching.WaitAsync(hurry);
    }

    private async Task DispatchAsync()
    {
        while (await _queue.Reader.WaitToReadAsync())
        {
            var batch = new Batch(this, await _runners.RentAsync(CancellationToken.None), _maxBatch);
            batch.Gather(_queue.Reader);
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
            while (!batch.IsFull && await _queue.Reader.WaitToReadAsync(end.Token))
            {
                batch.Gather(_queue.Reader);
            }
        }
        catch (OperationCanceledException)
        {
            // Time is up: the batch goes as it is.
        }
    }

    /// <summary>A face on its way through the queue; it owns the rented array until it is released.</summary>
    private sealed class Item(float[] face, long queued, CancellationToken aborted)
        : TaskCompletionSource<ScoredFace>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public float[] Face { get; } = face;

        public long Queued { get; } = queued;

        /// <summary>True, and the item finished, when nobody waits for it any more.</summary>
        public bool IsAbandoned()
        {
            if (!aborted.IsCancellationRequested)
            {
                return false;
            }

            TrySetCanceled(aborted);
            Release();
            return true;
        }

        public void Release() => ArrayPool<float>.Shared.Return(Face);
    }

    /// <summary>One run: some faces and the runner that judges them.</summary>
    private sealed class Batch(DynamicBatcher batcher, RunBatch runner, int capacity) : IThreadPoolWorkItem
    {
        private readonly List<Item> _items = new(capacity);

        public RunBatch Runner { get; } = runner;

        public bool IsEmpty => _items.Count == 0;

        public bool IsFull => _items.Count == capacity;

        public long OldestQueued => _items[0].Queued;

        public void Gather(ChannelReader<Item> queue)
        {
            while (!IsFull && queue.TryRead(out var item))
            {
                if (item.IsAbandoned())
                {
                    batcher._metrics.FaceSkipped();
                }
                else
                {
                    _items.Add(item);
                }
            }
        }

        public void Execute()
        {
            var failure = Run(_items);
            if (failure is not null && _items.Count > 1)
            {
                LogRetry(batcher._logger, failure, _items.Count);
                _items.ForEach(item => Fail(item, Run([item])));
            }
            else if (failure is not null)
            {
                Fail(_items[0], failure);
            }

            _items.ForEach(item => item.Release());
            batcher._runners.Return(Runner);
        }

        private static void Fail(Item item, Exception? failure)
        {
            if (failure is not null)
            {
                item.TrySetException(new InferenceFailedException("The network failed on this face.", failure));
            }
        }

        /// <summary>Judges these faces and completes their items.</summary>
        /// <returns>Why none was completed, or null.</returns>
        private Exception? Run(List<Item> items)
        {
            var faces = items.ConvertAll(item => item.Face).ToArray();
            var probabilities = new float[faces.Length];
            var started = batcher._time.GetTimestamp();
            try
            {
                Runner(faces, probabilities);
            }
#pragma warning disable CA1031 // Whatever a run throws belongs to its callers; the loop and the runner must outlive it.
            catch (Exception e)
#pragma warning restore CA1031
            {
                return e;
            }

            var ran = batcher._time.GetElapsedTime(started);
            if (Array.Exists(probabilities, p => !(p is >= 0 and <= 1)))
            {
                return new InvalidOperationException("The network's answer is not a probability.");
            }

            batcher._metrics.BatchRun(faces.Length, ran);
            batcher._secondsPerFace.Add(ran.TotalSeconds / faces.Length / batcher._runners.Size);
            for (var i = 0; i < items.Count; i++)
            {
                var waited = batcher._time.GetElapsedTime(items[i].Queued, started);
                batcher._metrics.FaceWaited(waited);
                items[i].TrySetResult(new ScoredFace(probabilities[i], waited, ran));
            }

            return null;
        }
    }

    [LoggerMessage(EventId = 2001, Level = LogLevel.Error, Message = "A run of {Count} faces failed; they are tried one by one")]
    private static partial void LogRetry(ILogger logger, Exception exception, int count);
}
