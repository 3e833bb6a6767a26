using CsCheck;
using SkiaSharp;
using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

public sealed class ImageHeaderTests
{
    [Fact]
    public void The_size_of_every_kind_is_the_one_that_the_codec_reads()
    {
        Gen.Select(Gen.Int[1, 300], Gen.Int[1, 300], Gen.Int[0, 8]).Sample((width, height, kind) =>
        {
            var rgba = new byte[4 * width * height];
            Array.Fill(rgba, (byte)200);
            Array.Fill(rgba, (byte)255, 0, 4);
            byte[] opaque = [.. rgba.Select((value, i) => i % 4 == 3 ? (byte)255 : value)];
            byte[] bytes = kind switch
            {
                0 => Make.Jpeg(opaque, width, height),
                1 => Make.Jpeg(opaque, width, height, 50, SKJpegEncoderDownsample.Downsample444),
                2 => new JpegWriter(width, height, new JpegComponent((_, _) => 9)) { Progressive = true, Bands = [(1, 63)] }.Encode(),
                3 => Make.Png(rgba, width, height),
                4 => Make.PngFromGrey(new byte[width * height], width, height),
                5 => Make.WebP(opaque, width, height, lossless: false),
                6 => Make.WebP(opaque, width, height, lossless: true),
                7 => Make.WebP(rgba, width, height, lossless: false), // With alpha: the extended kind.
                _ => Riff.File(Riff.Extended(0, width, height), Riff.PictureChunks(Make.WebP(opaque, width, height, lossless: true))),
            };
            using var codec = SKCodec.Create(new SKMemoryStream(bytes));

            Assert.True(ImageHeader.TryRead(bytes, out var header, out var rejection), rejection?.Detail);

            Assert.Equal((codec.Info.Width, codec.Info.Height), (header.Width, header.Height));
            Assert.Equal((width, height), (header.Width, header.Height));
            Assert.Equal(codec.EncodedFormat.ToString().ToUpperInvariant(), header.Format.ToString().ToUpperInvariant());
        }, iter: 300, threads: 1);
    }

    [Fact]
    public void Sides_up_to_the_formats_ends_are_read()
    {
        Assert.Equal((65535, 65500), Size(Make.Claiming(Make.Jpeg(8, 8, 1), 65535, 65500)));
        Assert.Equal((int.MaxValue, 1), Size(Make.PngClaiming(int.MaxValue, 1)));
        Assert.Equal((16384, 16383), Size(Hostile.LosslessWebPClaiming(16384, 16383)));
        Assert.Equal((1 << 24, 3), Size(Riff.File(Riff.Extended(0, 1 << 24, 3), Riff.PictureChunks(Make.WebP(8, 8, 1)))));
    }

    [Fact]
    public void A_WebP_of_28_bytes_is_whole()
    {
        var bytes = Hostile.LosslessWebPClaiming(320, 200);

        Assert.Equal(28, bytes.Length);
        Assert.Equal((320, 200), Size(bytes));
        Assert.Equal((320, 200), (Decoded.From(bytes).Width, Decoded.From(bytes).Height));
    }

    [Fact]
    public void A_JPEG_tells_how_it_is_coded()
    {
        var grey = new JpegComponent((x, y) => x + y);

        Assert.Equal(new ImageHeader(ImageFormat.Jpeg, 40, 30, HeldBytesPerPixel: 0, Scans: 1, Components: 3), Read(Make.Jpeg(40, 30, 1)));
        Assert.Equal(
            new ImageHeader(ImageFormat.Jpeg, 40, 30, HeldBytesPerPixel: 0, Scans: 1, Components: 1),
            Read(new JpegWriter(40, 30, grey) { RestartInterval = 2 }.Encode()));

        // The first coefficient of all components, then of each the next five and the last 58; a scan counts for a quarter at least.
        var progressive = Read(Make.ProgressiveJpeg(40, 30, 1));
        Assert.Equal(new ImageHeader(ImageFormat.Jpeg, 40, 30, HeldBytesPerPixel: 3, Scans: 7, Components: 3), progressive with { Passes = 1 });
        Assert.Equal(0.25 + 0.25 + 58 / 64.0, progressive.Passes, 9);

        var separate = Read(new JpegWriter(40, 30, grey, grey, grey) { Interleaved = false }.Encode());
        Assert.Equal(new ImageHeader(ImageFormat.Jpeg, 40, 30, HeldBytesPerPixel: 6, Scans: 3, Components: 3), separate with { Passes = 1 });
        Assert.Equal(1, separate.Passes, 9);

        Assert.Equal(0.25 + 30 * 63 / 64.0, Read(Hostile.ManyPasses(80, 1, 30)).Passes, 9);
        Assert.Equal(0.25 + 10 * 63 / 64.0, Read(Hostile.ManyPasses(80, 3, 30)).Passes, 9);
        Assert.Equal(4, Read(Make.CmykJpeg(40, 30, 1)).Components);
    }

    [Fact]
    public void A_picture_tells_how_much_memory_its_decoder_will_hold()
    {
        Assert.Equal(0, Read(Make.Jpeg(40, 30, 1)).HeldBytes);
        Assert.Equal(2 * 40 * 30 * 3 / 2, Read(Make.ProgressiveJpeg(40, 30, 1)).HeldBytes);
        Assert.Equal(4 * 40 * 30, Read(Make.Png(40, 30, 1)).HeldBytes);
        Assert.Equal((4 + 8) * 40 * 30, Read(new PngWriter(40, 30, PngColour.Rgba, 16, (x, _, _) => x) { Interlaced = true }.Encode()).HeldBytes);
        Assert.Equal(4 * 40 * 30, Read(Make.WebP(40, 30, 1)).HeldBytes);
        Assert.Equal(8 * 40 * 30, Read(Make.WebP(40, 30, 1, lossless: true)).HeldBytes);
    }

    [Fact]
    public void A_thumbnail_inside_a_segment_changes_nothing()
    {
        var jpeg = Make.ProgressiveJpeg(40, 30, 1);
        var withThumbnail = Make.WithSegment(jpeg, 0xE2, Make.ProgressiveJpeg(16, 16, 2));

        Assert.Equal(Read(jpeg), Read(withThumbnail));
        Assert.Equal(Decoded.From(jpeg).Grey, Decoded.From(withThumbnail).Grey);
    }

    [Theory]
    [InlineData("a GIF", "a GIF")]
    [InlineData("a BMP", "a BMP")]
    [InlineData("a TIFF", "a TIFF")]
    [InlineData("a PDF", "a PDF")]
    [InlineData("an SVG", "SVG")]
    [InlineData("an SVG behind its declaration", "SVG")]
    [InlineData("an HEIC photograph", "HEIC")]
    [InlineData("an AVIF picture", "AVIF")]
    [InlineData("a video", "a video")]
    [InlineData("a ZIP archive", "ZIP")]
    [InlineData("JSON", "application/json")]
    [InlineData("a data URL", "data URL")]
    [InlineData("base64", "base64")]
    public void A_wrong_file_is_told_what_it_looks_like(string name, string word)
    {
        var hostile = Hostile.All.Single(h => h.Name == name);

        Assert.False(ImageHeader.TryRead(hostile.Bytes, out _, out var rejection));

        Assert.Equal(ImageProblem.UnsupportedFormat, rejection.Problem);
        Assert.Contains("not a JPEG, PNG or WebP", rejection.Detail);
        Assert.Contains(word, rejection.Detail);
    }

    [Fact]
    public void The_beginning_of_a_picture_is_called_unknown_until_its_magic_is_whole_and_cut_off_from_there()
    {
        foreach (var (bytes, magic) in new[] { (Make.Jpeg(64, 48, 1), 3), (Make.Png(64, 48, 1), 8), (Make.WebP(64, 48, 1), 12) })
        {
            for (var length = 1; length <= 64; length++)
            {
                Assert.False(ImageHeader.TryRead(bytes.AsSpan(0, length), out _, out var rejection));
                Assert.Equal(length < magic ? ImageProblem.UnsupportedFormat : ImageProblem.Truncated, rejection.Problem);
            }
        }
    }

    private static ImageHeader Read(byte[] bytes)
    {
        Assert.True(ImageHeader.TryRead(bytes, out var header, out var rejection), rejection?.Detail);
        return header;
    }

    private static (int Width, int Height) Size(byte[] bytes) => (Read(bytes).Width, Read(bytes).Height);
}
