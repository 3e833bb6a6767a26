using SmileApi.Imaging;

namespace SmileApi.Tests.Imaging;

/// <summary>What reads JPEG.</summary>
public enum JpegBackend
{
    SkiaSharp,
    LibTurboJpeg,
}

/// <summary>A decoded picture whose pixels outlive the decoder's memory.</summary>
internal sealed record Decoded(int Width, int Height, int Reduction, int OriginalWidth, int OriginalHeight, ImageFormat Format, byte[] Grey)
{
    /// <summary>No reduction, whatever the size.</summary>
    public const int FullSize = int.MaxValue;

    public const string NoTurboJpeg = "the system has no libturbojpeg";

    public static JpegBackend[] Backends => TurboJpeg.IsAvailable ? [JpegBackend.SkiaSharp, JpegBackend.LibTurboJpeg] : [JpegBackend.SkiaSharp];

    /// <summary>A decoder with this backend; skips the test where the system lacks it.</summary>
    public static ImageDecoder Decoder(JpegBackend backend, ImageLimits? limits = null)
    {
        Assert.SkipUnless(backend == JpegBackend.SkiaSharp || TurboJpeg.IsAvailable, NoTurboJpeg);
        return new ImageDecoder(limits ?? new ImageLimits(), backend == JpegBackend.LibTurboJpeg);
    }

    /// <summary>Decodes a picture that must be readable.</summary>
    public static Decoded From(byte[] bytes, JpegBackend backend = JpegBackend.SkiaSharp, int minimumSide = FullSize) =>
        From(Decoder(backend), bytes, minimumSide);

    public static Decoded From(ImageDecoder decoder, byte[] bytes, int minimumSide = FullSize)
    {
        Assert.True(decoder.TryDecode(bytes, minimumSide, out var image, out var rejection), rejection?.Detail);
        Assert.Null(rejection);
        using (image)
        {
            return new Decoded(
                image.Width, image.Height, image.Reduction, image.OriginalWidth, image.OriginalHeight, image.Format, image.Pixels.ToArray());
        }
    }

    /// <summary>Decodes a picture that must be refused.</summary>
    public static ImageRejection Refusal(ImageDecoder decoder, byte[] bytes, string what = "")
    {
        var accepted = decoder.TryDecode(bytes, FullSize, out var image, out var rejection);
        image?.Dispose();
        Assert.False(accepted, $"accepted by {decoder.JpegBackend}: {what}");
        Assert.Null(image);
        return rejection!;
    }

    /// <summary>The largest difference of any pixel may be <paramref name="tolerance"/> grey levels.</summary>
    public void IsWithin(double tolerance, double[] expected, double mean = double.MaxValue)
    {
        Assert.Equal(expected.Length, Grey.Length);
        var differences = expected.Zip(Grey, (e, g) => Math.Abs(e - g)).ToArray();
        var worst = differences.Max();
        var at = Array.IndexOf(differences, worst);
        Assert.True(worst <= tolerance, $"{worst:F2} grey levels apart at ({at % Width}, {at / Width}): {Grey[at]} instead of {expected[at]:F2}");
        Assert.True(differences.Average() <= mean, $"{differences.Average():F3} grey levels apart on average");
    }
}
