using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary>Decodes one inspected picture: <see cref="ImageDecoder.TryDecodeReduced"/>, or what a test puts in its place.</summary>
internal delegate bool DecodePicture(
    ReadOnlySpan<byte> bytes, in ImageHeader header, int reduction, [NotNullWhen(true)] out GreyImage? image, [NotNullWhen(false)] out ImageRejection? rejection);

/// <summary>
/// Runs decodes and gives up on one that exceeds its time. Native code cannot be cancelled: its thread goes on, with the bytes
/// that it reads, while its caller is answered and its place is another's. Of such lost decodes only a few may be there at a
/// time; one more, and the service stops, to be started anew.
/// </summary>
internal sealed partial class DecodeWatchdog
{
    private readonly DecodePicture _decode;
    private readonly IHostApplicationLifetime _lifetime;
    private readonly TimeProvider _time;
    private readonly SmileMetrics _metrics;
    private readonly ILogger<DecodeWatchdog> _logger;
    private readonly TimeSpan _limit;
    private readonly int _mostLost;
    private readonly Lock _lock = new();
    private int _lost;

    public DecodeWatchdog(
        DecodePicture decode, IOptions<DecodingOptions> options, IHostApplicationLifetime lifetime, TimeProvider time, SmileMetrics metrics,
        ILogger<DecodeWatchdog> logger)
    {
        (_decode, _lifetime, _time, _metrics, _logger) = (decode, lifetime, time, metrics, logger);
        _limit = TimeSpan.FromSeconds(options.Value.TimeoutSeconds);
        _mostLost = options.Value.MaxLost;
        metrics.ObserveLostDecodes(() => Lost);
    }

    /// <summary>More decodes are lost than may be; the service is stopping.</summary>
    public bool IsSpent { get; private set; }

    /// <summary>Decodes that have been given up and have not ended, now.</summary>
    public int Lost => Volatile.Read(ref _lost);

    /// <param name="bytes">Read until the decode ends, which may be after this task has: pinned for so long, see <see cref="Upload"/>.</param>
    /// <returns>The picture, which is the caller's, or its rejection; neither when the decode was given up.</returns>
    public async Task<(GreyImage? Image, ImageRejection? Rejection)> DecodeAsync(ReadOnlyMemory<byte> bytes, ImageHeader header, int reduction)
    {
        // The clock is set before the decode begins, and what is read is held before anybody could give it back.
        var tooLong = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var clock = _time.CreateTimer(state => ((TaskCompletionSource)state!).TrySetResult(), tooLong, _limit, Timeout.InfiniteTimeSpan);
        var held = bytes.Pin();
        var decoding = Task.Run(() =>
        {
            using (held)
            {
                return _decode(bytes.Span, header, reduction, out var image, out var rejection) ? (image, (ImageRejection?)null) : (null, rejection);
            }
        });

        if (await Task.WhenAny(decoding, tooLong.Task) == decoding)
        {
            return await decoding;
        }

        GiveUp(header);
        _ = decoding.ContinueWith(TakeBack, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return (null, null);
    }

    /// <summary>The problem of a picture whose decoding was given up. Sent again, it would cost as much again.</summary>
    public Problem TooSlow => new(
        ProblemKind.PictureTooSlow, $"Decoding this picture took longer than {_limit.TotalSeconds:0.###} seconds and was given up. Do not send it again; save it with an ordinary encoder.");

    private void GiveUp(in ImageHeader header)
    {
        bool spent;
        int lost;
        lock (_lock)
        {
            lost = ++_lost;
            spent = lost > _mostLost && !IsSpent;
            IsSpent |= spent;

            // The pool has no other way to know that one of its threads is lost; it would notice after a while, and slowly.
            ThreadPool.GetMinThreads(out var workers, out var ports);
            ThreadPool.SetMinThreads(workers + 1, ports);
        }

        _metrics.DecodeGivenUp(header.Format);
        LogGivenUp(_logger, header.Format.Name(), header.Width, header.Height, _limit.TotalSeconds, lost, _mostLost);
        if (spent)
        {
            LogSpent(_logger, lost);
            _lifetime.StopApplication();
        }
    }

    /// <summary>A decode that was given up has ended after all.</summary>
    private void TakeBack(Task<(GreyImage? Image, ImageRejection? Rejection)> decoding)
    {
        if (decoding.IsCompletedSuccessfully)
        {
            decoding.Result.Image?.Dispose();
        }

        _ = decoding.Exception; // Nobody is left to hear of it.
        lock (_lock)
        {
            _lost--;
            ThreadPool.GetMinThreads(out var workers, out var ports);
            ThreadPool.SetMinThreads(workers - 1, ports);
        }
    }

    [LoggerMessage(EventId = 3001, Level = LogLevel.Warning, Message = "Decoding a {Format} of {Width} x {Height} pixels was given up after {Seconds} s; {Lost} such decodes are running, {MostLost} may")]
    private static partial void LogGivenUp(ILogger logger, string format, int width, int height, double seconds, int lost, int mostLost);

    [LoggerMessage(EventId = 3002, Level = LogLevel.Critical, Message = "{Lost} decodes do not end: the service stops and must be started anew")]
    private static partial void LogSpent(ILogger logger, int lost);
}
