using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Admission;

/// <summary>What an upload may hold.</summary>
internal interface IUploadRoom
{
    /// <summary>Sees to it that the upload may hold so many bytes altogether.</summary>
    /// <param name="bytes">Of all buffers together.</param>
    /// <param name="aborted">Nobody waits any more for room.</param>
    /// <returns>Null; or, when there is no room, what the caller is told.</returns>
    ValueTask<Problem?> HoldAsync(long bytes, CancellationToken aborted);
}

/// <summary>
/// Decides at the door, before a byte of a body is read, whether a request is let in. It bounds the requests at work and the
/// bytes that uploads hold.
/// </summary>
internal sealed class AdmissionGate
{
    /// <summary>Over so long it is counted how many came and how many of them were refused.</summary>
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(1);

    /// <summary>Beside twice its request's time, so long a large answer may be on its way.</summary>
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(5);

    /// <summary>
    /// More than one in so many refused is lasting overload. A short queue refuses some by chance at loads that can be borne: less
    /// than one in a hundred at 80 %, and one in eleven already when a tenth too many come.
    /// </summary>
    private const int FewRefused = 50;

    /// <summary>Of the pictures of batches only one at a time grows beyond so many bytes, or several could each hold a part and wait for the rest.</summary>
    private const long MostTogether = 1 << 20;

    private const string TooMuchWork = "The service has as many requests as it can work on.";
    private const string TooManyBytes = "The service holds as many uploads as it has memory for.";

    private readonly Lock _lock = new();
    private readonly MemoryBudget _memory;
    private readonly DecodeGate _decoder;
    private readonly DynamicBatcher _batcher;
    private readonly TimeProvider _time;
    private readonly TimeSpan _deadline;
    private readonly int _limit;
    private readonly int _sustainedLimit;
    private readonly int _batchLimit;
    private int _arriving;
    private int _working;
    private int _workingForBatches; // Of those at work.
    private bool _oneGrows; // A picture of a batch beyond what several may hold.
    private TaskCompletionSource? _nextToLeave; // There while somebody waits for room.
    private bool _overloaded; // More come than can be borne, and not just for a moment.
    private long _windowBegan; // A timestamp.
    private int _came;
    private int _refused;

    public AdmissionGate(
        MemoryBudget memory, DecodeGate decoder, DynamicBatcher batcher, IOptions<RequestOptions> options, TimeProvider time, SmileMetrics metrics)
    {
        (_memory, _decoder, _batcher, _time) = (memory, decoder, batcher, time);
        _limit = options.Value.ResolvedMaxInFlight;
        _sustainedLimit = Math.Min(_limit, options.Value.ResolvedMaxInFlightSustained);
        _batchLimit = Math.Max(1, _sustainedLimit / 2);
        _deadline = TimeSpan.FromSeconds(options.Value.DeadlineSeconds);
        _windowBegan = time.GetTimestamp();
        metrics.ObserveAdmission(() => (Arriving, Working), () => (memory.UploadBytesHeld, memory.PictureBytesHeld), memory.Ceiling);
    }

    /// <summary>Requests whose upload is arriving.</summary>
    public int Arriving => Volatile.Read(ref _arriving);

    /// <summary>Requests at work.</summary>
    public int Working => Volatile.Read(ref _working);

    /// <summary>Lets a request in or not.</summary>
    /// <param name="announced">The length of its body, as far as it says so.</param>
    /// <param name="admission">When the result is true, what the request disposes at its end.</param>
    /// <param name="problem">When the result is false, what the caller is told.</param>
    public bool TryEnter(long? announced, [NotNullWhen(true)] out Admission? admission, [NotNullWhen(false)] out Problem? problem)
    {
        // What is longer than can be accepted is not going to be stored.
        var held = MemoryBudget.FirstHold(announced is { } length && length < _memory.UploadBytes && MemoryBudget.BufferFor(length) <= _memory.UploadBytes ? length : null);
        lock (_lock)
        {
            admission = null;
            CountOneWhoCame();
            if (IsFull())
            {
                problem = Refused();
            }
            else if (_memory.TryTakeForUpload(held) is { } lease)
            {
                _arriving++;
                problem = null;
                admission = new Admission(this, new UploadHold(_memory, lease, held), ofBatch: false);
            }
            else
            {
                problem = Overloaded(TooManyBytes);
            }

            return admission is not null;
        }
    }

    /// <summary>
    /// Lets a picture of a batch in as soon as there is room. The batch has been let in itself: where a request would be turned away, it
    /// waits, and its sender with it.
    /// </summary>
    /// <param name="aborted">Nobody waits any more.</param>
    public async ValueTask<Admission> EnterFromBatchAsync(CancellationToken aborted)
    {
        while (true)
        {
            Task left;
            lock (_lock)
            {
                if (!IsFull() && _memory.TryTakeForUpload(MemoryBudget.FirstBuffer) is { } lease)
                {
                    _arriving++;
                    return new Admission(this, new UploadHold(_memory, lease, MemoryBudget.FirstBuffer), ofBatch: true);
                }

                left = NextToLeave();
            }

            await left.WaitAsync(aborted);
        }
    }

    /// <summary>
    /// Lets a frame of a stream in if there is memory for it. It is no place that is asked for: the stream has been let in itself, and
    /// takes one when its newest frame's turn has come.
    /// </summary>
    /// <param name="room">When the result is true, what the frame disposes when its bytes are gone.</param>
    /// <param name="problem">When the result is false, what the caller is told.</param>
    public bool TryEnterFromStream([NotNullWhen(true)] out FrameRoom? room, [NotNullWhen(false)] out Problem? problem)
    {
        room = _memory.TryTakeForUpload(MemoryBudget.FirstBuffer) is { } lease ? new FrameRoom(this, new UploadHold(_memory, lease, MemoryBudget.FirstBuffer)) : null;
        problem = room is null ? Overloaded(TooManyBytes) : null;
        return room is not null;
    }

    /// <summary>
    /// Takes memory for an answer that is as large as an upload, until it has left: that is up to its reader, who has a time for it.
    /// </summary>
    /// <param name="problem">When the result is false, what the caller is told instead.</param>
    public bool TryHoldAnswer(HttpContext http, long bytes, [NotNullWhen(false)] out Problem? problem)
    {
        if (_memory.TryTakeForUpload(bytes) is not { } lease)
        {
            problem = Overloaded(TooManyBytes);
            return false;
        }

        http.Response.RegisterForDispose(new AnswerRoom(this, lease, http));
        problem = null;
        return true;
    }

    /// <summary>What a frame is told for which no place was free in time.</summary>
    public Problem NoPlace() => Overloaded(TooMuchWork);

    /// <summary>The answer to a request for which there is no room: how long what is inside will take, by the measured pace.</summary>
    private Problem Overloaded(string reason) =>
        new(ProblemKind.Overloaded, $"{reason} Try again later.", _decoder.DrainTime + _batcher.DrainTime);

    /// <summary>Whether there is no room to work.</summary>
    private bool IsFull() => _working >= (_overloaded ? _sustainedLimit : _limit);

    /// <summary>
    /// Who is turned away at a burst's limit makes it lasting overload at once: the crowd that is inside then is worked off, and no
    /// second one is let in while many go on being refused.
    /// </summary>
    private Problem Refused()
    {
        _refused++;
        _overloaded = true;
        return Overloaded(TooMuchWork);
    }

    private void CountOneWhoCame()
    {
        var now = _time.GetTimestamp();
        var gone = _time.GetElapsedTime(_windowBegan, now);
        if (gone >= s_window)
        {
            // Nobody came in a window that was never closed.
            _overloaded &= gone < 2 * s_window && _refused * FewRefused > _came;
            (_windowBegan, _came, _refused) = (now, 0, 0);
        }

        _came++;
    }

    private bool TryBeginWork([NotNullWhen(false)] out Problem? problem)
    {
        lock (_lock)
        {
            // Many may have arrived at the same time.
            problem = IsFull() ? Refused() : null;
            if (problem is null)
            {
                _arriving--;
                _working++;
            }

            return problem is null;
        }
    }

    /// <summary>Waits for a place at work. All batches and streams together have half of the places that there are in lasting overload: others come, too.</summary>
    private async ValueTask BeginWorkOfBatchAsync(CancellationToken aborted)
    {
        while (true)
        {
            Task left;
            lock (_lock)
            {
                if (_workingForBatches < _batchLimit && !IsFull())
                {
                    _arriving--;
                    _working++;
                    _workingForBatches++;
                    return;
                }

                left = NextToLeave();
            }

            await left.WaitAsync(aborted);
        }
    }

    /// <summary>Ends when the next request or picture has left. To be asked before looking for room, or in the same lock.</summary>
    private Task NextToLeave() => (_nextToLeave ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Waits for a picture's turn to grow.</summary>
    /// <returns>Whether it has come, or nobody waits any more.</returns>
    private async ValueTask<bool> GrowAloneAsync(CancellationToken aborted)
    {
        while (!aborted.IsCancellationRequested)
        {
            Task left;
            lock (_lock)
            {
                if (!_oneGrows)
                {
                    return _oneGrows = true;
                }

                left = NextToLeave();
            }

            await left.WaitAsync(aborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
    }

    private void HasGrown()
    {
        lock (_lock)
        {
            _oneGrows = false;
        }

        Signal();
    }

    /// <summary>Lets those look again who wait for room.</summary>
    private void Signal()
    {
        TaskCompletionSource? waiting;
        lock (_lock)
        {
            (waiting, _nextToLeave) = (_nextToLeave, null);
        }

        waiting?.TrySetResult();
    }

    private void EndWorkOfBatch()
    {
        TaskCompletionSource? waiting;
        lock (_lock)
        {
            _arriving++;
            _working--;
            _workingForBatches--;
            (waiting, _nextToLeave) = (_nextToLeave, null);
        }

        waiting?.TrySetResult();
    }

    private void Leave(bool worked, bool forBatch)
    {
        TaskCompletionSource? waiting;
        lock (_lock)
        {
            (worked ? ref _working : ref _arriving)--;
            _workingForBatches -= forBatch ? 1 : 0;
            (waiting, _nextToLeave) = (_nextToLeave, null);
        }

        waiting?.TrySetResult();
    }

    /// <summary>A request, or a picture of a batch, that has been let in, and the memory that it holds; used by one caller, who disposes it at its end.</summary>
    public sealed class Admission(AdmissionGate gate, UploadHold hold, bool ofBatch) : IUploadRoom, IDisposable
    {
        private bool _working;
        private bool _worksForBatch;
        private bool _growsAlone;
        private bool _left;

        /// <summary>A picture of a batch waits for room, and is told that there is none only when <paramref name="aborted"/> says so.</summary>
        public async ValueTask<Problem?> HoldAsync(long bytes, CancellationToken aborted)
        {
            if (ofBatch && bytes > MostTogether && !_growsAlone && !(_growsAlone = await gate.GrowAloneAsync(aborted)))
            {
                return gate.Overloaded(TooManyBytes);
            }

            while (true)
            {
                Task left;
                lock (gate._lock)
                {
                    left = ofBatch ? gate.NextToLeave() : Task.CompletedTask;
                }

                if (hold.TryGrow(bytes))
                {
                    return null;
                }

                if (!ofBatch || aborted.IsCancellationRequested)
                {
                    return gate.Overloaded(TooManyBytes);
                }

                await left.WaitAsync(aborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        /// <summary>Sets a time for the reader of an answer that this holds, until what is returned is disposed.</summary>
        public IDisposable LimitReading(HttpContext http) => new ReadingTime(gate, http);

        /// <summary>The upload is here, and its work may begin, unless too many others have arrived in the meantime.</summary>
        public bool TryBeginWork([NotNullWhen(false)] out Problem? problem) => _working = gate.TryBeginWork(out problem);

        /// <summary>The picture of a batch, or the frame of a stream, is here, and its work begins as soon as there is room.</summary>
        /// <param name="aborted">Nobody waits any more.</param>
        public async ValueTask BeginWorkAsync(CancellationToken aborted)
        {
            StopGrowing();
            await gate.BeginWorkOfBatchAsync(aborted);
            _working = _worksForBatch = true;
        }

        /// <summary>The stream's frame is answered; it goes on, and takes a place again for the next one.</summary>
        public void EndWork()
        {
            _working = _worksForBatch = false;
            gate.EndWorkOfBatch();
        }

        public void Dispose()
        {
            if (!_left)
            {
                _left = true;
                hold.Dispose();
                StopGrowing();
                gate.Leave(_working, _worksForBatch);
            }
        }

        private void StopGrowing()
        {
            if (_growsAlone)
            {
                _growsAlone = false;
                gate.HasGrown();
            }
        }
    }

    /// <summary>The memory of an answer on its way.</summary>
    private sealed class AnswerRoom(AdmissionGate gate, IDisposable lease, HttpContext http) : IDisposable
    {
        private readonly ReadingTime _time = new(gate, http);

        public void Dispose()
        {
            _time.Dispose();
            lease.Dispose();
            gate.Signal();
        }
    }

    /// <summary>
    /// The time in which a large answer must be read: twice what its request had, and some seconds. Then its request is broken off:
    /// who takes a few bytes a second would keep the memory from others for hours. The server's own least pace is a few bytes, too,
    /// and over HTTP/2 only the connection's.
    /// </summary>
    private sealed class ReadingTime : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly HttpContext _http;
        private readonly ITimer _timer;
        private bool _isOver;

        public ReadingTime(AdmissionGate gate, HttpContext http)
        {
            _http = http;
            var time = 2 * (http.Features.Get<PictureDeadline>()?.Time ?? gate._deadline) + s_grace;
            _timer = gate._time.CreateTimer(static reading => ((ReadingTime)reading!).BreakOff(), this, time, Timeout.InfiniteTimeSpan);
        }

        public void Dispose()
        {
            _timer.Dispose();
            lock (_lock)
            {
                _isOver = true;
            }
        }

        private void BreakOff()
        {
            // In the lock: afterwards the context may be the next request's.
            lock (_lock)
            {
                if (!_isOver)
                {
                    _http.Abort();
                }
            }
        }
    }

    /// <summary>The memory that a frame of a stream holds. It does not wait for more: newer frames come.</summary>
    public sealed class FrameRoom(AdmissionGate gate, UploadHold hold) : IUploadRoom, IDisposable
    {
        public ValueTask<Problem?> HoldAsync(long bytes, CancellationToken aborted) => new(hold.TryGrow(bytes) ? null : gate.Overloaded(TooManyBytes));

        public void Dispose()
        {
            hold.Dispose();
            gate.Signal();
        }
    }
}
