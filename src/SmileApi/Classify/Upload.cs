using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using SmileApi.Admission;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary>
/// The bytes of one picture, in rented memory; dispose it after their last use. Who reads on, as a decode that was given up does,
/// pins them: the memory is the next one's only when it has been disposed and nobody pins it any more.
/// </summary>
/// <param name="rented">Owned by the upload from now on.</param>
internal sealed class Upload(byte[] rented, int start, int length) : MemoryManager<byte>
{
    private int _users = 1; // Its owner, and everybody who pins it.
    private int _disposed;

    public ReadOnlyMemory<byte> Bytes => Memory;

    public override Span<byte> GetSpan() => rented.AsSpan(start, length);

    public override unsafe MemoryHandle Pin(int elementIndex = 0)
    {
        Interlocked.Increment(ref _users);
        var pin = GCHandle.Alloc(rented, GCHandleType.Pinned);
        return new MemoryHandle((byte*)pin.AddrOfPinnedObject() + start + elementIndex, pin, this);
    }

    public override void Unpin() => Leave();

    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            Leave();
        }
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            Arrays.Return(rented);
        }
    }
}

/// <summary>
/// Takes the picture out of a request: multipart and JSON by their content type, every other body as it is. Never stores
/// more than the limit, and nothing on disk.
/// </summary>
internal sealed class UploadReader(IOptions<ImageLimits> limits)
{
    // What may surround the picture: part headers and form fields, or the JSON around base64.
    private const int Envelope = 64 << 10;
    private const int MaxParts = 32;

    private readonly int _limit = limits.Value.MaxBytes;

    /// <param name="room">From which the memory of the body is taken.</param>
    /// <returns>The upload, which the caller disposes, or the problem with it.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<(Upload? Upload, Problem? Problem)> ReadAsync(HttpRequest request, IUploadRoom room, CancellationToken aborted)
    {
        using var stage = Stages.Read();
        var body = new BodyStream(request.BodyReader);

        // A content type that cannot be read is no reason to refuse a picture; its bytes decide.
        var mediaType = MediaTypeHeaderValue.TryParse(request.ContentType, out var contentType) ? contentType.MediaType : default;
        if (mediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase))
        {
            return await ReadMultipartAsync(body, request.ContentLength, HeaderUtilities.RemoveQuotes(contentType!.Boundary).ToString(), room, aborted);
        }

        if (mediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
        {
            var (upload, problem, _) = await ReadJsonAsync(body, request.ContentLength, room, aborted);
            return (upload, problem);
        }

        return await ReadBodyAsync(body, request.ContentLength, _limit, room, aborted);
    }

    /// <summary>Reads a picture that is all of a stream: a part of a batch.</summary>
    /// <returns>As <see cref="ReadAsync"/>.</returns>
    public ValueTask<(Upload? Upload, Problem? Problem)> ReadPictureAsync(Stream picture, IUploadRoom room, CancellationToken aborted) =>
        ReadBodyAsync(picture, length: null, _limit, room, aborted);

    /// <summary>Most bytes of a JSON document around a picture of so many bytes.</summary>
    public static int LongestJson(int pictureBytes) => (int)Math.Min(Base64.GetMaxEncodedToUtf8Length(pictureBytes) + (long)Envelope, Array.MaxLength);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<(Upload?, Problem?)> ReadMultipartAsync(
        Stream body, long? length, string boundary, IUploadRoom room, CancellationToken aborted)
    {
        if (boundary.Length is 0 or > 200)
        {
            return (null, NoBoundary);
        }

        if (length > (long)_limit + Envelope)
        {
            return (null, TooLarge());
        }

        var reader = new MultipartReader(boundary, body) { HeadersCountLimit = 16, HeadersLengthLimit = 8 << 10, BodyLengthLimit = (long)_limit + 1 };
        try
        {
            for (var part = 0; part < MaxParts && await reader.ReadNextSectionAsync(aborted) is { } section; part++)
            {
                if (IsPicture(section, out _))
                {
                    return await ReadBodyAsync(section.Body, length: null, _limit, room, aborted);
                }
            }
        }
        catch (InvalidDataException)
        {
            return (null, Malformed("A part of the multipart request is too long or not what RFC 7578 describes."));
        }
        catch (IOException e) when (e is not BadHttpRequestException && !aborted.IsCancellationRequested)
        {
            return (null, Malformed("The multipart request ends before its closing boundary."));
        }

        return (null, new Problem(ProblemKind.EmptyUpload, "The multipart request has no file part. Send the picture as a file called 'image'."));
    }

    /// <summary>Whether a part is a picture: a file, or called <c>image</c>.</summary>
    /// <param name="section">The part.</param>
    /// <param name="disposition">What it says of itself.</param>
    public static bool IsPicture(MultipartSection section, [NotNullWhen(true)] out ContentDispositionHeaderValue? disposition) =>
        ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out disposition)
        && (disposition.IsFileDisposition() || HeaderUtilities.RemoveQuotes(disposition.Name).Equals("image", StringComparison.Ordinal));

    /// <summary>Reads a JSON document <c>{"image": "…"}</c> that is all of a stream.</summary>
    /// <param name="length">Its bytes, if known.</param>
    /// <returns>As <see cref="ReadAsync"/>, and what the document calls the picture (<c>name</c>).</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<(Upload? Upload, Problem? Problem, string? Name)> ReadJsonAsync(
        Stream json, long? length, IUploadRoom room, CancellationToken aborted)
    {
        var (body, problem) = await ReadBodyAsync(json, length, LongestJson(_limit), room, aborted);
        if (body is null)
        {
            return (null, problem!.Kind == ProblemKind.EmptyUpload ? Malformed(JsonExpected) : problem, null);
        }

        using (body)
        {
            // The text in it is copied once, at most as long as the document.
            problem = await room.HoldAsync(MemoryBudget.BufferFor(body.Bytes.Length) * 2, aborted);
            return problem is null ? DecodeJson(body.Bytes.Span) : (null, problem, null);
        }
    }

    private const string JsonExpected = "The JSON body must be an object {\"image\": \"<base64>\"}.";

    private (Upload? Upload, Problem? Problem, string? Name) DecodeJson(ReadOnlySpan<byte> json)
    {
        // Some editors and Windows tools put a byte order mark in front.
        json = json.StartsWith("\uFEFF"u8) ? json[3..] : json;

        // Never longer than the document; the last of several wins, as with most JSON readers.
        var rented = Arrays.Rent<byte>(Math.Max(1, json.Length));
        var length = -1;
        string? name = null;
        Problem? malformed = null;
        try
        {
            var reader = new Utf8JsonReader(json);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                malformed = Malformed(JsonExpected);
            }

            // To the end, also behind the picture: half a document is an accident that its sender should hear of.
            while (malformed is null && reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1 && reader.ValueTextEquals("image"u8))
                {
                    reader.Read();
                    length = reader.TokenType == JsonTokenType.String ? reader.CopyString(rented) : -1;
                }
                else if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1 && reader.ValueTextEquals("name"u8))
                {
                    reader.Read();
                    name = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                }
            }
        }
        catch (JsonException e)
        {
            malformed = Malformed($"The body is not valid JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}).");
        }
        catch (InvalidOperationException)
        {
            malformed = Malformed("The JSON body is not valid UTF-8.");
        }

        if (malformed is not null || length < 0)
        {
            Arrays.Return(rented);
            return (null, malformed ?? Malformed($"{JsonExpected} It has no text called 'image'."), name);
        }

        var text = rented.AsSpan(0, length);
        var start = 0;
        if (text.StartsWith("data:"u8))
        {
            var comma = text.IndexOf((byte)',');
            if (comma < 0 || !text[..comma].EndsWith(";base64"u8))
            {
                Arrays.Return(rented);
                return (null, Malformed("The data URL in 'image' must be of the form data:image/png;base64,…"), name);
            }

            start = comma + 1;
        }

        var status = Base64.DecodeFromUtf8InPlace(text[start..], out var written);
        var problem =
            status != OperationStatus.Done ? Malformed("The text in 'image' is not base64 (RFC 4648, section 4, with padding).")
            : written > _limit ? TooLarge()
            : written == 0 ? Empty()
            : null;
        if (problem is null)
        {
            return (new Upload(rented, start, written), null, name);
        }

        Arrays.Return(rented);
        return (null, problem, name);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<(Upload?, Problem?)> ReadBodyAsync(
        Stream body, long? length, int limit, IUploadRoom room, CancellationToken aborted)
    {
        if (length > limit)
        {
            return (null, TooLarge());
        }

        // What was announced has been set aside at the door; else memory follows what has arrived.
        var buffer = Arrays.Rent<byte>((int)(length + 1 ?? MemoryBudget.FirstBuffer));
        var filled = 0;
        Problem? problem = null;
        try
        {
            while (true)
            {
                var space = buffer.AsMemory(filled, Math.Min(buffer.Length, limit + 1) - filled);
                var read = await body.ReadAsync(space, aborted);
                filled += read;
                if (read == 0 || filled > limit)
                {
                    break;
                }

                if (filled == buffer.Length)
                {
                    // By so much that a large photograph is copied three times, and not once for each doubling.
                    var larger = (int)Math.Min(4L * buffer.Length, Math.Max(limit + 1, buffer.Length + 1));
                    problem = await room.HoldAsync(MemoryBudget.BufferFor(larger - 1), aborted);
                    if (problem is not null)
                    {
                        break;
                    }

                    buffer = Grown(buffer, larger);
                }
            }
        }
        catch
        {
            Arrays.Return(buffer);
            throw;
        }

        problem ??= filled > limit ? TooLarge() : filled == 0 ? Empty() : null;
        if (problem is null)
        {
            return (new Upload(buffer, 0, filled), null);
        }

        Arrays.Return(buffer);
        return (null, problem);
    }

    private static byte[] Grown(byte[] full, int length)
    {
        var larger = Arrays.Rent<byte>(length);
        full.CopyTo(larger, 0);
        Arrays.Return(full);
        return larger;
    }

    /// <summary>The problem of a multipart request whose content type says too little of it.</summary>
    public static Problem NoBoundary => Malformed("The multipart request names no boundary of 1 to 200 characters. Let your HTTP library set the Content-Type header.");

    private static Problem Malformed(string detail) => new(ProblemKind.MalformedRequest, detail);

    private static Problem Empty() =>
        new(ProblemKind.EmptyUpload, "Send a JPEG, PNG or WebP picture: as the raw body, as a multipart file called 'image', or as JSON {\"image\": \"<base64>\"}.");

    private Problem TooLarge() => new(ProblemKind.UploadTooLarge, $"A picture may have at most {_limit:N0} bytes. Send it smaller or more compressed.");
}
