using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using SmileApi.Batching;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary>
/// A decoded picture. Dispose it once, when nothing needs its pixels any more: if it is one of the very large, the next such
/// may then be decoded.
/// </summary>
/// <param name="image">It becomes this object's.</param>
/// <param name="released">Called at the end.</param>
internal sealed class Photo(GreyImage image, TimeSpan waited, TimeSpan decoded, Action? released) : IDisposable
{
    public GreyImage Image => image;

    /// <summary>From its arrival at the gate to the start of its decoding.</summary>
    public TimeSpan Waited => waited;

    /// <summary>How long its decoding took.</summary>
    public TimeSpan Decoded => decoded;

    public void Dispose()
    {
        image.Dispose();
        released?.Invoke();
    }
}

/// <summary>
/// Decodes a bounded number of pictures at a time, and of those that must be held whole and are large only one; of those that
/// are very large even when decoded only two are there until their faces are judged. So memory stays bounded too. A bounded
/// number more may wait for their turn.
/// </summary>
internal sealed class DecodeGate : IDisposable
{
    /// <summary>From how many held bytes on a picture counts as large.</summary>
    private const long Large = 32 << 20;

    /// <summary>
    /// From how many decoded pixels on a picture counts as very large: more than any picture has that is searched for faces of the
    /// default size, so that only those wait here who ask for very small faces.
    /// </summary>
    private const long VeryLarge = 4_000_000;

    private readonly ImageDecoder _decoder;
    private readonly DecodeWatchdog _watchdog;
    private readonly SemaphoreSlim _largeSlot = new(1);
    private readonly SemaphoreSlim _veryLargeSlots = new(2);
    private readonly SemaphoreSlim _slots;
    private readonly int _queueLimit;
    private readonly int _parallelism;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly MovingAverage _secondsPerPicture = new(initial: 0.005);
    private int _inside; // Waiting or being decoded.

    public DecodeGate(ImageDecoder decoder, DecodeWatchdog watchdog, IOptions<DecodingOptions> options, TimeProvider time, SmileMetrics metrics)
    {
        (_decoder, _watchdog, _time, _metrics) = (decoder, watchdog, time, metrics);
        _queueLimit = options.Value.QueueLimit;
        _parallelism = options.Value.ResolvedParallelism;
        _slots = new SemaphoreSlim(_parallelism);
    }

    /// <summary>Reads a picture's header; the limits of section <c>Images</c> are checked by it.</summary>
    public bool TryInspect(ReadOnlySpan<byte> bytes, out ImageHeader header, [NotNullWhen(false)] out Problem? problem)
    {
        problem = _decoder.TryInspect(bytes, out header, out var rejection) ? null : ProblemOf(rejection);
        return problem is null;
    }

    /// <param name="header">What <see cref="TryInspect"/> said of these bytes.</param>
    /// <param name="reduction">How many pixels of a side become one: 1, 2, 4 or 8.</param>
    /// <returns>The picture, which the caller disposes, or the problem with it.</returns>
    public async ValueTask<(Photo? Photo, Problem? Problem)> DecodeAsync(
        ReadOnlyMemory<byte> bytes, ImageHeader header, int reduction, CancellationToken aborted)
    {
        using var stage = Stages.Decode(header.Format.Name(), (long)header.Width * header.Height);
        var queued = _time.GetTimestamp();
        if (Interlocked.Increment(ref _inside) > _queueLimit + _parallelism)
        {
            Interlocked.Decrement(ref _inside);
            var drain = TimeSpan.FromSeconds(_queueLimit * _secondsPerPicture.Value / _parallelism);
            return (null, new Problem(ProblemKind.Overloaded, "Too many pictures wait to be decoded. Try again later.", drain));
        }

        try
        {
            var pixels = (long)ImageDecoder.Reduced(header.Width, reduction) * ImageDecoder.Reduced(header.Height, reduction);
            if (pixels < VeryLarge)
            {
                return await DecodeInTurnAsync(bytes, header, reduction, queued, released: null, aborted);
            }

            await _veryLargeSlots.WaitAsync(aborted);
            Photo? photo = null;
            try
            {
                (photo, var problem) = await DecodeInTurnAsync(bytes, header, reduction, queued, () => _veryLargeSlots.Release(), aborted);
                return (photo, problem);
            }
            finally
            {
                if (photo is null)
                {
                    _veryLargeSlots.Release();
                }
            }
        }
        finally
        {
            Interlocked.Decrement(ref _inside);
        }
    }

    private async ValueTask<(Photo? Photo, Problem? Problem)> DecodeInTurnAsync(
        ReadOnlyMemory<byte> bytes, ImageHeader header, int reduction, long queued, Action? released, CancellationToken aborted)
    {
        // The large slot first: a large picture that waits for its like must not block the small ones.
        var largeSlot = header.HeldBytes >= Large ? _largeSlot : null;
        await (largeSlot?.WaitAsync(aborted) ?? Task.CompletedTask);
        try
        {
            await _slots.WaitAsync(aborted);
            try
            {
                return await DecodeNowAsync(bytes, header, reduction, queued, released);
            }
            finally
            {
                _slots.Release();
            }
        }
        finally
        {
            largeSlot?.Release();
        }
    }

    private async ValueTask<(Photo? Photo, Problem? Problem)> DecodeNowAsync(
        ReadOnlyMemory<byte> bytes, ImageHeader header, int reduction, long queued, Action? released)
    {
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
        return (new Photo(image, _time.GetElapsedTime(queued, started), elapsed, released), null);
    }

    public void Dispose()
    {
        _slots.Dispose();
        _largeSlot.Dispose();
        _veryLargeSlots.Dispose();
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
