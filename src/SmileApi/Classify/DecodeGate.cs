using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using SmileApi.Batching;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary>
/// Decodes a bounded number of pictures at a time, and of those that must be held whole and are large only one, so that
/// memory stays bounded too; a bounded number more may wait for their turn.
/// </summary>
internal sealed class DecodeGate : IDisposable
{
    /// <summary>From how many held bytes on a picture counts as large.</summary>
    private const long Large = 32 << 20;

    private readonly ImageDecoder _decoder;
    private readonly SemaphoreSlim _largeSlot = new(1);
    private readonly SemaphoreSlim _slots;
    private readonly int _queueLimit;
    private readonly int _parallelism;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly MovingAverage _secondsPerPicture = new(initial: 0.005);
    private int _inside; // Waiting or being decoded.

    public DecodeGate(ImageDecoder decoder, IOptions<DecodingOptions> options, TimeProvider time, SmileMetrics metrics)
    {
        (_decoder, _time, _metrics) = (decoder, time, metrics);
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
    /// <returns>The picture, which the caller disposes, or the problem with it; and how long it waited and was decoded.</returns>
    public async ValueTask<(GreyImage? Photo, Problem? Problem, TimeSpan Waited, TimeSpan Decoded)> DecodeAsync(
        ReadOnlyMemory<byte> bytes, ImageHeader header, int reduction, CancellationToken aborted)
    {
        var queued = _time.GetTimestamp();
        if (Interlocked.Increment(ref _inside) > _queueLimit + _parallelism)
        {
            Interlocked.Decrement(ref _inside);
            var drain = TimeSpan.FromSeconds(_queueLimit * _secondsPerPicture.Value / _parallelism);
            return (null, new Problem(ProblemKind.Overloaded, "Too many pictures wait to be decoded. Try again later.", drain), default, default);
        }

        try
        {
            // The large slot first: a large picture that waits for its like must not block the small ones.
            var largeSlot = header.HeldBytes >= Large ? _largeSlot : null;
            await (largeSlot?.WaitAsync(aborted) ?? Task.CompletedTask);
            try
            {
                await _slots.WaitAsync(aborted);
                try
                {
                    return Decode(bytes.Span, header, reduction, queued);
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
        finally
        {
            Interlocked.Decrement(ref _inside);
        }
    }

    private (GreyImage? Photo, Problem? Problem, TimeSpan Waited, TimeSpan Decoded) Decode(
        ReadOnlySpan<byte> bytes, in ImageHeader header, int reduction, long queued)
    {
        var started = _time.GetTimestamp();
        var decoded = _decoder.TryDecodeReduced(bytes, header, reduction, out var photo, out var rejection);
        var elapsed = _time.GetElapsedTime(started);
        _secondsPerPicture.Add(elapsed.TotalSeconds);
        if (decoded)
        {
            _metrics.PictureDecoded(elapsed, header.Format);
        }

        return (photo, decoded ? null : ProblemOf(rejection!), _time.GetElapsedTime(queued, started), elapsed);
    }

    public void Dispose()
    {
        _slots.Dispose();
        _largeSlot.Dispose();
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
