using System.Buffers;
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
    public Task<(GreyImage? Image, ImageRejection? Rejection)> DecodeAsync(ReadOnlyMemory<byte> bytes, ImageHeader header, int reduction)
    {
        var decoding = new Decoding(this, bytes, header, reduction);
        ThreadPool.UnsafeQueueUserWorkItem(decoding, preferLocal: false);
        return decoding.Task;
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
            WorkerThreads.Reserve(1);
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
    private void TakeBack()
    {
        lock (_lock)
        {
            _lost--;
            WorkerThreads.Release(1);
        }
    }

    /// <summary>One decode; its task ends with it, or when its time is up.</summary>
    private sealed class Decoding : TaskCompletionSource<(GreyImage? Image, ImageRejection? Rejection)>, IThreadPoolWorkItem
    {
        private const int Running = 0;
        private const int Ended = 1;
        private const int GivenUp = 2;

        private readonly DecodeWatchdog _watchdog;
        private readonly ReadOnlyMemory<byte> _bytes;
        private readonly ImageHeader _header;
        private readonly int _reduction;
        private readonly MemoryHandle _held;
        private readonly ITimer _clock;
        private int _state;

        public Decoding(DecodeWatchdog watchdog, ReadOnlyMemory<byte> bytes, ImageHeader header, int reduction)
        {
            (_watchdog, _bytes, _header, _reduction) = (watchdog, bytes, header, reduction);

            // The clock is set before the decode begins, and what is read is held before anybody could give it back.
            _held = bytes.Pin();
            _clock = watchdog._time.CreateTimer(static decoding => ((Decoding)decoding!).GiveUp(), this, watchdog._limit, Timeout.InfiniteTimeSpan);
        }

        public void Execute()
        {
            (GreyImage? Image, ImageRejection? Rejection) result = default;
            Exception? failure = null;
            try
            {
                var read = _watchdog._decode(_bytes.Span, _header, _reduction, out var image, out var rejection);
                result = read ? (image, null) : (null, rejection);
            }
#pragma warning disable CA1031 // It is its caller's to handle.
            catch (Exception e)
#pragma warning restore CA1031
            {
                failure = e;
            }

            _held.Dispose();
            _clock.Dispose();
            if (Interlocked.CompareExchange(ref _state, Ended, Running) == GivenUp)
            {
                // Nobody is left to hear of it.
                result.Image?.Dispose();
                _watchdog.TakeBack();
            }
            else if (failure is null)
            {
                // The request goes on with it on this thread, at once.
                SetResult(result);
            }
            else
            {
                SetException(failure);
            }
        }

        private void GiveUp()
        {
            if (Interlocked.CompareExchange(ref _state, GivenUp, Running) == Running)
            {
                _watchdog.GiveUp(_header);
                SetResult((null, null));
            }
        }
    }

    [LoggerMessage(EventId = 3301, Level = LogLevel.Warning, Message = "Decoding a {Format} of {Width} x {Height} pixels was given up after {Seconds} s; {Lost} such decodes are running, {MostLost} may")]
    private static partial void LogGivenUp(ILogger logger, string format, int width, int height, double seconds, int lost, int mostLost);

    [LoggerMessage(EventId = 3302, Level = LogLevel.Critical, Message = "{Lost} decodes do not end: the service stops and must be started anew")]
    private static partial void LogSpent(ILogger logger, int lost);
}
