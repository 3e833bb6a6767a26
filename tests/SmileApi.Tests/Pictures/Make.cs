using System.Buffers.Binary;
using SkiaSharp;

namespace SmileApi.Tests.Pictures;

/// <summary>
/// Makes the pictures that tests send. One seed is one smooth, photograph-like scene, whatever the format: sums of slow
/// waves that stay well inside 0..255 in every channel, so that lossy formats come close to it.
/// </summary>
internal static class Make
{
    /// <summary>Level 0..255 of a scene at <c>(x, y)</c>; channel 0 red, 1 green, 2 blue.</summary>
    public static Func<int, int, int, double> Scene(int seed)
    {
        var random = new Random(seed);
        var waves = Enumerable.Range(0, 6).Select(_ => (
            X: (random.NextDouble() - 0.5) * 0.2,
            Y: (random.NextDouble() - 0.5) * 0.2,
            Phase: random.NextDouble() * 6.28,
            Weights: new[] { 8 + random.NextDouble() * 8, 8 + random.NextDouble() * 8, 8 + random.NextDouble() * 8 })).ToArray();
        var middle = new[] { 110 + random.Next(40), 110 + random.Next(40), 110 + random.Next(40) };
        return (x, y, channel) => middle[channel] + waves.Sum(w => w.Weights[channel] * Math.Sin(w.X * x + w.Y * y + w.Phase)) * 0.8;
    }

    /// <summary>The scene as RGBA bytes, opaque.</summary>
    public static byte[] Rgba(int width, int height, int seed)
    {
        var scene = Scene(seed);
        return Rgba(width, height, (x, y, channel) => channel == 3 ? (byte)255 : (byte)Math.Round(scene(x, y, channel)));
    }

    /// <summary>RGBA bytes, one sample at a time: <c>(x, y, channel)</c>.</summary>
    public static byte[] Rgba(int width, int height, Func<int, int, int, byte> sample)
    {
        var pixels = new byte[4 * width * height];
        for (var i = 0; i < pixels.Length; i++)
        {
            pixels[i] = sample(i / 4 % width, i / 4 / width, i % 4);
        }

        return pixels;
    }

    /// <summary>A baseline JPEG of the scene.</summary>
    public static byte[] Jpeg(int width, int height, int seed, int quality = 92) => Jpeg(Rgba(width, height, seed), width, height, quality);

    public static byte[] Jpeg(
        byte[] rgba, int width, int height, int quality = 92,
        SKJpegEncoderDownsample downsample = SKJpegEncoderDownsample.Downsample420, SKColorSpace? profile = null) =>
        Encode(rgba, width, height, profile, p => p.Encode(new SKJpegEncoderOptions(quality, downsample, SKJpegEncoderAlphaOption.Ignore)));

    /// <summary>A JPEG of grey levels, one component.</summary>
    public static byte[] JpegFromGrey(byte[] grey, int width, int height) =>
        new JpegWriter(width, height, new JpegComponent((x, y) => grey[y * width + x])).Encode();

    /// <summary>A progressive JPEG of the scene in YCbCr, chroma at half the resolution.</summary>
    public static byte[] ProgressiveJpeg(int width, int height, int seed) =>
        new JpegWriter(width, height, YCbCr(Scene(seed), 2, 2)) { Progressive = true }.Encode();

    /// <summary>A CMYK JPEG as Adobe's programs write it: 255 means no ink. Its inks print the scene.</summary>
    public static byte[] CmykJpeg(int width, int height, int seed) => CmykJpeg(width, height, Scene(seed));

    public static byte[] CmykJpeg(int width, int height, Func<int, int, int, double> scene) =>
        new JpegWriter(width, height, Inks(scene)) { AdobeTransform = 0 }.Encode();

    /// <summary>The same, with the three colours stored as YCC of what they leave of 255.</summary>
    public static byte[] YcckJpeg(int width, int height, int seed)
    {
        var inks = Inks(Scene(seed));
        var colours = YCbCr((x, y, channel) => 255 - inks[channel].Level(x, y), 1, 1);
        return new JpegWriter(width, height, [.. colours, inks[3]]) { AdobeTransform = 2 }.Encode();
    }

    /// <summary>An RGB JPEG, without any colour transform.</summary>
    public static byte[] RgbJpeg(int width, int height, int seed)
    {
        var scene = Scene(seed);
        return new JpegWriter(width, height, [.. Enumerable.Range(0, 3).Select(c => new JpegComponent((x, y) => scene(x, y, c)))])
        {
            AdobeTransform = 0,
        }.Encode();
    }

    /// <summary>The components of a colour JPEG (JFIF 1.02), luma at the sampling factors given, chroma at 1.</summary>
    public static JpegComponent[] YCbCr(Func<int, int, int, double> rgb, int horizontal, int vertical) =>
    [
        new((x, y) => 0.299 * rgb(x, y, 0) + 0.587 * rgb(x, y, 1) + 0.114 * rgb(x, y, 2), horizontal, vertical),
        new((x, y) => 128 - 0.168736 * rgb(x, y, 0) - 0.331264 * rgb(x, y, 1) + 0.5 * rgb(x, y, 2)),
        new((x, y) => 128 + 0.5 * rgb(x, y, 0) - 0.418688 * rgb(x, y, 1) - 0.081312 * rgb(x, y, 2)),
    ];

    // A fifth of the ink is black; what remains of each colour makes up the scene: level = ink * black / 255.
    private static JpegComponent[] Inks(Func<int, int, int, double> scene) =>
        [.. Enumerable.Range(0, 3).Select(c => new JpegComponent((x, y) => scene(x, y, c) / 0.8)), new JpegComponent((_, _) => 204)];

    /// <summary>An opaque PNG of the scene.</summary>
    public static byte[] Png(int width, int height, int seed) => Png(Rgba(width, height, seed), width, height);

    public static byte[] Png(byte[] rgba, int width, int height, SKColorSpace? profile = null) =>
        Encode(rgba, width, height, profile, p => p.Encode(SKPngEncoderOptions.Default));

    /// <summary>A grey PNG, 8 bits a pixel, of exactly these levels.</summary>
    public static byte[] PngFromGrey(byte[] grey, int width, int height) =>
        new PngWriter(width, height, PngColour.Grey, 8, (x, y, _) => grey[y * width + x]).Encode();

    /// <summary>A WebP of the scene, lossy unless told otherwise.</summary>
    public static byte[] WebP(int width, int height, int seed, bool lossless = false) => WebP(Rgba(width, height, seed), width, height, lossless);

    public static byte[] WebP(byte[] rgba, int width, int height, bool lossless, SKColorSpace? profile = null) =>
        Encode(rgba, width, height, profile, p => p.Encode(
            new SKWebpEncoderOptions(lossless ? SKWebpEncoderCompression.Lossless : SKWebpEncoderCompression.Lossy, lossless ? 20 : 95)));

    /// <summary>An animation of two scenes.</summary>
    public static byte[] AnimatedWebP(int width, int height, int seed, int nextSeed) => Riff.File(
        Riff.Extended(0x02, width, height),
        Riff.Chunk("ANIM", 255, 255, 255, 255, 0, 0),
        Riff.Frame(WebP(width, height, seed, lossless: true), width, height),
        Riff.Frame(WebP(width, height, nextSeed, lossless: true), width, height));

    /// <summary>The picture with its end cut off.</summary>
    /// <param name="share">How much of it stays, 0..1.</param>
    public static byte[] Truncated(byte[] picture, double share = 0.5) => picture[..(int)(picture.Length * share)];

    /// <summary>A JPEG with an EXIF segment in front that tells how to turn it.</summary>
    /// <param name="orientation">1 to 8 as in EXIF; other values are written as they are.</param>
    public static byte[] WithExifOrientation(byte[] jpeg, int orientation, bool littleEndian = true)
    {
        byte[] payload = [.. "Exif\0\0"u8, .. ExifTiff(orientation, littleEndian)];
        return WithSegment(jpeg, 0xE1, payload);
    }

    /// <summary>A JPEG with one more segment, first of all.</summary>
    public static byte[] WithSegment(byte[] jpeg, byte marker, byte[] payload) =>
        [0xFF, 0xD8, 0xFF, marker, (byte)((payload.Length + 2) >> 8), (byte)(payload.Length + 2), .. payload, .. jpeg.AsSpan(2)];

    /// <summary>An EXIF block: the camera's maker and the orientation.</summary>
    public static byte[] ExifTiff(int orientation, bool littleEndian)
    {
        var tiff = new byte[8 + 2 + 2 * 12 + 4];
        (littleEndian ? "II"u8 : "MM"u8).CopyTo(tiff);
        UInt16(2, 42);
        UInt32(4, 8);
        UInt16(8, 2);
        UInt16(10, 0x010F);
        UInt16(12, 2);
        UInt32(14, 4);
        "Cam\0"u8.CopyTo(tiff.AsSpan(18));
        UInt16(22, 0x0112);
        UInt16(24, 3);
        UInt32(26, 1);
        UInt16(30, (ushort)orientation);
        return tiff;

        void UInt16(int at, ushort value) => (littleEndian
            ? (Action<Span<byte>, ushort>)BinaryPrimitives.WriteUInt16LittleEndian
            : BinaryPrimitives.WriteUInt16BigEndian)(tiff.AsSpan(at), value);

        void UInt32(int at, uint value) => (littleEndian
            ? (Action<Span<byte>, uint>)BinaryPrimitives.WriteUInt32LittleEndian
            : BinaryPrimitives.WriteUInt32BigEndian)(tiff.AsSpan(at), value);
    }

    /// <summary>A PNG of 429 bytes whose header claims this size; its data are the zeros of a few rows.</summary>
    public static byte[] PngClaiming(int width, int height)
    {
        byte[] data = PngWriter.Compress(new byte[1_000_000])[..372];
        return
        [
            .. new PngWriter(1, 1, PngColour.Grey, 8, (_, _, _) => 0).Encode().AsSpan(0, 8),
            .. PngWriter.Header(width, height, 8, (int)PngColour.Grey, interlaced: false),
            .. PngWriter.Chunk("IDAT", data),
            .. PngWriter.Chunk("IEND", []),
        ];
    }

    /// <summary>A small progressive JPEG whose header claims this size.</summary>
    public static byte[] ProgressiveJpegClaiming(int width, int height) => Claiming(ProgressiveJpeg(16, 16, seed: 1), width, height);

    /// <summary>A JPEG with another size written into its frame header.</summary>
    public static byte[] Claiming(byte[] jpeg, int width, int height)
    {
        byte[] result = [.. jpeg];
        var frame = FrameHeader(result);
        BinaryPrimitives.WriteUInt16BigEndian(result.AsSpan(frame + 5), (ushort)height);
        BinaryPrimitives.WriteUInt16BigEndian(result.AsSpan(frame + 7), (ushort)width);
        return result;
    }

    /// <summary>Where a JPEG's frame header begins (0xFF 0xC0 or 0xFF 0xC2).</summary>
    public static int FrameHeader(byte[] jpeg) => Marker(jpeg, 0xC0, 0xC2);

    /// <summary>Where a JPEG's first scan header begins.</summary>
    public static int FirstScan(byte[] jpeg) => Marker(jpeg, 0xDA, 0xDA);

    private static int Marker(byte[] jpeg, byte one, byte other)
    {
        var position = 2;
        while (jpeg[position + 1] != one && jpeg[position + 1] != other)
        {
            position += 2 + BinaryPrimitives.ReadUInt16BigEndian(jpeg.AsSpan(position + 2));
        }

        return position;
    }

    /// <summary>Random bytes, the same ones for the same seed.</summary>
    public static byte[] Noise(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static unsafe byte[] Encode(byte[] rgba, int width, int height, SKColorSpace? profile, Func<SKPixmap, SKData?> encode)
    {
        var opaque = !rgba.Where((_, i) => i % 4 == 3).Any(alpha => alpha != 255);
        var info = new SKImageInfo(width, height, SKColorType.Rgba8888, opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul, profile);
        fixed (byte* pixels = rgba)
        {
            using var pixmap = new SKPixmap(info, (nint)pixels);
            using var data = encode(pixmap) ?? throw new InvalidOperationException("SkiaSharp cannot encode this picture.");
            return data.ToArray();
        }
    }
}
