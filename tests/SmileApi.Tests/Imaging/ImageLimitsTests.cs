using System.ComponentModel.DataAnnotations;
using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

public sealed class ImageLimitsTests
{
    private static readonly ImageHeader s_baseline = new(ImageFormat.Jpeg, 1000, 1000, Components: 3);

    [Fact]
    public void The_defaults_are_within_their_own_ranges()
    {
        var limits = new ImageLimits();

        Validator.ValidateObject(limits, new ValidationContext(limits), validateAllProperties: true);
    }

    [Fact]
    public void A_side_may_be_as_long_as_the_limit_and_no_longer()
    {
        var limits = new ImageLimits();

        Assert.Null(limits.Check(s_baseline with { Width = 20_000, Height = 1 }));
        Assert.Null(limits.Check(s_baseline with { Width = 1, Height = 20_000 }));
        Assert.Contains("20001 x 1", limits.Check(s_baseline with { Width = 20_001, Height = 1 })?.Detail);
        Assert.Equal(ImageProblem.TooLarge, limits.Check(s_baseline with { Width = 1, Height = 65_500 })?.Problem);
    }

    [Fact]
    public void Pixels_are_counted_without_overflow()
    {
        var limits = new ImageLimits { MaxSide = 65_535, MaxPixels = 500_000_000 };

        Assert.Null(limits.Check(s_baseline with { Width = 25_000, Height = 20_000 }));
        Assert.Equal(ImageProblem.TooLarge, limits.Check(s_baseline with { Width = 25_000, Height = 20_001 })?.Problem);
        Assert.Equal(ImageProblem.TooLarge, limits.Check(s_baseline with { Width = 65_535, Height = 65_535 })?.Problem);
    }

    [Theory]
    [InlineData(ImageFormat.Png, "PNG")]
    [InlineData(ImageFormat.WebP, "WebP")]
    [InlineData(ImageFormat.Jpeg, "progressive JPEG")]
    public void What_is_held_whole_in_memory_may_have_fewer_pixels(ImageFormat format, string word)
    {
        var limits = new ImageLimits();
        var header = new ImageHeader(format, 8192, 4096, HeldBytesPerPixel: 4);

        Assert.Null(limits.Check(header));
        Assert.Contains(word, limits.Check(header with { Width = 8193 })?.Detail);
        Assert.Null(limits.Check(header with { Width = 8193, HeldBytesPerPixel = 0 }));
    }

    [Fact]
    public void A_baseline_JPEG_with_a_scan_for_each_component_is_held_whole_and_limited_so()
    {
        var grey = new JpegComponent((x, _) => x);
        var interleaved = Make.Claiming(new JpegWriter(16, 16, grey, grey, grey).Encode(), 6000, 4001);
        var separate = Make.Claiming(new JpegWriter(16, 16, grey, grey, grey) { Interleaved = false }.Encode(), 6000, 4001);

        Assert.Null(Check(interleaved));
        Assert.Equal(ImageProblem.TooLarge, Check(separate)?.Problem);
    }

    [Fact]
    public void Scans_are_counted_up_to_the_limit()
    {
        var many = new JpegWriter(16, 16, new JpegComponent((x, y) => 8 * x + y))
        {
            Progressive = true,
            Bands = [.. Enumerable.Range(1, 63).Select(i => (i, i))],
        }.Encode();

        Assert.Null(Check(many, new ImageLimits { MaxScans = 64 }));
        Assert.Contains("63 scans", Check(many, new ImageLimits { MaxScans = 63 })?.Detail);
    }

    [Fact]
    public void A_JPEG_of_97_scans_is_decoded()
    {
        var bands = Enumerable.Range(1, 32).Select(i => (i, i == 32 ? 63 : i)).ToArray();
        var scene = Make.Scene(5);
        var many = new JpegWriter(24, 24, Make.YCbCr(scene, 1, 1)) { Progressive = true, Bands = bands }.Encode();

        foreach (var backend in Decoded.Backends)
        {
            Decoded.From(many, backend).IsWithin(2, Obvious.Grey(scene, 24, 24));
        }
    }

    [Fact]
    public void Bytes_may_be_as_many_as_the_limit_and_no_more()
    {
        var decoder = new ImageDecoder(new ImageLimits { MaxBytes = 5000 });
        byte[] jpeg = Make.Jpeg(16, 16, 1);

        Decoded.From(decoder, [.. jpeg, .. new byte[5000 - jpeg.Length]]);
        var rejection = Decoded.Refusal(decoder, [.. jpeg, .. new byte[5001 - jpeg.Length]]);

        Assert.Equal(ImageProblem.TooManyBytes, rejection.Problem);
        Assert.Contains("5,001 bytes", rejection.Detail);
    }

    private static ImageRejection? Check(byte[] bytes, ImageLimits? limits = null)
    {
        Assert.True(ImageHeader.TryRead(bytes, out var header, out var rejection), rejection?.Detail);
        return (limits ?? new ImageLimits()).Check(header);
    }
}
