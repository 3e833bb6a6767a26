using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace SmileApi.Batching;

/// <summary>
/// Work that waits for a runner, a lane a set of models and a kind, so that what can share a run is found together. It is bounded at the door: a
/// photograph is let in while there is room, and what it needs from then on is always taken, because to turn it away half
/// way would waste what has been done for it.
/// </summary>
internal sealed class WorkQueue(int limit)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(RunnerPool Runners, WorkKind Kind), Queue<WorkItem>> _lanes = [];
    private readonly Channel<bool> _bell = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private int _waiting;
    private int _reserved; // By photographs that have been let in and have queued nothing yet.
    private int _inside; // Photographs.
    private bool _closed;

    /// <summary>Pieces of work that wait.</summary>
    public int Count => Volatile.Read(ref _waiting);

    /// <summary>Lets a photograph in.</summary>
    /// <param name="runners">Of the models that it is judged by.</param>
    /// <returns>Its place, or null when the queue is full or closed.</returns>
    public Place? TryEnter(RunnerPool runners)
    {
        lock (_lock)
        {
            if (_closed || _waiting + _reserved >= limit)
            {
                return null;
            }

            _reserved++;
            _inside++;
            return new Place(this, runners);
        }
    }

    /// <summary>Lets nobody in any more.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }

        Ring();
    }

    /// <summary>Waits for work.</summary>
    /// <returns>False when the queue is closed and all who were inside have gone.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool> WaitForWorkAsync()
    {
        while (true)
        {
            lock (_lock)
            {
                if (_waiting > 0 || (_closed && _inside == 0))
                {
                    return _waiting > 0;
                }
            }

            await WaitForNewsAsync(CancellationToken.None);
        }
    }

    /// <summary>Waits until something may have been added since the last time that somebody waited.</summary>
    public ValueTask<bool> WaitForNewsAsync(CancellationToken timeIsUp) => _bell.Reader.ReadAsync(timeIsUp);

    /// <summary>
    /// Moves work to a batch: the oldest that waits, or what the batch has already, and others of the same kind. What its
    /// caller gave up on is dropped.
    /// </summary>
    /// <param name="maxBatch">Most faces of a batch.</param>
    /// <param name="dropped">Told of each piece that was dropped.</param>
    public void Take(List<WorkItem> batch, int maxBatch, Action<WorkItem> dropped)
    {
        lock (_lock)
        {
            while ((batch.Count > 0 ? _lanes.GetValueOrDefault(LaneOf(batch[0])) : Oldest()) is { } lane
                && (batch.Count == 0 || batch.Count < batch[0].Kind.MaxBatch(maxBatch)))
            {
                var item = lane.Dequeue();
                if (lane.Count == 0)
                {
                    _lanes.Remove(LaneOf(item)); // Sizes and models come and go.
                }

                _waiting--;
                if (item.IsAbandoned())
                {
                    dropped(item);
                }
                else
                {
                    batch.Add(item);
                }
            }
        }
    }

    /// <summary>Pixels of the work that waits for a network.</summary>
    public long PixelsFor(Network network)
    {
        lock (_lock)
        {
            return _lanes.Where(lane => lane.Key.Kind.Network == network).Sum(lane => (long)lane.Key.Kind.Pixels * lane.Value.Count);
        }
    }

    private Queue<WorkItem>? Oldest() => _lanes.Values.MinBy(lane => lane.Peek().Queued);

    private static (RunnerPool Runners, WorkKind Kind) LaneOf(WorkItem item) => (item.Runners, item.Kind);

    private void Add(WorkItem item, bool reserved)
    {
        lock (_lock)
        {
            _reserved -= reserved ? 1 : 0;
            _waiting++;
            if (!_lanes.TryGetValue(LaneOf(item), out var lane))
            {
                _lanes.Add(LaneOf(item), lane = new Queue<WorkItem>());
            }

            lane.Enqueue(item);
        }

        Ring();
    }

    private void Leave(bool reserved)
    {
        lock (_lock)
        {
            _reserved -= reserved ? 1 : 0;
            _inside--;
        }

        Ring();
    }

    private void Ring() => _bell.Writer.TryWrite(true);

    /// <summary>A photograph's right to have its work done; used by one caller, who gives it back when the last of it is done.</summary>
    public sealed class Place(WorkQueue queue, RunnerPool runners) : IDisposable
    {
        private bool _reserved = true;
        private bool _left;

        /// <summary>Of the models that the photograph is judged by.</summary>
        public RunnerPool Runners => runners;

        public void Add(WorkItem item)
        {
            ObjectDisposedException.ThrowIf(_left, this);
            queue.Add(item, _reserved);
            _reserved = false;
        }

        public void Dispose()
        {
            if (!_left)
            {
                _left = true;
                queue.Leave(_reserved);
            }
        }
    }
}
