using System.Diagnostics.CodeAnalysis;
using System.Threading.RateLimiting;
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
    /// <param name="problem">When the result is false, what the caller is told.</param>
    bool TryHold(long bytes, [NotNullWhen(false)] out Problem? problem);
}

/// <summary>
/// Decides at the door, before a byte of a body is read, whether a request is let in. It bounds the requests at work and the
/// bytes that uploads hold.
/// </summary>
internal sealed class AdmissionGate
{
    /// <summary>Over so long it is counted how many came and how many of them were refused.</summary>
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(1);

    /// <summary>
    /// More than one in so many refused is lasting overload. A short queue refuses some by chance at loads that can be borne: less
    /// than one in a hundred at 80 %, and one in eleven already when a tenth too many come.
    /// </summary>
    private const int FewRefused = 50;

    private const string TooMuchWork = "The service has as many requests as it can work on.";
    private const string TooManyBytes = "The service holds as many uploads as it has memory for.";

    private readonly Lock _lock = new();
    private readonly MemoryBudget _memory;
    private readonly DecodeGate _decoder;
    private readonly DynamicBatcher _batcher;
    private readonly TimeProvider _time;
    private readonly int _limit;
    private readonly int _sustainedLimit;
    private int _arriving;
    private int _working;
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
        var held = MemoryBudget.FirstHold(announced is { } length && MemoryBudget.BufferFor(length) <= _memory.UploadBytes ? length : null);
        lock (_lock)
        {
            admission = null;
            CountOneWhoCame();
            if (IsFull())
            {
                problem = Overloaded(TooMuchWork);
            }
            else if (_memory.TryTakeForUpload(held) is { } lease)
            {
                _arriving++;
                problem = null;
                admission = new Admission(this, lease, held);
            }
            else
            {
                problem = Overloaded(TooManyBytes);
            }

            return admission is not null;
        }
    }

    /// <summary>The answer to a request for which there is no room: how long what is inside will take, by the measured pace.</summary>
    private Problem Overloaded(string reason) =>
        new(ProblemKind.Overloaded, $"{reason} Try again later.", _decoder.DrainTime + _batcher.DrainTime);

    /// <summary>
    /// Whether there is no room to work. Who is turned away by a burst's limit makes it lasting overload at once: the crowd that
    /// is inside then is worked off, and no second one is let in while many go on being refused.
    /// </summary>
    private bool IsFull()
    {
        var isFull = _working >= (_overloaded ? _sustainedLimit : _limit);
        if (isFull)
        {
            _refused++;
            _overloaded = true;
        }

        return isFull;
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
            problem = IsFull() ? Overloaded(TooMuchWork) : null;
            if (problem is null)
            {
                _arriving--;
                _working++;
            }

            return problem is null;
        }
    }

    private void Leave(bool worked)
    {
        lock (_lock)
        {
            (worked ? ref _working : ref _arriving)--;
        }
    }

    /// <summary>A request that has been let in, and the memory that it holds; used by one request, which disposes it at its end.</summary>
    public sealed class Admission(AdmissionGate gate, RateLimitLease first, long held) : IUploadRoom, IDisposable
    {
        private readonly List<RateLimitLease> _leases = [first];
        private long _held = held;
        private bool _working;
        private bool _left;

        public bool TryHold(long bytes, [NotNullWhen(false)] out Problem? problem)
        {
            problem = null;
            if (bytes <= _held)
            {
                return true;
            }

            if (gate._memory.TryTakeForUpload(bytes - _held) is not { } lease)
            {
                problem = gate.Overloaded(TooManyBytes);
                return false;
            }

            _leases.Add(lease);
            _held = bytes;
            return true;
        }

        /// <summary>The upload is here, and its work may begin, unless too many others have arrived in the meantime.</summary>
        public bool TryBeginWork([NotNullWhen(false)] out Problem? problem) => _working = gate.TryBeginWork(out problem);

        public void Dispose()
        {
            if (!_left)
            {
                _left = true;
                _leases.ForEach(lease => lease.Dispose());
                gate.Leave(_working);
            }
        }
    }
}
