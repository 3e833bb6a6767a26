using SkiaSharp;
using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

/// <summary>The decoder against plain loops over known pixels or over SkiaSharp's full decode.</summary>
public sealed class ImageDecoderTests
{
    private const int Width = 75;
    private const int Height = 53;

    public static TheoryData<JpegBackend> Backends => [JpegBackend.SkiaSharp, JpegBackend.LibTurboJpeg];

    private static double[] Scene(int seed) => Obvious.Grey(Make.Scene(seed), Width, Height);

    [Fact]
    public void Grey_weighs_red_green_and_blue_over_every_value()
    {
        var rgba = Make.Rgba(256, 64, (x, y, channel) => channel switch { 0 => (byte)x, 1 => (byte)(4 * y), 2 => (byte)(255 - x), _ => 255 });

        Decoded.From(Make.Png(rgba, 256, 64)).IsWithin(0.51, Obvious.Grey(rgba));
    }

    [Fact]
    public void Transparency_lies_over_white()
    {
        var rgba = Make.Rgba(256, 64, (x, y, channel) => channel switch { 0 => (byte)(4 * y), 1 => (byte)(255 - 4 * y), 2 => 77, _ => (byte)x });

        Decoded.From(Make.Png(rgba, 256, 64)).IsWithin(1.01, Obvious.Grey(rgba));

        // What lossless WebP keeps of fully transparent pixels is free; over white they are white.
        Decoded.From(Make.WebP(rgba, 256, 64, lossless: true)).IsWithin(1.01, Obvious.Grey(rgba));
    }

    [Fact]
    public void A_16_bit_PNG_is_read()
    {
        var scene = Make.Scene(1);
        var png = new PngWriter(Width, Height, PngColour.Rgb, 16, (x, y, channel) => (int)(scene(x, y, channel) * 257)).Encode();
        var grey = new PngWriter(Width, Height, PngColour.Grey, 16, (x, y, _) => (int)(scene(x, y, 0) * 257)).Encode();
        var rgba = new PngWriter(Width, Height, PngColour.Rgba, 16, (x, y, channel) => channel == 3 ? 65535 : (int)(scene(x, y, channel) * 257)).Encode();

        Decoded.From(png).IsWithin(1.1, Scene(1));
        Decoded.From(rgba).IsWithin(1.1, Scene(1));
        Decoded.From(grey).IsWithin(1.1, Obvious.Grey((x, y, _) => scene(x, y, 0), Width, Height));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void A_palette_PNG_of_any_depth_is_read_with_its_transparency(int depth)
    {
        var count = 1 << depth;
        var palette = Make.Noise(3 * count, seed: 7);
        byte[] transparency = [0];
        var png = new PngWriter(Width, Height, PngColour.Palette, depth, (x, y, _) => (x + 3 * y) % count)
        {
            Palette = palette,
            Transparency = transparency,
        }.Encode();

        var rgba = Make.Rgba(Width, Height, (x, y, channel) =>
        {
            var index = (x + 3 * y) % count;
            return channel < 3 ? palette[3 * index + channel] : index == 0 ? (byte)0 : (byte)255;
        });
        Decoded.From(png).IsWithin(0.51, Obvious.Grey(rgba));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void A_grey_PNG_of_any_depth_is_read(int depth)
    {
        var most = (1 << depth) - 1;
        var png = new PngWriter(Width, Height, PngColour.Grey, depth, (x, y, _) => (x + y) & most).Encode();

        Decoded.From(png).IsWithin(0, Obvious.Grey((x, y, _) => ((x + y) & most) * 255 / most, Width, Height).Select(level => Math.Round(level)).ToArray());
    }

    [Fact]
    public void A_grey_PNG_keeps_its_levels_exactly()
    {
        var levels = Make.Noise(Width * Height, seed: 3);

        Assert.Equal(levels, Decoded.From(Make.PngFromGrey(levels, Width, Height)).Grey);
    }

    [Fact]
    public void A_grey_PNG_with_alpha_is_read()
    {
        var png = new PngWriter(Width, Height, PngColour.GreyAlpha, 8, (x, y, channel) => channel == 0 ? 3 * x : 4 * y).Encode();

        Decoded.From(png).IsWithin(1.01, Obvious.Grey(Make.Rgba(Width, Height, (x, y, channel) => (byte)(channel < 3 ? 3 * x : 4 * y))));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 2)]
    [InlineData(Width, Height)]
    public void An_interlaced_PNG_is_read(int width, int height)
    {
        foreach (var (colour, depth) in new[] { (PngColour.Rgb, 8), (PngColour.Rgba, 16) })
        {
            var scene = Make.Scene(2);
            var png = new PngWriter(width, height, colour, depth, (x, y, channel) =>
                (channel == 3 ? 255 : (int)Math.Round(scene(x, y, channel))) * (depth == 16 ? 257 : 1)) { Interlaced = true }.Encode();

            Decoded.From(png).IsWithin(1.1, Obvious.Grey(scene, width, height));
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_JPEG_equals_the_full_decode(JpegBackend backend)
    {
        foreach (var downsample in new[]
        {
            SKJpegEncoderDownsample.Downsample420, SKJpegEncoderDownsample.Downsample422, SKJpegEncoderDownsample.Downsample444,
        })
        {
            var jpeg = Make.Jpeg(Make.Rgba(Width, Height, seed: 4), Width, Height, 92, downsample);

            Decoded.From(jpeg, backend).IsWithin(2, Obvious.GreyOfFullDecode(jpeg), mean: 0.7);
            Decoded.From(jpeg, backend).IsWithin(6, Scene(4), mean: 1);
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_JPEG_of_any_sampling_order_and_restart_is_read(JpegBackend backend)
    {
        var scene = Make.Scene(5);
        foreach (var (horizontal, vertical) in new[] { (1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4), (3, 1), (4, 2) })
        {
            var writer = new JpegWriter(Width, Height, Make.YCbCr(scene, horizontal, vertical));

            Read(writer, $"{horizontal} x {vertical}");
            Read(writer with { Interleaved = false }, $"{horizontal} x {vertical}, a scan a component");
            Read(writer with { Progressive = true }, $"{horizontal} x {vertical}, progressive");
            Read(writer with { RestartInterval = 3 }, $"{horizontal} x {vertical}, with restarts");
        }

        void Read(JpegWriter writer, string what)
        {
            var bytes = writer.Encode();
            Assert.True(Decoded.Decoder(backend).TryDecode(bytes, Decoded.FullSize, out var image, out var rejection), $"{what}: {rejection?.Detail}");
            image.Dispose();
            Decoded.From(bytes, backend).IsWithin(3, Scene(5), mean: 1);
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_grey_JPEG_is_read_whatever_its_pointless_sampling_factor(JpegBackend backend)
    {
        var scene = Make.Scene(6);
        foreach (var factor in new[] { 1, 2 })
        {
            var jpeg = new JpegWriter(Width, Height, new JpegComponent((x, y) => scene(x, y, 1), factor, factor)).Encode();
            Decoded.From(jpeg, backend).IsWithin(1.5, Obvious.Grey((x, y, _) => scene(x, y, 1), Width, Height));
            Assert.Equal(2, Decoded.From(jpeg, backend, Height / 2).Reduction);
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_progressive_JPEG_is_read(JpegBackend backend) =>
        Decoded.From(Make.ProgressiveJpeg(Width, Height, seed: 7), backend).IsWithin(2.5, Scene(7), mean: 1);

    [Theory]
    [MemberData(nameof(Backends))]
    public void An_RGB_JPEG_is_read(JpegBackend backend) =>
        Decoded.From(Make.RgbJpeg(Width, Height, seed: 8), backend).IsWithin(2, Scene(8), mean: 0.7);

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_CMYK_JPEG_of_Adobes_kind_prints_its_scene(JpegBackend backend)
    {
        Decoded.From(Make.CmykJpeg(Width, Height, seed: 9), backend).IsWithin(2.5, Scene(9), mean: 1);
        Decoded.From(Make.YcckJpeg(Width, Height, seed: 9), backend).IsWithin(2.5, Scene(9), mean: 1);
    }

    [Fact]
    public void CMYK_colours_are_not_mixed_up()
    {
        foreach (var channel in new[] { 0, 1, 2 })
        {
            Func<int, int, int, double> one = (_, _, c) => c == channel ? 200 : 40;
            Decoded.From(Make.CmykJpeg(16, 16, one)).IsWithin(2, Obvious.Grey(one, 16, 16));
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Stray_bytes_between_segments_do_no_harm(JpegBackend backend)
    {
        var jpeg = Make.Jpeg(Width, Height, seed: 4);
        var scan = Make.FirstScan(jpeg);
        byte[] beforeTheScan = [.. jpeg.AsSpan(0, scan), 0, 0, 7, .. jpeg.AsSpan(scan)];
        byte[] filled = [.. jpeg.AsSpan(0, scan), 0xFF, 0xFF, 0xFF, .. jpeg.AsSpan(scan)];
        byte[] beforeTheEnd = [.. jpeg.AsSpan(0, jpeg.Length - 2), 0, 0, 0, 0, 0, 0, 0, 0, .. jpeg.AsSpan(jpeg.Length - 2)];

        foreach (var bytes in new[] { beforeTheScan, filled, beforeTheEnd })
        {
            Decoded.From(bytes, backend).IsWithin(6, Scene(4), mean: 1);
        }
    }

    [Fact]
    public void A_lossy_WebP_equals_the_full_decode()
    {
        var webp = Make.WebP(Width, Height, seed: 1);

        Decoded.From(webp).IsWithin(1, Obvious.GreyOfFullDecode(webp));
        Decoded.From(webp).IsWithin(10, Scene(1), mean: 2);
    }

    [Fact]
    public void A_lossless_WebP_keeps_every_level() =>
        Decoded.From(Make.WebP(Width, Height, seed: 2, lossless: true)).IsWithin(1, Scene(2));

    [Fact]
    public void A_WebP_with_alpha_lies_over_white()
    {
        var scene = Make.Scene(3);
        var rgba = Make.Rgba(Width, Height, (x, y, channel) => channel == 3 ? (byte)(x < Width / 2 ? 0 : 255) : (byte)Math.Round(scene(x, y, channel)));

        Decoded.From(Make.WebP(rgba, Width, Height, lossless: true)).IsWithin(1, Obvious.Grey(rgba));
        var lossy = Decoded.From(Make.WebP(rgba, Width, Height, lossless: false));
        Assert.All(Enumerable.Range(0, Width * Height).Where(i => i % Width < Width / 2 - 1), i => Assert.Equal(255, lossy.Grey[i]));
    }

    [Fact]
    public void Of_an_animation_the_first_frame_counts() =>
        Decoded.From(Make.AnimatedWebP(Width, Height, seed: 4, nextSeed: 5)).IsWithin(1, Scene(4));

    [Fact]
    public void What_the_first_frame_leaves_free_is_white()
    {
        var webp = Riff.File(
            Riff.Extended(0x02, 40, 30),
            Riff.Chunk("ANIM", 0, 0, 255, 255, 0, 0),
            Riff.Frame(Make.WebP(16, 12, seed: 6, lossless: true), 16, 12, left: 10, top: 8),
            Riff.Frame(Make.WebP(40, 30, seed: 7, lossless: true), 40, 30));
        var scene = Make.Scene(6);

        Decoded.From(webp).IsWithin(1, Obvious.Grey(
            (x, y, channel) => x is >= 10 and < 26 && y is >= 8 and < 20 ? scene(x - 10, y - 8, channel) : 255, 40, 30));
    }

    [Fact]
    public void A_colour_profile_is_ignored()
    {
        var rgba = Make.Rgba(Width, Height, seed: 5);
        using var wide = SKColorSpace.CreateRgb(SKColorSpaceTransferFn.Linear, SKColorSpaceXyz.DisplayP3);
        var expected = Obvious.Grey(rgba);

        Assert.NotEqual(Make.Png(rgba, Width, Height).Length, Make.Png(rgba, Width, Height, wide).Length);
        Decoded.From(Make.Png(rgba, Width, Height, wide)).IsWithin(1, expected);
        Decoded.From(Make.WebP(rgba, Width, Height, lossless: true, wide)).IsWithin(1, expected);
        foreach (var backend in Decoded.Backends)
        {
            Decoded.From(Make.Jpeg(rgba, Width, Height, profile: wide), backend).IsWithin(6, expected, mean: 1);
        }
    }

    [Fact]
    public void What_follows_the_end_is_ignored()
    {
        byte[] garbage = [.. Make.Noise(3000, seed: 8), 0xFF, 0xDA];
        foreach (var picture in new[]
        {
            Make.Jpeg(Width, Height, 1), Make.ProgressiveJpeg(Width, Height, 1), Make.Png(Width, Height, 1), Make.WebP(Width, Height, 1),
            Make.WebP(Width, Height, 1, lossless: true),
        })
        {
            foreach (var backend in Decoded.Backends)
            {
                Assert.Equal(Decoded.From(picture, backend).Grey, Decoded.From([.. picture, .. garbage], backend).Grey);
            }
        }
    }

    [Fact]
    public void A_picture_tells_its_format_and_size()
    {
        foreach (var (bytes, format) in new[]
        {
            (Make.Jpeg(Width, Height, 1), ImageFormat.Jpeg), (Make.Png(Width, Height, 1), ImageFormat.Png), (Make.WebP(Width, Height, 1), ImageFormat.WebP),
        })
        {
            var picture = Decoded.From(bytes);
            Assert.Equal((format, Width, Height, Width, Height, 1),
                (picture.Format, picture.Width, picture.Height, picture.OriginalWidth, picture.OriginalHeight, picture.Reduction));
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 300)]
    [InlineData(300, 1)]
    [InlineData(7, 9)]
    public void Tiny_and_thin_pictures_are_read(int width, int height)
    {
        foreach (var backend in Decoded.Backends)
        {
            foreach (var bytes in new[] { Make.Jpeg(width, height, 1), Make.Png(width, height, 1), Make.WebP(width, height, 1, lossless: true) })
            {
                Decoded.From(bytes, backend).IsWithin(4, Obvious.Grey(Make.Scene(1), width, height));
            }
        }
    }

    [Fact]
    public void Memory_that_was_given_back_is_not_read()
    {
        var decoder = Decoded.Decoder(JpegBackend.SkiaSharp);
        Assert.True(decoder.TryDecode(Make.Png(9, 9, 1), 1, out var image, out _));

        image.Dispose();
        image.Dispose();

        Assert.Throws<ObjectDisposedException>(() => image.Pixels.Length);
    }
}
