using System.Diagnostics.CodeAnalysis;

namespace SmileApi.Imaging;

/// <summary>The accepted formats.</summary>
public enum ImageFormat
{
    /// <summary>JPEG (ITU T.81), Huffman-coded, 8 bits a sample.</summary>
    Jpeg,

    /// <summary>PNG (W3C), any colour type and depth.</summary>
    Png,

    /// <summary>WebP (RFC 9649), lossy or lossless; the first frame of an animation.</summary>
    WebP,
}

/// <summary>Names of the formats.</summary>
public static class ImageFormats
{
    /// <summary>As it stands in answers and metrics: <c>jpeg</c>, <c>png</c> or <c>webp</c>.</summary>
    public static string Name(this ImageFormat format) => format switch
    {
        ImageFormat.Jpeg => "jpeg",
        ImageFormat.Png => "png",
        ImageFormat.WebP => "webp",
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>As people write it: <c>JPEG</c>, <c>PNG</c> or <c>WebP</c>.</summary>
    internal static string Title(this ImageFormat format) => format == ImageFormat.WebP ? "WebP" : format.Name().ToUpperInvariant();
}

/// <summary>What a picture says of itself, read in managed code without decoding a pixel.</summary>
/// <param name="Format">The format, known by its magic bytes.</param>
/// <param name="Width">Stored width in pixels, at least 1, before any rotation.</param>
/// <param name="Height">Stored height in pixels, at least 1, before any rotation.</param>
/// <param name="HeldBytesPerPixel">
/// What decoding holds in memory at once, for each pixel; 0 when it is a few rows only, as with baseline JPEG.
/// </param>
/// <param name="Scans">Passes over the picture's coefficients: 1, or the number of scans of a multi-scan JPEG.</param>
/// <param name="Components">Colour components of a JPEG (1 grey, 3 colour, 4 CMYK); 0 for other formats.</param>
/// <param name="Orientation">EXIF orientation; <see cref="Orientation.Upright"/> when the picture has none.</param>
/// <param name="Passes">
/// How often decoding passes over the whole picture: 1, or for a multi-scan JPEG the sum of what each scan passes over. Those of
/// ordinary encoders have 3 to 4.
/// </param>
public readonly record struct ImageHeader(
    ImageFormat Format, int Width, int Height, double HeldBytesPerPixel = 0, int Scans = 1, int Components = 0, Orientation Orientation = Orientation.Upright,
    double Passes = 1)
{
    /// <summary>Memory that decoding holds at once, in bytes; what the decoder gives away along the way is not counted.</summary>
    public long HeldBytes => (long)((double)Width * Height * HeldBytesPerPixel);

    /// <summary>Width of the picture as a person sees it, in pixels.</summary>
    public int UprightWidth => Orientation.SwapsSides() ? Height : Width;

    /// <summary>Height of the picture as a person sees it, in pixels.</summary>
    public int UprightHeight => Orientation.SwapsSides() ? Width : Height;

    /// <summary>Knows a picture by its magic bytes and reads its header.</summary>
    /// <param name="bytes">The encoded picture, whole.</param>
    /// <param name="header">The header, when the result is true.</param>
    /// <param name="rejection">Why there is none, when the result is false.</param>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out ImageHeader header, [NotNullWhen(false)] out ImageRejection? rejection)
    {
        header = default;
        if (bytes.IsEmpty)
        {
            rejection = new(ImageProblem.Empty, "There is no picture: the upload is empty.");
            return false;
        }

        rejection = bytes switch
        {
            [0xFF, 0xD8, 0xFF, ..] => JpegHeader.Read(bytes, out header),
            [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => PngHeader.Read(bytes, out header),
            [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] => WebPHeader.Read(bytes, out header),
            _ => new(ImageProblem.UnsupportedFormat, $"The upload is not a JPEG, PNG or WebP picture{Resemblance(bytes)}."),
        };
        return rejection is null;
    }

    internal static ImageRejection Truncated(ImageFormat format) =>
        new(ImageProblem.Truncated, $"The {format.Title()} picture is cut off: it ends before its last pixel. Send the whole file.");

    internal static ImageRejection Corrupt(ImageFormat format, string what) =>
        new(ImageProblem.Corrupt, $"The {format.Title()} picture is damaged: {what}.");

    // A person who sent the wrong file is helped by hearing what it is.
    private static string Resemblance(ReadOnlySpan<byte> bytes)
    {
        var start = bytes[..Math.Min(bytes.Length, 256)].TrimStart(" \t\r\n\uFEFF"u8);
        var kind =
            start.StartsWith("GIF8"u8) ? "a GIF"
            : start.StartsWith("BM"u8) ? "a BMP"
            : start.StartsWith("II*\0"u8) || start.StartsWith("MM\0*"u8) ? "a TIFF"
            : start.StartsWith("%PDF"u8) ? "a PDF"
            : start.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]) ? "gzip; send the picture uncompressed"
            : start.StartsWith("PK"u8) ? "a ZIP archive or an office document"
            : start.Length > 12 && start[4..].StartsWith("ftyphe"u8) || start.Length > 12 && start[4..].StartsWith("ftypmif"u8) ? "an HEIC photograph"
            : start.Length > 12 && start[4..].StartsWith("ftypavif"u8) ? "an AVIF picture"
            : start.Length > 12 && start[4..].StartsWith("ftyp"u8) ? "a video"
            : start.StartsWith("<svg"u8) || start.IndexOf("<svg"u8) > 0 ? "an SVG drawing"
            : start.StartsWith("<"u8) ? "an HTML or XML text"
            : start.StartsWith("data:"u8) ? "a data URL; send it as JSON {\"image\": \"data:...\"}"
            : start.StartsWith("/9j/"u8) || start.StartsWith("iVBORw0KGgo"u8) || start.StartsWith("UklGR"u8)
                ? "a picture written as base64; send its bytes, or send it as JSON {\"image\": \"...\"}"
            : start.StartsWith("{"u8) ? "JSON; send it with Content-Type: application/json"
            : null;
        return kind is null ? "" : $"; it looks like {kind}";
    }
}
