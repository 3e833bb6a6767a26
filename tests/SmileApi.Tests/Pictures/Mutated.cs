using System.Buffers.Binary;

namespace SmileApi.Tests.Pictures;

/// <summary>Real files, written by the encoders that the world uses, with something done to them: one number is always the same file.</summary>
internal static class Mutated
{
    private static readonly byte[][] s_files = [.. RealFiles()];

    // Where lengths, sides, counts and tables go wrong.
    private static readonly uint[] s_edges = [0, 1, 2, 7, 8, 16, 63, 64, 65, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF];

    /// <param name="number">Which one; there are two thousand million.</param>
    public static byte[] File(int number)
    {
        var random = new Random(number);
        byte[] bytes = [.. Any(random)];
        for (var changes = random.Next(1, 5); changes > 0 && bytes.Length > 0; changes--)
        {
            bytes = Change(bytes, random);
        }

        // A PNG's checksums keep every change from its decoder: most are made good again.
        return random.Next(4) == 0 ? bytes : PngWriter.WithChecksums(bytes);
    }

    private static byte[] Any(Random random) => s_files[random.Next(s_files.Length)];

    private static byte[] Change(byte[] bytes, Random random)
    {
        // Half of all changes where the structure is: at the front.
        var reach = random.Next(2) == 0 ? Math.Min(bytes.Length, 700) : bytes.Length;
        var at = random.Next(reach);
        var length = Math.Min(bytes.Length - at, 1 + (int)(Math.Pow(random.NextDouble(), 4) * 2000));
        switch (random.Next(9))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 1:
                bytes[at] = (byte)random.Next(256);
                return bytes;
            case 2:
                bytes[at] = (byte)s_edges[random.Next(12)];
                return bytes;
            case 3 when bytes.Length - at >= 2:
                BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at), (ushort)s_edges[random.Next(16)]);
                return bytes;
            case 4 when bytes.Length - at >= 4:
                var edge = s_edges[random.Next(s_edges.Length)];
                BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(at), random.Next(2) == 0 ? edge : BinaryPrimitives.ReverseEndianness(edge));
                return bytes;
            case 5: // Cut out.
                return [.. bytes.AsSpan(0, at), .. bytes.AsSpan(at + length)];
            case 6: // Repeated.
                return [.. bytes.AsSpan(0, at + length), .. bytes.AsSpan(at)];
            case 7: // Another file's in its place.
                var other = Any(random);
                var from = random.Next(other.Length);
                var taken = other.AsSpan(from, Math.Min(length, other.Length - from));
                return [.. bytes.AsSpan(0, at), .. taken, .. bytes.AsSpan(Math.Min(bytes.Length, at + taken.Length))];
            default: // Cut off.
                return random.Next(4) == 0 ? bytes[..at] : bytes;
        }
    }

    private static IEnumerable<byte[]> RealFiles()
    {
        yield return Repository.Sample("mean-smile.png");
        yield return Repository.Sample("mean-neutral.png");
        foreach (var (width, height) in new[] { (64, 48), (97, 130), (320, 240) })
        {
            var rgba = Make.Rgba(width, height, seed: width);
            var translucent = Make.Rgba(width, height, (x, y, _) => (byte)(7 * x + y));
            yield return Make.Jpeg(rgba, width, height);
            yield return Make.WithExifOrientation(Make.Jpeg(rgba, width, height, quality: 60), 6);
            yield return Make.ProgressiveJpeg(width, height, seed: width);
            yield return new JpegWriter(width, height, Make.YCbCr(Make.Scene(width), 2, 1)) { Interleaved = false, RestartInterval = 4 }.Encode();
            yield return Make.CmykJpeg(width, height, seed: width);
            yield return Make.Png(rgba, width, height);
            yield return Make.Png(translucent, width, height);
            yield return new PngWriter(width, height, PngColour.Rgba, 16, (x, y, _) => x * y & 0xFFFF) { Interlaced = true }.Encode();
            yield return new PngWriter(width, height, PngColour.Palette, 4, (x, y, _) => x + y & 15) { Palette = Make.Noise(48, seed: 1), Transparency = [9] }.Encode();
            yield return Make.WebP(rgba, width, height, lossless: false);
            yield return Make.WebP(rgba, width, height, lossless: true);
            yield return Make.WebP(translucent, width, height, lossless: false);
            yield return Make.AnimatedWebP(width, height, seed: 1, nextSeed: 2);
            yield return Riff.File(Riff.Extended(0x08, width, height), Riff.PictureChunks(Make.WebP(rgba, width, height, lossless: false)), Riff.Chunk("EXIF", Make.ExifTiff(6, false)));
        }
    }
}
