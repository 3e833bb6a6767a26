using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

public sealed class ReductionTests
{
    public static TheoryData<int, int, int> Cases => [.. from size in new[] { (160, 240), (203, 161) } from r in new[] { 1, 2, 4, 8 } select (size.Item1, size.Item2, r)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_reduced_picture_is_the_average_of_the_full_one(int width, int height, int reduction)
    {
        var minimumSide = Math.Min(width, height) / reduction;
        var full = Make.Rgba(width, height, seed: 1);
        var average = Obvious.Average(Obvious.Grey(full), width, reduction);
        Has(Decoded.From(Make.Png(full, width, height), minimumSide: minimumSide)).IsWithin(1, average);
        Has(Decoded.From(Make.WebP(full, width, height, lossless: true), minimumSide: minimumSide)).IsWithin(1, average);

        var jpeg = Make.Jpeg(full, width, height);
        average = Obvious.Average(Obvious.GreyOfFullDecode(jpeg), width, reduction);
        foreach (var backend in Decoded.Backends)
        {
            // A JPEG is reduced by its low frequencies alone, which is close to the average, and to its padded blocks at the edge.
            Has(Decoded.From(jpeg, backend, minimumSide)).IsWithin(6, average, mean: 0.8);
        }

        Decoded Has(Decoded picture)
        {
            Assert.Equal(
                ((width + reduction - 1) / reduction, (height + reduction - 1) / reduction, reduction, width, height),
                (picture.Width, picture.Height, picture.Reduction, picture.OriginalWidth, picture.OriginalHeight));
            return picture;
        }
    }

    [Theory]
    [InlineData(100, 100, 100, 1)]
    [InlineData(199, 300, 100, 1)]
    [InlineData(200, 300, 100, 2)]
    [InlineData(300, 399, 100, 2)]
    [InlineData(401, 400, 100, 4)]
    [InlineData(800, 900, 100, 8)]
    [InlineData(900, 3000, 50, 8)]
    [InlineData(60, 900, 100, 1)]
    public void The_shorter_side_never_falls_below_the_minimum(int width, int height, int minimumSide, int reduction)
    {
        var png = Make.PngFromGrey(new byte[width * height], width, height);

        Assert.Equal(reduction, Decoded.From(png, minimumSide: minimumSide).Reduction);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void Grey_is_the_same_wherever_transparent_pixels_are(int reduction)
    {
        const int Width = 171, Height = 160;
        var random = new Random(reduction);
        var rgba = Make.Rgba(Width, Height, (x, y, channel) => channel == 3 && (x / 40 + y) % 3 > 0 ? (byte)255 : (byte)random.Next(256));

        Decoded.From(Make.Png(rgba, Width, Height), minimumSide: Height / reduction)
            .IsWithin(1.1, Obvious.Average(Obvious.Grey(rgba), Width, reduction)); // Rounded twice.
    }

    [Fact]
    public void Transparent_blocks_are_averaged_over_white()
    {
        var rgba = Make.Rgba(64, 64, (x, y, channel) => channel == 3 ? (byte)(x % 2 * 255) : (byte)0);

        Decoded.From(Make.Png(rgba, 64, 64), minimumSide: 32).IsWithin(1, [.. Enumerable.Repeat(127.5, 32 * 32)]);
    }
}
