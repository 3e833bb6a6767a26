using System.Text;
using SmileApi.Imaging;

namespace SmileApi.Tests.Pictures;

/// <summary>An upload that must be refused, and why, under the default <see cref="ImageLimits"/>.</summary>
internal sealed record HostilePicture(string Name, byte[] Bytes, ImageProblem Problem)
{
    public override string ToString() => Name;
}

/// <summary>What people and attackers send instead of a picture.</summary>
internal static class Hostile
{
    private static readonly byte[] s_jpeg = Make.Jpeg(64, 48, seed: 1);
    private static readonly byte[] s_png = Make.Png(64, 48, seed: 1);
    private static readonly byte[] s_webp = Make.WebP(64, 48, seed: 1);

    public static IReadOnlyList<HostilePicture> All { get; } =
    [
        new("nothing", [], ImageProblem.Empty),

        new("one zero byte", [0], ImageProblem.UnsupportedFormat),
        new("random bytes", Make.Noise(5000, seed: 1), ImageProblem.UnsupportedFormat),
        new("a text", "This is no picture.\n"u8.ToArray(), ImageProblem.UnsupportedFormat),
        new("a PDF", "%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"u8.ToArray(), ImageProblem.UnsupportedFormat),
        new("an SVG", "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"u8.ToArray(), ImageProblem.UnsupportedFormat),
        new("an SVG behind its declaration", "<?xml version='1.0'?>\n<svg width='30000' height='30000'/>"u8.ToArray(), ImageProblem.UnsupportedFormat),
        new("a GIF", [.. "GIF89a"u8, 1, 0, 1, 0, 0, 0, 0, (byte)';'], ImageProblem.UnsupportedFormat),
        new("a BMP", [.. "BM"u8, .. new byte[60]], ImageProblem.UnsupportedFormat),
        new("a TIFF", [.. "II*\0"u8, .. new byte[60]], ImageProblem.UnsupportedFormat),
        new("an HEIC photograph", [0, 0, 0, 24, .. "ftypheic\0\0\0\0mif1heic"u8], ImageProblem.UnsupportedFormat),
        new("an AVIF picture", [0, 0, 0, 24, .. "ftypavif\0\0\0\0mif1avif"u8], ImageProblem.UnsupportedFormat),
        new("a video", [0, 0, 0, 24, .. "ftypisom\0\0\0\0isomavc1"u8], ImageProblem.UnsupportedFormat),
        new("a sound", [.. "RIFF"u8, 36, 0, 0, 0, .. "WAVEfmt "u8, .. new byte[28]], ImageProblem.UnsupportedFormat),
        new("a ZIP archive", [.. "PK\u0003\u0004"u8, .. new byte[30]], ImageProblem.UnsupportedFormat),
        new("JSON", "{\"image\": \"\"}"u8.ToArray(), ImageProblem.UnsupportedFormat),
        new("a data URL", Encoding.ASCII.GetBytes("data:image/png;base64," + Convert.ToBase64String(s_png)), ImageProblem.UnsupportedFormat),
        new("base64", Encoding.ASCII.GetBytes(Convert.ToBase64String(s_jpeg)), ImageProblem.UnsupportedFormat),

        new("the first half of a JPEG", Make.Truncated(s_jpeg), ImageProblem.Truncated),
        new("the first half of a progressive JPEG", Make.Truncated(Make.ProgressiveJpeg(64, 48, seed: 1)), ImageProblem.Truncated),
        new("the first half of a PNG", Make.Truncated(s_png), ImageProblem.Truncated),
        new("the first half of a WebP", Make.Truncated(s_webp), ImageProblem.Truncated),
        new("a JPEG without its last byte", s_jpeg[..^1], ImageProblem.Truncated),
        new("the first bytes of a JPEG, then zeros", [0xFF, 0xD8, 0xFF, .. new byte[4000]], ImageProblem.Truncated),
        new("a PNG with a chunk of 2 GB", PngWithChunkOf(0x7FFFFFFF), ImageProblem.Truncated),
        new("a PNG with a chunk of 4 GB", PngWithChunkOf(0xFFFFFFFF), ImageProblem.Truncated),

        new("a PNG of 30000 x 30000", Make.PngClaiming(30000, 30000), ImageProblem.TooLarge),
        new("a PNG of two thousand million pixels a side", Make.PngClaiming(int.MaxValue, int.MaxValue), ImageProblem.TooLarge),
        new("a progressive JPEG of 30000 x 30000", Make.ProgressiveJpegClaiming(30000, 30000), ImageProblem.TooLarge),
        new("a progressive JPEG of 49 million pixels", Make.ProgressiveJpegClaiming(7000, 7000), ImageProblem.TooLarge),
        new("an interlaced 16-bit PNG of 24 million pixels", InterlacedPngClaiming(4900, 4900), ImageProblem.TooLarge),
        new("a baseline JPEG of 30000 x 30000", Make.Claiming(s_jpeg, 30000, 30000), ImageProblem.TooLarge),
        new("a JPEG of 65500 x 1", Make.Claiming(s_jpeg, 65500, 1), ImageProblem.TooLarge),
        new("a WebP of 16777216 x 16777216", Riff.File(Riff.Extended(0, 1 << 24, 1 << 24), Riff.PictureChunks(s_webp)), ImageProblem.TooLarge),
        new("a WebP of ten million pixels a byte", LosslessWebPClaiming(16384, 16384), ImageProblem.TooLarge),
        new("a JPEG of 600 scans", ScanBomb([]), ImageProblem.TooLarge),
        new("a JPEG that hides its scans behind a bare marker", ScanBomb([0xFF, 0x01]), ImageProblem.TooLarge),
        new("a JPEG that hides its scans behind an impossible length", ScanBomb([0xFF, 0xFE, 0x00, 0x00]), ImageProblem.TooLarge),
        new("a JPEG that hides its scans behind an end in a comment", ScanBomb([0xFF, 0xFE, 0x00, 0x04, 0xFF, 0xD9]), ImageProblem.TooLarge),

        new("a JPEG of no width", Make.Claiming(s_jpeg, 0, 48), ImageProblem.Corrupt),
        new("a JPEG of no height", Make.Claiming(s_jpeg, 64, 0), ImageProblem.Corrupt),
        new("a PNG of no width", Make.PngClaiming(0, 48), ImageProblem.Corrupt),
        new("a PNG of negative height", Make.PngClaiming(64, -1), ImageProblem.Corrupt),
        new("a JPEG with two sizes", TwoFrameHeaders(), ImageProblem.Corrupt),
        new("a JPEG without a picture", [0xFF, 0xD8, 0xFF, 0xD9], ImageProblem.Corrupt),
        new("a JPEG with a marker that nobody knows", [0xFF, 0xD8, 0xFF, 0x7F, .. new byte[40]], ImageProblem.Corrupt),
        new("a JPEG whose scan comes before its size", [0xFF, 0xD8, .. s_jpeg.AsSpan(Make.FirstScan(s_jpeg))], ImageProblem.Corrupt),
        new("a PNG without a picture", [.. s_png.AsSpan(0, 8), .. PngWriter.Header(9, 9, 8, 0, false), .. PngWriter.Chunk("IEND", [])], ImageProblem.Corrupt),
        new("a PNG that begins with its end", [.. s_png.AsSpan(0, 8), .. PngWriter.Chunk("IEND", [])], ImageProblem.Corrupt),
        new("a PNG whose data are no data", PngWithData(Make.Noise(300, seed: 1)), ImageProblem.Corrupt),
        new("a PNG of an impossible colour type", PngOfColour(5), ImageProblem.Corrupt),
        new("a WebP whose canvas is larger than its picture", Riff.File(Riff.Extended(0, 100, 100), Riff.PictureChunks(s_webp)), ImageProblem.Corrupt),
        new("a WebP of unknown kind", Riff.File(Riff.Chunk("VP9 ", new byte[40])), ImageProblem.Corrupt),

        new("a lossless JPEG", WithFrameMarker(0xC3), ImageProblem.UnsupportedVariant),
        new("an arithmetic-coded JPEG", WithFrameMarker(0xC9), ImageProblem.UnsupportedVariant),
        new("a 12-bit JPEG", With(s_jpeg, Make.FrameHeader(s_jpeg) + 4, 12), ImageProblem.UnsupportedVariant),
        new("a JPEG of two components", With(s_jpeg, Make.FrameHeader(s_jpeg) + 9, 2), ImageProblem.UnsupportedVariant),
    ];

    /// <summary>A lossless WebP of one colour: 28 bytes, whatever its size.</summary>
    public static byte[] LosslessWebPClaiming(int width, int height)
    {
        var size = (uint)(width - 1) | (uint)(height - 1) << 14;
        return Riff.File(Riff.Chunk("VP8L", 0x2F, (byte)size, (byte)(size >> 8), (byte)(size >> 16), (byte)(size >> 24), 0x88, 0x88, 0x08));
    }

    private static byte[] With(byte[] bytes, int at, byte value)
    {
        byte[] result = [.. bytes];
        result[at] = value;
        return result;
    }

    private static byte[] WithFrameMarker(byte marker) => With(s_jpeg, Make.FrameHeader(s_jpeg) + 1, marker);

    private static byte[] TwoFrameHeaders()
    {
        var (frame, scan) = (Make.FrameHeader(s_jpeg), Make.FirstScan(s_jpeg));
        return [.. s_jpeg.AsSpan(0, scan), .. Make.Claiming(s_jpeg, 30, 30).AsSpan(frame, 19), .. s_jpeg.AsSpan(scan)];
    }

    /// <summary>A progressive JPEG that passes 600 times over its picture, the scans after the first behind <paramref name="cover"/>.</summary>
    private static byte[] ScanBomb(byte[] cover)
    {
        var jpeg = Make.ProgressiveJpeg(16, 16, seed: 1);
        byte[] scan = [0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 63, 0, 0x00];
        return [.. jpeg.AsSpan(0, jpeg.Length - 2), .. cover, .. Enumerable.Repeat(scan, 600).SelectMany(s => s), 0xFF, 0xD9];
    }

    private static byte[] PngWithChunkOf(uint length) =>
    [
        .. s_png.AsSpan(0, 33), (byte)(length >> 24), (byte)(length >> 16), (byte)(length >> 8), (byte)length, .. "IDAT"u8, .. new byte[5000],
    ];

    private static byte[] InterlacedPngClaiming(int width, int height) =>
    [
        .. s_png.AsSpan(0, 8), .. PngWriter.Header(width, height, 16, (int)PngColour.Rgba, interlaced: true),
        .. PngWriter.Chunk("IDAT", PngWriter.Compress(new byte[5000])), .. PngWriter.Chunk("IEND", []),
    ];

    private static byte[] PngWithData(byte[] data) =>
        [.. s_png.AsSpan(0, 33), .. PngWriter.Chunk("IDAT", data), .. PngWriter.Chunk("IEND", [])];

    private static byte[] PngOfColour(int colour) =>
    [
        .. s_png.AsSpan(0, 8), .. PngWriter.Header(9, 9, 8, colour, false), .. PngWriter.Chunk("IDAT", PngWriter.Compress(new byte[500])),
        .. PngWriter.Chunk("IEND", []),
    ];
}
