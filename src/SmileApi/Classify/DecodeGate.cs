using Microsoft.Extensions.Options;
using SmileApi.Batching;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary>Decodes a bounded number of pictures at a time; a bounded number more may wait for their turn.</summary>
internal sealed class DecodeGate : IDisposable
{
    private readonly ImageDecoder _decoder;
    private readonly SemaphoreSlim _slots;
    private readonly int _queueLimit;
    private readonly int _parallelism;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly MovingAverage _secondsPerPicture = new(initial: 0.005);
    private int _waiting;

    public DecodeGate(ImageDecoder decoder, IOptions<DecodingOptions> options, TimeProvider time, SmileMetrics metrics)
    {
        (_decoder, _time, _metrics) = (decoder, time, metrics);
        _queueLimit = options.Value.QueueLimit;
        _parallelism = options.Value.ResolvedParallelism;
        _slots = new SemaphoreSlim(_parallelism);
    }

    /// <param name="minimumSide">The shorter side of the result is at least this many pixels, unless the original's is shorter.</param>
    /// <returns>The picture, which the caller disposes, or the problem with it; and how long it waited and was decoded.</returns>
    public async ValueTask<(GreyImage? Photo, Problem? Problem, TimeSpan Waited, TimeSpan Decoded)> DecodeAsync(
        ReadOnlyMemory<byte> bytes, int minimumSide, CancellationToken aborted)
    {
        var queued = _time.GetTimestamp();
        if (!_slots.Wait(0, CancellationToken.None))
        {
            var waiting = Interlocked.Increment(ref _waiting);
            try
            {
                if (waiting > _queueLimit)
                {
                    var drain = TimeSpan.FromSeconds(waiting * _secondsPerPicture.Value / _parallelism);
                    return (null, new Problem(ProblemKind.Overloaded, "Too many pictures wait to be decoded. Try again later.", drain), default, default);
                }

                await _slots.WaitAsync(aborted);
            }
            finally
            {
                Interlocked.Decrement(ref _waiting);
            }
        }

        var started = _time.GetTimestamp();
        try
        {
            var decoded = _decoder.TryDecode(bytes.Span, minimumSide, out var photo, out var rejection);
            var elapsed = _time.GetElapsedTime(started);
            _secondsPerPicture.Add(elapsed.TotalSeconds);
            if (decoded)
            {
                _metrics.PictureDecoded(elapsed, photo!.Format);
            }

            return (photo, decoded ? null : ProblemOf(rejection!), _time.GetElapsedTime(queued, started), elapsed);
        }
        finally
        {
            _slots.Release();
        }
    }

    public void Dispose() => _slots.Dispose();

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
