using CsCheck;
using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

/// <summary>Whatever happens to a file on its way: an answer, never an exception, never a picture of another size than declared.</summary>
public sealed class MutationTests
{
    // Small limits: a mutated header may claim anything, and what it claims within the limits is decoded.
    private static readonly ImageLimits s_limits = new() { MaxSide = 1000, MaxPixels = 200_000, MaxHeldBytes = 1 << 20, MaxScans = 20 };

    private static readonly byte[][] s_pictures =
    [
        Make.Jpeg(40, 24, seed: 1),
        Make.WithExifOrientation(Make.Jpeg(24, 40, seed: 1), 6),
        Make.ProgressiveJpeg(24, 16, seed: 1),
        new JpegWriter(24, 16, Make.YCbCr(Make.Scene(1), 2, 1)) { Interleaved = false, RestartInterval = 2 }.Encode(),
        Make.JpegFromGrey(Make.Noise(20 * 20, seed: 1), 20, 20),
        Make.CmykJpeg(16, 16, seed: 1),
        Make.Png(24, 16, seed: 1),
        new PngWriter(24, 16, PngColour.Rgba, 16, (x, y, _) => x * y) { Interlaced = true, Extra = PngWriter.Chunk("eXIf", Make.ExifTiff(6, true)) }.Encode(),
        new PngWriter(24, 16, PngColour.Palette, 4, (x, y, _) => x + y & 15) { Palette = Make.Noise(48, seed: 1), Transparency = [9] }.Encode(),
        Make.WebP(40, 24, seed: 1),
        Make.WebP(24, 16, seed: 1, lossless: true),
        Make.WebP(Make.Rgba(24, 16, (x, y, _) => (byte)(7 * x + y)), 24, 16, lossless: false),
        Make.AnimatedWebP(24, 16, seed: 1, nextSeed: 2),
        Riff.File(Riff.Extended(0x08, 24, 16), Riff.PictureChunks(Make.WebP(24, 16, seed: 1)), Riff.Chunk("EXIF", Make.ExifTiff(6, false))),
    ];

    private static readonly Gen<byte[]> s_picture = OneOf(s_pictures);

    /// <summary>The first of those that <c>tests/SmileApi.Fuzz</c> sends to the service by the hundred thousand.</summary>
    [Fact]
    public void Mutated_real_files()
    {
        for (var number = 0; number < 600; number++)
        {
            IsAnswered(Mutated.File(number));
        }
    }

    [Fact]
    public void Changed_bytes() =>
        Gen.Select(s_picture, Gen.Select(Gen.Double[0, 1], Gen.Byte).Array[1, 6]).Sample((picture, changes) =>
        {
            byte[] bytes = [.. picture];
            foreach (var (where, value) in changes)
            {
                bytes[At(bytes, where)] = value;
            }

            IsAnswered(bytes);
        }, iter: 4000, threads: 1);

    [Fact]
    public void Changed_bytes_in_the_header() =>
        Gen.Select(s_picture, Gen.Select(Gen.Int[0, 90], Gen.OneOf(Gen.Byte, OneOf<byte>(0, 1, 2, 127, 128, 254, 255))).Array[1, 4]).Sample((picture, changes) =>
        {
            byte[] bytes = [.. picture];
            foreach (var (where, value) in changes)
            {
                bytes[Math.Min(where, bytes.Length - 1)] = value;
            }

            IsAnswered(bytes);
        }, iter: 4000, threads: 1);

    [Fact]
    public void Bytes_cut_out_or_put_in() =>
        Gen.Select(s_picture, Gen.Double[0, 1], Gen.Int[0, 40], Gen.Byte.Array[0, 40]).Sample((picture, where, cut, put) =>
        {
            var at = At(picture, where);

            IsAnswered([.. picture.AsSpan(0, at), .. put, .. picture.AsSpan(Math.Min(at + cut, picture.Length))]);
        }, iter: 3000, threads: 1);

    [Fact]
    public void The_beginning_of_one_picture_and_the_end_of_another() =>
        Gen.Select(s_picture, s_picture, Gen.Double[0, 1], Gen.Double[0, 1]).Sample((one, other, where, from) =>
            IsAnswered([.. one.AsSpan(0, At(one, where)), .. other.AsSpan(At(other, from))]), iter: 3000, threads: 1);

    [Fact]
    public void Random_bytes_behind_a_magic_number()
    {
        byte[][] magic = [[0xFF, 0xD8, 0xFF], s_pictures[6][..33], [.. "RIFF\u0040\0\0\0WEBPVP8 "u8], [.. "RIFF\u0040\0\0\0WEBPVP8L"u8], [.. "RIFF\u0040\0\0\0WEBPVP8X"u8]];
        Gen.Select(OneOf(magic), Gen.Byte.Array[0, 200]).Sample((start, rest) => IsAnswered([.. start, .. rest]), iter: 4000, threads: 1);
    }

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static int At(byte[] bytes, double where) => Math.Min((int)(where * bytes.Length), bytes.Length - 1);

    private static void IsAnswered(byte[] bytes)
    {
        var known = ImageHeader.TryRead(bytes, out var header, out var problem);
        Assert.Equal(known, problem is null);
        foreach (var backend in Decoded.Backends)
        {
            foreach (var minimumSide in new[] { Decoded.FullSize, 4 })
            {
                var decoder = Decoded.Decoder(backend, s_limits);
                if (!decoder.TryDecode(bytes, minimumSide, out var image, out var rejection))
                {
                    Assert.Null(image);
                    Assert.NotEmpty(rejection.Detail);
                    continue;
                }

                using (image)
                {
                    Assert.Null(rejection);
                    Assert.True(known);
                    var (width, height) = header.Orientation >= Orientation.Transposed ? (header.Height, header.Width) : (header.Width, header.Height);
                    Assert.Equal((width, height, header.Format), (image.OriginalWidth, image.OriginalHeight, image.Format));
                    Assert.Equal(
                        ((width + image.Reduction - 1) / image.Reduction, (height + image.Reduction - 1) / image.Reduction),
                        (image.Width, image.Height));
                    Assert.Equal(image.Width * image.Height, image.Pixels.Length);
                }
            }
        }
    }
}
