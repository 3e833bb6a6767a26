using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using SmileApi.Admission;
using SmileApi.Batching;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary>
/// A decoded picture. Dispose it once, when nothing needs its pixels any more; its share of the memory is then the next one's.
/// </summary>
/// <param name="image">It becomes this object's, and so does <paramref name="memory"/>.</param>
internal sealed class Photo(GreyImage image, TimeSpan waited, TimeSpan decoded, IDisposable memory) : IDisposable
{
    public GreyImage Image => image;

    /// <summary>From its arrival at the gate to the start of its decoding.</summary>
    public TimeSpan Waited => waited;

    /// <summary>How long its decoding took.</summary>
    public TimeSpan Decoded => decoded;

    public void Dispose()
    {
        image.Dispose();
        memory.Dispose();
    }
}

/// <summary>
/// Decodes a bounded number of pictures at a time, in two lanes: one for those that take long, so that the others need not wait
/// behind them but share the processors with them; of those that must be held whole and are large there is only one. What a
/// picture holds from its decoding to its verdict comes out of the <see cref="MemoryBudget"/>. A bounded number more may wait
/// for their turn.
/// </summary>
internal sealed class DecodeGate : IDisposable
{
    /// <summary>From how many held bytes on a picture counts as large.</summary>
    private const long Large = 32 << 20;

    /// <summary>From how many pixels on a picture takes long: ten times those of 640x480.</summary>
    private const long Long = 3_000_000;

    private readonly ImageDecoder _decoder;
    private readonly DecodeWatchdog _watchdog;
    private readonly MemoryBudget _memory;
    private readonly SemaphoreSlim _largeSlot = new(1);
    private readonly SemaphoreSlim _longSlots;
    private readonly SemaphoreSlim _slots;
    private readonly int _queueLimit;
    private readonly int _parallelism;
    private readonly int _threads;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly MovingAverage _secondsPerPicture = new(initial: 0.005);
    private int _inside; // Waiting or being decoded.

    public DecodeGate(
        ImageDecoder decoder, DecodeWatchdog watchdog, MemoryBudget memory, IOptions<DecodingOptions> options, TimeProvider time, SmileMetrics metrics)
    {
        (_decoder, _watchdog, _memory, _time, _metrics) = (decoder, watchdog, memory, time, metrics);
        _queueLimit = options.Value.QueueLimit;
        _parallelism = options.Value.ResolvedParallelism;
        _slots = new SemaphoreSlim(_parallelism);
        _longSlots = new SemaphoreSlim(options.Value.LongLane);
        _threads = _parallelism + options.Value.LongLane;
        WorkerThreads.Reserve(_threads);
    }

    /// <summary>How long the decoding of what is inside now will take, by the measured pace.</summary>
    public TimeSpan DrainTime => TimeSpan.FromSeconds(Volatile.Read(ref _inside) * _secondsPerPicture.Value / _parallelism);

    /// <summary>Reads a picture's header; the limits of section <c>Images</c> are checked by it.</summary>
    public bool TryInspect(ReadOnlySpan<byte> bytes, out ImageHeader header, [NotNullWhen(false)] out Problem? problem)
    {
        problem = _decoder.TryInspect(bytes, out header, out var rejection) ? null : ProblemOf(rejection);
        return problem is null;
    }

    /// <param name="header">What <see cref="TryInspect"/> said of these bytes.</param>
    /// <param name="reduction">How many pixels of a side become one: 1, 2, 4 or 8.</param>
    /// <returns>The picture, which the caller disposes, or the problem with it.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<(Photo? Photo, Problem? Problem)> DecodeAsync(
        ReadOnlyMemory<byte> bytes, ImageHeader header, int reduction, CancellationToken aborted)
    {
        using var stage = Stages.Decode(header.Format.Name(), (long)header.Width * header.Height);
        var queued = _time.GetTimestamp();
        var cost = MemoryBudget.CostOf(header, reduction);
        if (cost > _memory.PictureBytes)
        {
            return (null, new Problem(
                ProblemKind.PictureTooLarge,
                $"This picture of {header.Width} x {header.Height} pixels would hold {cost >> 20} MiB of memory; at most {_memory.PictureBytes >> 20} are given. Send it smaller, or ask for larger faces (minFace)."));
        }

        if (Interlocked.Increment(ref _inside) > _queueLimit + _parallelism)
        {
            Interlocked.Decrement(ref _inside);
            return (null, new Problem(ProblemKind.Overloaded, "Too many pictures wait to be decoded. Try again later.", DrainTime));
        }

        // One method to the end: each that waits for another keeps a state of its own for every picture inside.
        RateLimitLease? memory = null;
        SemaphoreSlim? largeSlot = null, slot = null;
        try
        {
            // The large slot first: large pictures that wait for their like must hold nothing that the small ones need, who would
            // otherwise stand behind them for memory. Nobody who has memory waits for that slot.
            if (header.HeldBytes >= Large)
            {
                await _largeSlot.WaitAsync(aborted);
                largeSlot = _largeSlot;
            }

            memory = await _memory.TakeForPictureAsync(cost, aborted);
            var lane = (long)header.Width * header.Height >= Long ? _longSlots : _slots;
            await lane.WaitAsync(aborted);
            slot = lane;

            var started = _time.GetTimestamp();
            var (image, rejection) = await _watchdog.DecodeAsync(bytes, header, reduction);
            var elapsed = _time.GetElapsedTime(started);
            if (image is null && rejection is null)
            {
                return (null, _watchdog.TooSlow);
            }

            _secondsPerPicture.Add(elapsed.TotalSeconds);
            if (image is null)
            {
                return (null, ProblemOf(rejection!));
            }

            _metrics.PictureDecoded(elapsed, header.Format);
            var photo = new Photo(image, _time.GetElapsedTime(queued, started), elapsed, memory);
            memory = null; // The photo's.
            return (photo, null);
        }
        finally
        {
            slot?.Release();
            largeSlot?.Release();
            memory?.Dispose();
            Interlocked.Decrement(ref _inside);
        }
    }

    /// <summary>Waits for a decoder's turn, for work that takes about as long as decoding.</summary>
    /// <returns>The turn, which the caller disposes.</returns>
    public async ValueTask<IDisposable> TakeTurnAsync(CancellationToken aborted)
    {
        await _slots.WaitAsync(aborted);
        return new Turn(_slots);
    }

    public void Dispose()
    {
        _slots.Dispose();
        _longSlots.Dispose();
        WorkerThreads.Release(_threads);
        _largeSlot.Dispose();
    }

    private sealed class Turn(SemaphoreSlim slots) : IDisposable
    {
        public void Dispose() => slots.Release();
    }

    private static Problem ProblemOf(ImageRejection rejection)
    {
        var kind = rejection.Problem switch
        {
            ImageProblem.Empty => ProblemKind.EmptyUpload,
            ImageProblem.UnsupportedFormat => ProblemKind.UnsupportedFormat,
            ImageProblem.TooManyBytes => ProblemKind.UploadTooLarge,
            ImageProblem.TooLarge => ProblemKind.PictureTooLarge,
            ImageProblem.Truncated => ProblemKind.PictureTruncated,
            ImageProblem.Corrupt => ProblemKind.PictureCorrupt,
            ImageProblem.UnsupportedVariant => ProblemKind.UnsupportedVariant,
            _ => throw new ArgumentOutOfRangeException(nameof(rejection), rejection.Problem, "No problem kind belongs to this rejection."),
        };
        return new Problem(kind, rejection.Detail);
    }
}
