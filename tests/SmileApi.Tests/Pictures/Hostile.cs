using System.Buffers.Binary;
using System.Text;
using SmileApi.Imaging;

namespace SmileApi.Tests.Pictures;

/// <summary>
/// An upload that means no good, and what must become of it under the default <see cref="ImageLimits"/>: why it is refused, or null
/// when it is a picture all the same and is read.
/// </summary>
internal sealed record HostilePicture(string Name, byte[] Bytes, ImageProblem? Problem)
{
    public override string ToString() => Name;
}

/// <summary>What people and attackers send instead of a picture.</summary>
internal static class Hostile
{
    private static readonly byte[] s_jpeg = Make.Jpeg(64, 48, seed: 1);
    private static readonly byte[] s_png = Make.Png(64, 48, seed: 1);
    private static readonly byte[] s_webp = Make.WebP(64, 48, seed: 1);
    private static readonly byte[] s_separate = new JpegWriter(16, 16, Make.YCbCr(Make.Scene(1), 1, 1)) { Interleaved = false }.Encode();
    private static readonly byte[] s_zeros = PngWriter.Compress(new byte[100 << 20]);

    /// <summary>All that are small enough to be sent often.</summary>
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
        new("a JPEG 2000", [0, 0, 0, 12, .. "jP  \r\n"u8, 0x87, 0x0A, .. new byte[40]], ImageProblem.UnsupportedFormat),
        new("a JPEG XL", [0xFF, 0x0A, .. new byte[40]], ImageProblem.UnsupportedFormat),
        new("an icon that holds a PNG", [0, 0, 1, 0, 1, 0, 64, 48, 0, 0, 1, 0, 32, 0, 0, 0, 0, 0, 22, 0, 0, 0, .. s_png], ImageProblem.UnsupportedFormat),
        new("a PostScript program", "%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (r) file"u8.ToArray(), ImageProblem.UnsupportedFormat),
        new("a page of HTML", "<!DOCTYPE html><script>alert(1)</script>"u8.ToArray(), ImageProblem.UnsupportedFormat),
        new("a Windows program", [.. "MZ"u8, 0x90, 0, .. new byte[60]], ImageProblem.UnsupportedFormat),
        new("base64", Encoding.ASCII.GetBytes(Convert.ToBase64String(s_jpeg)), ImageProblem.UnsupportedFormat),

        new("a PDF that is a JPEG further on", [.. "%PDF-1.7\n1 0 obj\n<< /Filter /DCTDecode >>\nstream\n"u8, .. s_jpeg], ImageProblem.UnsupportedFormat),
        new("a GIF that is a script", "GIF89a/*\x0a\x00*/=1;alert(1)"u8.ToArray(), ImageProblem.UnsupportedFormat),
        new("a JPEG behind a blank", [(byte)' ', .. s_jpeg], ImageProblem.UnsupportedFormat),
        new("a JPEG without its first byte", s_jpeg[1..], ImageProblem.UnsupportedFormat),
        new("a PNG sent as text", [.. s_png.AsSpan(0, 4), 0x0A, 0x1A, 0x0A, .. s_png.AsSpan(8)], ImageProblem.UnsupportedFormat),
        new("a WebP in big-endian RIFF", [.. "RIFX"u8, .. s_webp.AsSpan(4)], ImageProblem.UnsupportedFormat),
        new("a PNG that begins like a JPEG", [0xFF, 0xD8, 0xFF, 0xE0, .. s_png.AsSpan(4)], ImageProblem.Truncated),
        new("a JPEG that begins like a PNG", [.. s_png.AsSpan(0, 8), .. s_jpeg.AsSpan(8)], ImageProblem.Truncated),
        new("a PNG that begins like a WebP", [.. s_webp.AsSpan(0, 12), .. s_png.AsSpan(12)], ImageProblem.Corrupt),

        new("the first half of a JPEG", Make.Truncated(s_jpeg), ImageProblem.Truncated),
        new("the first half of a progressive JPEG", Make.Truncated(Make.ProgressiveJpeg(64, 48, seed: 1)), ImageProblem.Truncated),
        new("the first half of a PNG", Make.Truncated(s_png), ImageProblem.Truncated),
        new("the first half of a WebP", Make.Truncated(s_webp), ImageProblem.Truncated),
        new("a JPEG without its last byte", s_jpeg[..^1], ImageProblem.Truncated),
        new("the first bytes of a JPEG, then zeros", [0xFF, 0xD8, 0xFF, .. new byte[4000]], ImageProblem.Truncated),
        new("a PNG with a chunk of 2 GB", PngWithChunkOf(0x7FFFFFFF), ImageProblem.Truncated),
        new("a PNG with a chunk of 4 GB", PngWithChunkOf(0xFFFFFFFF), ImageProblem.Truncated),

        new("a PNG with a header of 2 GB", [.. s_png.AsSpan(0, 8), 0x7F, 0xFF, 0xFF, 0xFF, .. s_png.AsSpan(12)], ImageProblem.Truncated),
        new("a JPEG with a segment longer than itself", Make.WithSegment(s_jpeg, 0xE1, [])[..4].Concat(new byte[] { 0xFF, 0xFF }).Concat(s_jpeg[2..]).ToArray(), ImageProblem.Truncated),
        new("a WebP of 4 GB by its first length", With(With(s_webp, 7, 0xFF), 6, 0xFF), ImageProblem.Truncated),
        new("a WebP of nothing", [.. "RIFF\u0004\0\0\0WEBP"u8], ImageProblem.Truncated),

        new("a PNG of 30000 x 30000", Make.PngClaiming(30000, 30000), ImageProblem.TooLarge),
        new("a PNG of two thousand million pixels a side", Make.PngClaiming(int.MaxValue, int.MaxValue), ImageProblem.TooLarge),
        new("a progressive JPEG of 30000 x 30000", Make.ProgressiveJpegClaiming(30000, 30000), ImageProblem.TooLarge),
        new("a progressive JPEG of 49 million pixels", Make.ProgressiveJpegClaiming(7000, 7000), ImageProblem.TooLarge),
        new("an interlaced 16-bit PNG of 24 million pixels", InterlacedPngClaiming(4900, 4900), ImageProblem.TooLarge),
        new("a baseline JPEG of 30000 x 30000", Make.Claiming(s_jpeg, 30000, 30000), ImageProblem.TooLarge),
        new("a JPEG of 65500 x 1", Make.Claiming(s_jpeg, 65500, 1), ImageProblem.TooLarge),
        new("a WebP of 16777216 x 16777216", Riff.File(Riff.Extended(0, 1 << 24, 1 << 24), Riff.PictureChunks(s_webp)), ImageProblem.TooLarge),
        new("a WebP of ten million pixels a byte", LosslessWebPClaiming(16384, 16384), ImageProblem.TooLarge),
        new("a PNG of 100000 x 1", Make.PngClaiming(100_000, 1), ImageProblem.TooLarge),
        new("a PNG of 1 x 2147483647", Make.PngClaiming(1, int.MaxValue), ImageProblem.TooLarge),
        new("a PNG of 400 million black or white pixels", PngClaimingDepth(20_000, 20_000, 1), ImageProblem.TooLarge),
        new("a JPEG of 65535 x 65535", Make.Claiming(s_jpeg, 65535, 65535), ImageProblem.TooLarge),
        new("a lossy WebP of 16383 x 16383", LossyWebPClaiming(16383, 16383), ImageProblem.TooLarge),
        new("an animation of 16384 x 16384", Riff.File(Riff.Extended(0x02, 16384, 16384), Riff.Chunk("ANIM", 0, 0, 0, 0, 0, 0), Riff.Frame(s_webp, 64, 48)), ImageProblem.TooLarge),
        new("a JPEG of 49 million pixels with a scan for each colour", Make.Claiming(s_separate, 7000, 7000), ImageProblem.TooLarge),
        new("a JPEG of 49 million pixels in four inks", Make.Claiming(WithProgressiveInks(), 7000, 7000), ImageProblem.TooLarge),
        new("a JPEG that passes 97 times over 67 million pixels", ManyPasses(8184, 1, 98), ImageProblem.TooLarge),
        new("a JPEG that passes 98 times over four inks", ManyPasses(4088, 4, 98), ImageProblem.TooLarge),
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

        new("a PNG of no height", Make.PngClaiming(64, 0), ImageProblem.Corrupt),
        new("a WebP of no width", LossyWebPClaiming(0, 48), ImageProblem.Corrupt),
        new("a WebP of no height", LossyWebPClaiming(64, 0), ImageProblem.Corrupt),
        new("a PNG of 3 bits a sample", PngClaimingDepth(9, 9, 3), ImageProblem.Corrupt),
        new("a PNG of 255 bits a sample in seven passes", [.. s_png.AsSpan(0, 8), .. PngWriter.Header(9, 9, 255, 6, interlaced: true), .. s_png.AsSpan(33)], ImageProblem.Corrupt),
        new("a PNG with a palette of 16 bits", [.. s_png.AsSpan(0, 8), .. PngWriter.Header(9, 9, 16, 3, false), .. s_png.AsSpan(33)], ImageProblem.Corrupt),
        new("a PNG whose palette is missing", [.. s_png.AsSpan(0, 8), .. PngWriter.Header(9, 9, 8, 3, false), .. PngWriter.Chunk("IDAT", PngWriter.Compress(new byte[500])), .. PngWriter.Chunk("IEND", [])], ImageProblem.Corrupt),
        new("a PNG whose header has a wrong checksum", With(s_png, 32, (byte)(s_png[32] ^ 1)), ImageProblem.Corrupt),
        new("a PNG with fewer rows than it says", PngWithData(PngWriter.Compress(new byte[5 * 257])), ImageProblem.Corrupt),
        new("a JPEG without quantisation tables", Without(s_jpeg, 0xDB), ImageProblem.Corrupt),
        new("a JPEG whose scan names a component that is not there", With(s_jpeg, Make.FirstScan(s_jpeg) + 5, 77), ImageProblem.Corrupt),
        new("a JPEG that samples a colour five times", With(s_jpeg, Make.FrameHeader(s_jpeg) + 11, 0x55), ImageProblem.Corrupt),
        new("a JPEG that never samples a colour", With(s_jpeg, Make.FrameHeader(s_jpeg) + 11, 0x00), ImageProblem.Corrupt),
        new("a JPEG with a frame header of two bytes", [0xFF, 0xD8, 0xFF, 0xC0, 0, 4, 8, 0, .. s_jpeg.AsSpan(2)], ImageProblem.Corrupt),
        new("a WebP whose chunk is longer than itself", With(With(s_webp, 19, 0xFF), 18, 0xFF), ImageProblem.Corrupt),
        new("an animation without a frame", Riff.File(Riff.Extended(0x02, 64, 48), Riff.Chunk("ANIM", 0, 0, 0, 0, 0, 0)), ImageProblem.Corrupt),
        new("an animation whose frame lies outside", Riff.File(Riff.Extended(0x02, 64, 48), Riff.Chunk("ANIM", 0, 0, 0, 0, 0, 0), Riff.Frame(s_webp, 64, 48, left: 60, top: 60)), ImageProblem.Corrupt),
        new("an animation in an animation in an animation", NestedAnimation(50), ImageProblem.Corrupt),

        new("a lossless JPEG", WithFrameMarker(0xC3), ImageProblem.UnsupportedVariant),
        new("an arithmetic-coded JPEG", WithFrameMarker(0xC9), ImageProblem.UnsupportedVariant),
        new("a 12-bit JPEG", With(s_jpeg, Make.FrameHeader(s_jpeg) + 4, 12), ImageProblem.UnsupportedVariant),
        new("a JPEG of two components", With(s_jpeg, Make.FrameHeader(s_jpeg) + 9, 2), ImageProblem.UnsupportedVariant),
        new("a JPEG of 255 components", With(s_jpeg, Make.FrameHeader(s_jpeg) + 9, 255), ImageProblem.UnsupportedVariant),
        new("a 16-bit JPEG", With(s_jpeg, Make.FrameHeader(s_jpeg) + 4, 16), ImageProblem.UnsupportedVariant),
        new("a hierarchical JPEG", WithFrameMarker(0xC5), ImageProblem.UnsupportedVariant),

        new("a JPEG that is a ZIP archive as well", [.. s_jpeg, .. "PK\u0003\u0004"u8, .. new byte[40], .. "PK\u0005\u0006"u8, .. new byte[18]], null),
        new("a PNG with a page of HTML behind it", [.. s_png, .. "<script>alert(1)</script>"u8], null),
        new("a WebP with a program behind it", [.. s_webp, .. "#!/bin/sh\nid\n"u8], null),
        new("a JPEG with a script in its comment", Make.WithSegment(s_jpeg, 0xFE, "<?php system($_GET['c']); ?>"u8.ToArray()), null),
        new("a JPEG with a JPEG of 30000 x 30000 in its EXIF", Make.WithSegment(s_jpeg, 0xE1, [.. "Exif\0\0"u8, .. Make.ExifTiff(1, true), .. Make.ProgressiveJpegClaiming(30000, 30000)]), null),
        new("a JPEG whose EXIF directory begins at itself and never ends", Make.WithSegment(s_jpeg, 0xE1, [.. "Exif\0\0II*\0"u8, 8, 0, 0, 0, 0xFF, 0xFF, .. Enumerable.Repeat((byte)8, 4000)]), null),
        new("a PNG with a PNG in a chunk", WithPngChunk("prIV", s_png), null),
        new("a PNG with a text that unfolds to 100 MB", WithPngChunk("zTXt", [.. "Comment\0\0"u8, .. s_zeros]), null),
        new("a PNG with a colour profile that unfolds to 100 MB", WithPngChunk("iCCP", [.. "profile\0\0"u8, .. s_zeros]), null),
        new("a PNG with 20000 empty chunks", [.. s_png.AsSpan(0, 33), .. Enumerable.Repeat(PngWriter.Chunk("prIV", []), 20_000).SelectMany(c => c), .. s_png.AsSpan(33)], null),
        new("an animated PNG of 1000 frames", AnimatedPng(1000), null),
        new("an animation of 1000 frames", Riff.File([Riff.Extended(0x02, 64, 48), Riff.Chunk("ANIM", 0, 0, 0, 0, 0, 0), .. Enumerable.Repeat(Riff.Frame(s_webp, 64, 48), 1000)]), null),
    ];

    /// <summary>Too large to be sent often; made when asked for.</summary>
    public static IEnumerable<HostilePicture> Huge()
    {
        // Segments of 64 KB, as many as it takes.
        var segment = Make.WithSegment([0xFF, 0xD8], 0xE1, new byte[65_533])[2..];
        yield return new("a JPEG with metadata of 100 MB", [0xFF, 0xD8, .. Enumerable.Repeat(segment, 1600).SelectMany(s => s), .. s_jpeg.AsSpan(2)], ImageProblem.TooManyBytes);
        yield return new("a PNG with a text of 100 MB", WithPngChunk("tEXt", [.. "Comment\0"u8, .. new byte[100 << 20]]), ImageProblem.TooManyBytes);
        yield return new("a WebP with EXIF of 100 MB", Riff.File(Riff.Extended(0x08, 64, 48), Riff.PictureChunks(s_webp), Riff.Chunk("EXIF", new byte[100 << 20])), ImageProblem.TooManyBytes);
        yield return new("a JPEG with metadata of 15 MB", [0xFF, 0xD8, .. Enumerable.Repeat(segment, 240).SelectMany(s => s), .. s_jpeg.AsSpan(2)], null);
    }

    /// <summary>Pictures of each kind, cut off before and inside every segment and chunk.</summary>
    public static IEnumerable<HostilePicture> CutAtBoundaries()
    {
        var extended = Riff.File(Riff.Extended(0x08, 64, 48), Riff.PictureChunks(s_webp), Riff.Chunk("EXIF", Make.ExifTiff(6, false)));
        return
        [
            .. Cut("a JPEG", Make.WithExifOrientation(s_jpeg, 6), Segments),
            .. Cut("a progressive JPEG", Make.ProgressiveJpeg(64, 48, seed: 1), Segments),
            .. Cut("a PNG", new PngWriter(9, 9, PngColour.Palette, 8, (x, y, _) => x + y & 15) { Palette = new byte[48], Transparency = [9], Extra = PngWriter.Chunk("eXIf", Make.ExifTiff(6, true)) }.Encode(), PngChunks),
            .. Cut("a lossy WebP", s_webp, RiffChunks),
            .. Cut("a lossless WebP", Make.WebP(64, 48, seed: 1, lossless: true), RiffChunks),
            .. Cut("an extended WebP", extended, RiffChunks),
            .. Cut("an animation", Make.AnimatedWebP(64, 48, seed: 1, nextSeed: 2), RiffChunks),
        ];

        static IEnumerable<HostilePicture> Cut(string kind, byte[] whole, Func<byte[], IEnumerable<int>> boundaries) =>
            from boundary in boundaries(whole)
            where boundary < whole.Length
            select new HostilePicture($"{kind} of {whole.Length} bytes cut off at {boundary}", whole[..boundary], ImageProblem.Truncated);
    }

    private static IEnumerable<int> Segments(byte[] jpeg)
    {
        for (var at = 2; at + 1 < jpeg.Length;)
        {
            if (jpeg[at] != 0xFF || jpeg[at + 1] is 0x00 or >= 0xD0 and <= 0xD7)
            {
                at++; // The data of a scan.
                continue;
            }

            // After two bytes nobody can know a JPEG.
            foreach (var boundary in new[] { at, at + 1, at + 2, at + 3, at + 4 }.Where(boundary => boundary > 2))
            {
                yield return boundary;
            }

            at += jpeg[at + 1] == 0xD9 ? 2 : 2 + BinaryPrimitives.ReadUInt16BigEndian(jpeg.AsSpan(at + 2));
        }
    }

    private static IEnumerable<int> PngChunks(byte[] png)
    {
        for (var at = 8; at < png.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at));
            foreach (var boundary in new[] { at, at + 4, at + 8, at + 8 + length })
            {
                yield return boundary;
            }

            at += 12 + length;
        }
    }

    private static IEnumerable<int> RiffChunks(byte[] riff)
    {
        for (var at = 12; at < riff.Length;)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(riff.AsSpan(at + 4));
            foreach (var boundary in new[] { at, at + 4, at + 8 })
            {
                yield return boundary;
            }

            at += 8 + length + length % 2;
        }
    }

    /// <summary>A lossless WebP of one colour: 28 bytes, whatever its size.</summary>
    public static byte[] LosslessWebPClaiming(int width, int height)
    {
        var size = (uint)(width - 1) | (uint)(height - 1) << 14;
        return Riff.File(Riff.Chunk("VP8L", 0x2F, (byte)size, (byte)(size >> 8), (byte)(size >> 16), (byte)(size >> 24), 0x88, 0x88, 0x08));
    }

    /// <summary>A lossy WebP whose key frame claims this size.</summary>
    private static byte[] LossyWebPClaiming(int width, int height)
    {
        byte[] result = [.. s_webp];
        BinaryPrimitives.WriteUInt16LittleEndian(result.AsSpan(26), (ushort)width);
        BinaryPrimitives.WriteUInt16LittleEndian(result.AsSpan(28), (ushort)height);
        return result;
    }

    private static byte[] NestedAnimation(int depth)
    {
        var inner = Riff.PictureChunks(s_webp);
        for (var i = 0; i < depth; i++)
        {
            inner = Riff.Frame(Riff.File(Riff.Chunk("ALPH", inner)), 64, 48);
        }

        return Riff.File(Riff.Extended(0x02, 64, 48), Riff.Chunk("ANIM", 0, 0, 0, 0, 0, 0), inner);
    }

    private static byte[] AnimatedPng(int frames)
    {
        byte[] control = [0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 10, 0, 0];
        var following = Enumerable.Range(1, frames).SelectMany(i =>
            (byte[])[.. PngWriter.Chunk("fcTL", [.. Number(2 * i - 1), .. control.AsSpan(4)]), .. PngWriter.Chunk("fdAT", [.. Number(2 * i), .. PngWriter.Compress(new byte[48 * 257])])]);
        return
        [
            .. s_png.AsSpan(0, 33), .. PngWriter.Chunk("acTL", [.. Number(frames), 0, 0, 0, 0]), .. PngWriter.Chunk("fcTL", control),
            .. s_png.AsSpan(33, s_png.Length - 33 - 12), .. following, .. PngWriter.Chunk("IEND", []),
        ];

        static byte[] Number(int value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];
    }

    private static byte[] WithPngChunk(string type, byte[] payload) => [.. s_png.AsSpan(0, 33), .. PngWriter.Chunk(type, payload), .. s_png.AsSpan(33)];

    private static byte[] WithProgressiveInks() => new JpegWriter(16, 16, [.. Enumerable.Repeat(new JpegComponent((_, _) => 128), 4)]) { Progressive = true, AdobeTransform = 0 }.Encode();

    /// <summary>A JPEG with all its segments of one kind taken out of its head.</summary>
    public static byte[] Without(byte[] jpeg, byte marker)
    {
        var (result, scan) = (new List<byte> { 0xFF, 0xD8 }, Make.FirstScan(jpeg));
        for (var at = 2; at < scan;)
        {
            var length = 2 + BinaryPrimitives.ReadUInt16BigEndian(jpeg.AsSpan(at + 2));
            result.AddRange(jpeg[at + 1] == marker ? [] : jpeg.AsSpan(at, length));
            at += length;
        }

        return [.. result, .. jpeg.AsSpan(scan)];
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

    /// <summary>
    /// A grey or CMYK progressive JPEG of which each scan, of some sixty bytes, passes over every coefficient of a component: one code
    /// says for 32,767 blocks that nothing of them changes, and the decoder must look at all of them to know that.
    /// </summary>
    public static byte[] ManyPasses(int side, int components, int scans)
    {
        var blocks = (side + 7) / 8 * ((side + 7) / 8);
        var output = new List<byte> { 0xFF, 0xD8 };
        Segment(0xDB, [0, .. Enumerable.Repeat((byte)1, 64)]);
        Segment(0xC2,
        [
            8, (byte)(side >> 8), (byte)side, (byte)(side >> 8), (byte)side, (byte)components,
            .. Enumerable.Range(1, components).SelectMany(c => new byte[] { (byte)c, 0x11, 0 }),
        ]);

        // One code a table, of one bit: a difference of zero, and a run of 2^14 blocks and more, whose fourteen further bits say how many.
        Segment(0xC4, [0x00, 1, .. new byte[15], 0x00]);
        Segment(0xC4, [0x10, 1, .. new byte[15], 0xE0]);
        Segment(0xDA, [(byte)components, .. Enumerable.Range(1, components).SelectMany(c => new byte[] { (byte)c, 0x00 }), 0, 0, 0]);
        output.AddRange(new byte[(blocks * components + 7) / 8]);
        var run = "0" + new string('1', 14);
        var bits = string.Concat(Enumerable.Repeat(run, (blocks + 32766) / 32767));
        var scan = Enumerable.Range(0, bits.Length / 8).SelectMany(
            i => Convert.ToByte(bits.Substring(8 * i, 8), 2) is 0xFF ? new byte[] { 0xFF, 0x00 } : [Convert.ToByte(bits.Substring(8 * i, 8), 2)]).ToArray();
        for (var i = 0; i < scans; i++)
        {
            Segment(0xDA, [1, (byte)(i % components + 1), 0x00, 1, 63, 0x10]);
            output.AddRange(scan);
        }

        return [.. output, 0xFF, 0xD9];

        void Segment(byte marker, byte[] payload) =>
            output.AddRange([0xFF, marker, (byte)((payload.Length + 2) >> 8), (byte)(payload.Length + 2), .. payload]);
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

    private static byte[] PngClaimingDepth(int width, int height, int depth) =>
        [.. s_png.AsSpan(0, 8), .. PngWriter.Header(width, height, depth, 0, false), .. PngWriter.Chunk("IDAT", PngWriter.Compress(new byte[500])), .. PngWriter.Chunk("IEND", [])];

    private static byte[] PngOfColour(int colour) =>
    [
        .. s_png.AsSpan(0, 8), .. PngWriter.Header(9, 9, 8, colour, false), .. PngWriter.Chunk("IDAT", PngWriter.Compress(new byte[500])),
        .. PngWriter.Chunk("IEND", []),
    ];
}
