using System.Numerics;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Admission;

/// <summary>
/// Divides the process's memory. First comes what the service needs at rest and for its connections; of the rest, uploads and
/// decoded pictures have a part each. They are apart because a picture waits for its part while it holds its upload: were they
/// one, all could wait for each other.
/// </summary>
internal sealed class MemoryBudget : IDisposable
{
    /// <summary>What a connection may need of the service while no request of it is let in: its own state, and a block to receive into.</summary>
    private const int PerConnection = (12 << 10) + ReceiveMemory.BlockSize;

    /// <summary>The runtime, the models and code (150 MiB, measured on Linux x64), and garbage; and a runner's tensors (4.5 MiB, measured).</summary>
    private const long AtRest = 176L << 20;
    private const long PerRunner = 6L << 20;

    /// <summary>
    /// What the server may have received of a request that the service has not yet read, in bytes. With a quarter of it a large
    /// photograph stops and starts so often that receiving it takes 3 ms of the processor more.
    /// </summary>
    public const int ServerBuffer = 256 << 10;

    /// <summary>The first buffer of an upload that does not say how long it is, in bytes.</summary>
    public const int FirstBuffer = 64 << 10;

    // Four of the largest tiles, as floating-point numbers in rented arrays; and candidates and faces of one picture.
    private const long Scratch = 8L << 20;
    private const long FixedScratch = 2L << 20;

    // The limiter counts in whole numbers of 32 bits.
    private const int Unit = 1 << 10;

    private readonly MemoryOptions _options;
    private readonly ConcurrencyLimiter _uploads;
    private readonly ConcurrencyLimiter _pictures;

    /// <exception cref="StartRefusedException">The limits of other sections do not fit into the ceiling.</exception>
    public MemoryBudget(
        IOptions<MemoryOptions> memory, IOptions<RequestOptions> requests, IOptions<ImageLimits> images, IOptions<BatchingOptions> batching,
        IOptions<CacheOptions> cache)
    {
        _options = memory.Value;
        Ceiling = _options.ResolvedMaxBytes;
        MaxConnections = requests.Value.MaxConnections == 0 ? (int)Math.Min(Ceiling / 16 / PerConnection, int.MaxValue) : requests.Value.MaxConnections;

        var atRest = AtRest + batching.Value.ResolvedRunners * PerRunner + (long)MaxConnections * PerConnection + cache.Value.MaxBytes;
        var upload = 2 * BufferFor(UploadReader.LongestJson(images.Value.MaxBytes)); // The document, and the text in it.
        var picture = images.Value.MaxHeldBytes + Scratch + FixedScratch;
        if (atRest + upload + picture > Ceiling)
        {
            throw new StartRefusedException(
                $"Memory:MaxBytes is {Ceiling >> 20} MiB{(_options.MaxBytes == 0 ? " (90 % of the container's or machine's memory)" : "")}, but {(atRest + upload + picture >> 20) + 1} MiB are needed: "
                + $"{atRest >> 20} for the service with its runners, connections and kept answers, {upload >> 20} for one upload of Images:MaxBytes, {picture >> 20} for one picture of Images:MaxHeldBytes. "
                + "Give it more memory, or lower these limits.");
        }

        // One of each always fits; of what is left, pictures have two thirds: a photograph is larger decoded than encoded.
        var left = Ceiling - atRest - upload - picture;
        UploadBytes = upload + left / 3;
        PictureBytes = picture + left - left / 3;
        _uploads = Limiter(UploadBytes);
        _pictures = Limiter(PictureBytes);
    }

    /// <summary>Most memory of the process, in bytes.</summary>
    public long Ceiling { get; }

    /// <summary>How many connections there may be.</summary>
    public int MaxConnections { get; }

    /// <summary>What uploads may hold together, in bytes.</summary>
    public long UploadBytes { get; }

    /// <summary>What pictures may hold together, in bytes, from the start of their decoding to their verdict.</summary>
    public long PictureBytes { get; }

    /// <summary>What uploads hold now, in bytes.</summary>
    public long UploadBytesHeld => UploadBytes / Unit * Unit - _uploads.GetStatistics()!.CurrentAvailablePermits * Unit;

    /// <summary>What pictures hold now, in bytes.</summary>
    public long PictureBytesHeld => PictureBytes / Unit * Unit - _pictures.GetStatistics()!.CurrentAvailablePermits * Unit;

    /// <summary>The array that takes in a body of this length, and a byte more to see that there is none.</summary>
    public static long BufferFor(long length) => (long)BitOperations.RoundUpToPowerOf2((ulong)length + 1);

    /// <summary>What an upload holds at first: its buffer, or its first one, and what the server has received of it.</summary>
    /// <param name="announced">Its length in bytes; null when it does not say.</param>
    public static long FirstHold(long? announced) =>
        announced is { } length ? Math.Max(BufferFor(length), FirstBuffer + Math.Min(ServerBuffer, BufferFor(length))) : FirstBuffer + ServerBuffer;

    /// <summary>Tells the collector of a ceiling that was set by hand; of a container's limit it knows by itself.</summary>
    public void TellCollector()
    {
        if (_options.MaxBytes > 0)
        {
            // The share that the runtime gives the heap in a container: 75 % of the limit, of which the ceiling is 90 %.
            AppContext.SetData("GCHeapHardLimit", (ulong)Ceiling / 6 * 5);
            GC.RefreshMemoryLimit();
        }
    }

    /// <summary>Takes memory for an upload, as far as there is any left.</summary>
    /// <returns>What was taken, which the caller disposes; null when there is too little left.</returns>
    public RateLimitLease? TryTakeForUpload(long bytes)
    {
        if (bytes > UploadBytes)
        {
            return null;
        }

        var lease = _uploads.AttemptAcquire(Units(bytes));
        if (lease.IsAcquired)
        {
            return lease;
        }

        lease.Dispose();
        return null;
    }

    /// <summary>What a picture will hold at most, in bytes.</summary>
    /// <param name="reduction">How many pixels of a side become one when it is decoded.</param>
    public static long CostOf(in ImageHeader header, int reduction)
    {
        var pixels = (long)ImageDecoder.Reduced(header.Width, reduction) * ImageDecoder.Reduced(header.Height, reduction);
        var decoding = header.HeldBytes + (header.Orientation == Orientation.Upright ? 1 : 2) * pixels;
        var searching = pixels + pixels / 3 * 4 + Math.Min(Scratch, 11 * pixels); // With its pyramid and the tiles cut from that.
        return Math.Max(decoding, searching) + FixedScratch;
    }

    /// <summary>Waits for a picture's memory; who came first has it first.</summary>
    /// <param name="cost">What <see cref="CostOf"/> said; at most <see cref="PictureBytes"/>.</param>
    /// <returns>What was taken, which the caller disposes when the picture is gone.</returns>
    public ValueTask<RateLimitLease> TakeForPictureAsync(long cost, CancellationToken aborted) => _pictures.AcquireAsync(Units(cost), aborted);

    public void Dispose()
    {
        _uploads.Dispose();
        _pictures.Dispose();
    }

    private static int Units(long bytes) => (int)((bytes + Unit - 1) / Unit);

    private static ConcurrencyLimiter Limiter(long bytes) => new(new ConcurrencyLimiterOptions
    {
        PermitLimit = (int)(bytes / Unit),
        QueueLimit = int.MaxValue, // Those who wait are bounded already: they are at work.
        QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
    });
}

/// <summary>What an upload has taken of the budget; it grows, and goes back as a whole. Used by one caller.</summary>
/// <param name="first">Owned from now on.</param>
/// <param name="bytes">How much that is.</param>
internal sealed class UploadHold(MemoryBudget memory, RateLimitLease first, long bytes) : IDisposable
{
    private List<RateLimitLease>? _more; // Few uploads grow.

    /// <summary>All that is held.</summary>
    public long Bytes { get; private set; } = bytes;

    /// <summary>Takes more, as far as there is any left.</summary>
    /// <param name="total">What is wanted altogether.</param>
    /// <returns>Whether as much is held now.</returns>
    public bool TryGrow(long total)
    {
        if (total > Bytes && memory.TryTakeForUpload(total - Bytes) is { } lease)
        {
            (_more ??= []).Add(lease);
            Bytes = total;
        }

        return total <= Bytes;
    }

    public void Dispose()
    {
        first.Dispose();
        _more?.ForEach(lease => lease.Dispose());
    }
}
