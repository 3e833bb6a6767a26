using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Classify;

/// <summary>Every way to store a picture reaches the network as the same face.</summary>
public sealed class FormatTests(SmileApp app)
{
    private const int Width = 240;
    private const int Height = 200;
    private const int Seed = 5;

    public static TheoryData<string, string> Formats => new()
    {
        { "JPEG", "jpeg" },
        { "progressive JPEG", "jpeg" },
        { "CMYK JPEG", "jpeg" },
        { "YCCK JPEG", "jpeg" },
        { "RGB JPEG", "jpeg" },
        { "grey JPEG", "jpeg" },
        { "grey PNG", "png" },
        { "16-bit PNG", "png" },
        { "lossy WebP", "webp" },
        { "lossless WebP", "webp" },
    };

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task The_same_scene_in_another_format_gets_the_same_answer(string kind, string format)
    {
        var expected = await app.ProbabilityAsync(Make.Png(Width, Height, Seed));

        var answer = await app.ClassifyAsync(Picture(kind), "?faces=whole");

        Assert.Equal($$"""{"width":{{Width}},"height":{{Height}},"format":"{{format}}"}""", answer.GetProperty("image").GetRawText());
        Assert.Equal(expected, answer.GetProperty("probability").GetSingle(), 0.02f);
    }

    [Fact]
    public async Task A_transparent_picture_is_laid_over_white()
    {
        var over = Make.Rgba(Width, Height, (x, y, channel) => channel == 3 ? (byte)(x * 255 / Width) : (byte)(y % 200));
        var laid = Make.Rgba(Width, Height, (x, y, channel) =>
        {
            var alpha = x * 255 / Width;
            return channel == 3 ? (byte)255 : (byte)Math.Round((y % 200 * alpha + 255.0 * (255 - alpha)) / 255);
        });
        var expected = await app.ProbabilityAsync(Make.Png(laid, Width, Height));

        Assert.Equal(expected, await app.ProbabilityAsync(Make.WebP(over, Width, Height, lossless: true)), 0.01f);
        Assert.Equal(expected, await app.ProbabilityAsync(Make.Png(over, Width, Height)), 0.01f);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task A_picture_is_judged_upright_as_its_exif_orientation_says(int orientation)
    {
        // What a camera stores when it is held so that the scene needs this orientation to stand upright.
        var scene = Make.Scene(Seed);
        var upright = Make.Rgba(Width, Height, (x, y, channel) => channel == 3 ? (byte)255 : (byte)Math.Round(scene(x, y, channel)));
        var swaps = orientation >= 5;
        var (storedWidth, storedHeight) = swaps ? (Height, Width) : (Width, Height);
        var stored = Make.Rgba(storedWidth, storedHeight, (x, y, channel) =>
        {
            // Where the stored pixel stands upright, from the definition of the tag in EXIF 2.32.
            var (uprightX, uprightY) = orientation switch
            {
                1 => (x, y),
                2 => (Width - 1 - x, y),
                3 => (Width - 1 - x, Height - 1 - y),
                4 => (x, Height - 1 - y),
                5 => (y, x),
                6 => (Width - 1 - y, x),
                7 => (Width - 1 - y, Height - 1 - x),
                _ => (y, Height - 1 - x),
            };
            return upright[4 * (uprightY * Width + uprightX) + channel];
        });
        var expected = await app.ProbabilityAsync(Make.Png(upright, Width, Height));

        var answer = await app.ClassifyAsync(Make.WithExifOrientation(Make.Jpeg(stored, storedWidth, storedHeight), orientation), "?faces=whole");

        Assert.Equal($$"""{"width":{{Width}},"height":{{Height}},"format":"jpeg"}""", answer.GetProperty("image").GetRawText());
        Assert.Equal(expected, answer.GetProperty("probability").GetSingle(), 0.02f);
    }

    private static byte[] Picture(string kind) => kind switch
    {
        "JPEG" => Make.Jpeg(Width, Height, Seed),
        "progressive JPEG" => Make.ProgressiveJpeg(Width, Height, Seed),
        "CMYK JPEG" => Make.CmykJpeg(Width, Height, Seed),
        "YCCK JPEG" => Make.YcckJpeg(Width, Height, Seed),
        "RGB JPEG" => Make.RgbJpeg(Width, Height, Seed),
        "grey JPEG" => Make.JpegFromGrey(Grey(), Width, Height),
        "grey PNG" => Make.PngFromGrey(Grey(), Width, Height),
        "16-bit PNG" => Png16(),
        "lossy WebP" => Make.WebP(Width, Height, Seed),
        "lossless WebP" => Make.WebP(Width, Height, Seed, lossless: true),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    private static byte[] Grey()
    {
        var scene = Make.Scene(Seed);
        return [.. Enumerable.Range(0, Width * Height).Select(i => (i % Width, i / Width))
            .Select(at => (byte)Math.Round(0.299 * scene(at.Item1, at.Item2, 0) + 0.587 * scene(at.Item1, at.Item2, 1) + 0.114 * scene(at.Item1, at.Item2, 2)))];
    }

    private static byte[] Png16()
    {
        var scene = Make.Scene(Seed);
        return new PngWriter(Width, Height, PngColour.Rgb, 16, (x, y, channel) => (ushort)Math.Round(scene(x, y, channel) * 257)).Encode();
    }
}
