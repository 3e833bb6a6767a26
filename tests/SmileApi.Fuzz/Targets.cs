using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;
using SmileApi.Admission;
using SmileApi.Classify;
using SmileApi.Imaging;

namespace SmileApi.Fuzz;

/// <summary>What our own parsers must hold whatever they read. An exception is a finding.</summary>
internal static class Targets
{
    private static readonly ImageDecoder s_decoder = new(new ImageLimits(), useTurboJpeg: false);
    private static readonly UploadReader s_uploads = new(Options.Create(new ImageLimits { MaxBytes = 2048 }));

    public static Action<byte[]> Named(string name) => name switch
    {
        "picture" => Picture,
        "upload" => Upload,
        _ => throw new ArgumentException($"There is no target '{name}'; there are picture and upload."),
    };

    /// <summary>The readers of JPEG, PNG, WebP and EXIF headers, and the limits: never a native decoder.</summary>
    public static void Picture(byte[] bytes)
    {
        var known = ImageHeader.TryRead(bytes, out var header, out var rejection);
        Holds(known == rejection is null, "it is read or refused, not both");
        if (rejection is not null)
        {
            Holds(rejection.Detail.Length is > 20 and < 250 && rejection.Detail.EndsWith('.'), "a refusal is a sentence");
            return;
        }

        Holds(header is { Width: >= 1, Height: >= 1, Scans: >= 1, Components: 0 or 1 or 3 or 4 }, "a header tells of a picture");
        Holds(header.Components == 0 == (header.Format != ImageFormat.Jpeg), "only JPEG counts components");
        Holds(header.HeldBytesPerPixel is >= 0 and <= 12, "what is held is counted in a few bytes a pixel");
        Holds(header.Passes >= 0 && double.IsFinite(header.Passes), "passes can be counted");
        Holds(Enum.IsDefined(header.Orientation), "an orientation is one of eight");

        if (!s_decoder.TryInspect(bytes, out var inspected, out rejection))
        {
            Holds(rejection.Problem is ImageProblem.TooLarge or ImageProblem.TooManyBytes, "what can be read is refused for its size only");
            return;
        }

        Holds(inspected == header, "one file has one header");
        Holds(header.HeldBytes is >= 0 and <= 128 << 20, "no more is held than the limit");
    }

    /// <summary>
    /// The reader of requests: multipart, JSON, raw, and the query. The first line is the query, the second the content type, the
    /// first byte of the rest says in what pieces it arrives.
    /// </summary>
    public static void Upload(byte[] bytes)
    {
        var (query, afterQuery) = Line(bytes, 0);
        var (contentType, start) = Line(bytes, afterQuery);
        var pieces = start < bytes.Length ? bytes[start++] : 0;

        var isQuery = ClassifyQuery.TryRead(new QueryCollection(QueryHelpers.ParseQuery(query)), [], out var options, out var problem);
        Holds(isQuery == problem is null && isQuery == options is not null, "a query is read or refused, not both");
        Holds(options is null or { Threshold: null or (>= 0 and <= 1), Confidence: null or (>= 0 and <= 1), MinFace: null or (>= 1 and <= 65535), Limit: >= 1 and <= 1000 }, "an option lies in its range");

        var request = new DefaultHttpContext().Request;
        request.ContentType = contentType;
        request.Body = new Pieces(bytes[start..], 1 + pieces);
        request.ContentLength = pieces % 2 == 0 ? bytes.Length - start : null;
        var reading = s_uploads.ReadAsync(request, new Boundless(), CancellationToken.None).AsTask();
        Holds(reading.IsCompleted, "nothing waits where all has arrived");
        var (upload, refused) = reading.Result;
        using (upload)
        {
            Holds(upload is null != refused is null, "an upload is read or refused, not both");
            Holds(upload is null || upload.Bytes.Length is >= 1 and <= 2048, "an upload has a byte and no more than the limit");
            Holds(refused is null || refused.Kind.Status is 400 or 413, "a refusal is the sender's fault");
        }
    }

    private static (string Text, int Next) Line(byte[] bytes, int start)
    {
        var end = Array.IndexOf(bytes, (byte)'\n', Math.Min(start, bytes.Length));
        end = end < 0 ? bytes.Length : end;
        return (Encoding.Latin1.GetString(bytes.AsSpan(start, end - start)), Math.Min(end + 1, bytes.Length));
    }

    private static void Holds(bool fact, string what)
    {
        if (!fact)
        {
            throw new InvalidOperationException($"It does not hold that {what}.");
        }
    }

    /// <summary>A body that arrives some bytes at a time.</summary>
    private sealed class Pieces(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, size)]);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            Task.FromResult(Read(buffer.AsSpan(offset, count)));
    }

    /// <summary>Memory enough for any upload.</summary>
    private sealed class Boundless : IUploadRoom
    {
        public ValueTask<Problem?> HoldAsync(long bytes, CancellationToken aborted) => default;
    }
}
