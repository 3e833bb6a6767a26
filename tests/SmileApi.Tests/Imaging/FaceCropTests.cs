using CsCheck;
using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

public sealed class FaceCropTests
{
    private static readonly Normalisation s_none = new(0, 1);

    private static readonly Gen<(int Width, int Height, int Seed)> s_picture = Gen.Select(Gen.Int[1, 90], Gen.Int[1, 90], Gen.Int[0, 1000]);

    [Fact]
    public void A_square_anywhere_equals_the_slow_double_precision_sum()
    {
        // Inside, overlapping, far outside; enlarged and shrunk up to 25 times.
        var square = Gen.Select(Gen.Float[-250, 250], Gen.Float[-250, 250], Gen.OneOf(Gen.Float[0.3f, 20], Gen.Float[20, 200]));
        Gen.Select(s_picture, square, Gen.Int[1, 24]).Sample((picture, at, side) =>
        {
            var grey = Make.Noise(picture.Width * picture.Height, picture.Seed);

            IsClose(grey, picture.Width, picture.Height, new FaceSquare(at.Item1, at.Item2, at.Item3), side);
        }, iter: 1200, threads: 1);
    }

    [Fact]
    public void A_square_inside_equals_the_slow_double_precision_sum_at_the_networks_size() =>
        Gen.Select(Gen.Int[0, 1000], Gen.Float[0, 1], Gen.Float[0, 1], Gen.Float[8, 200]).Sample((seed, x, y, side) =>
            IsClose(Make.Noise(260 * 200, seed), 260, 200, new FaceSquare(x * (260 - side), y * (200 - side), side), FaceCrop.Side),
            iter: 10, threads: 1);

    [Fact]
    public void A_constant_picture_stays_constant() =>
        Gen.Select(s_picture, Gen.Byte, Gen.Float[-100, 100], Gen.Float[0.3f, 300]).Sample((picture, level, at, side) =>
        {
            byte[] grey = [.. Enumerable.Repeat(level, picture.Width * picture.Height)];

            var face = Resample(grey, picture.Width, picture.Height, new FaceSquare(at, -at, side), 20);

            Assert.All(face, value => Assert.Equal(level, value, 1e-3));
        }, iter: 300, threads: 1);

    [Fact]
    public void A_square_on_the_pixel_grid_is_copied()
    {
        var grey = Make.Noise(140 * 120, seed: 1);

        var face = Resample(grey, 140, 120, new FaceSquare(13, 7, FaceCrop.Side), FaceCrop.Side);

        Assert.Equal(Enumerable.Range(0, FaceCrop.Length).Select(i => (float)grey[(7 + i / 100) * 140 + 13 + i % 100]), face);
    }

    [Fact]
    public void Levels_are_normalised_by_mean_and_deviation()
    {
        using var image = Image([40, 40, 40, 40], 2, 2);
        var face = new float[FaceCrop.Length];

        FaceCrop.Resample(image, FaceSquare.Centred(2, 2), new Normalisation(100, 30), face);

        Assert.All(face, value => Assert.Equal(-2, value, 1e-5));
    }

    [Fact]
    public void A_reduced_picture_gives_nearly_the_same_face()
    {
        var png = Make.Png(420, 400, seed: 3);
        var full = Face(Decoded.From(png));

        foreach (var minimumSide in new[] { 200, 100 })
        {
            var reduced = Decoded.From(png, minimumSide: minimumSide);
            Assert.True(reduced.Reduction > 1);
            Assert.All(full.Zip(Face(reduced)), pair => Assert.Equal(pair.First, pair.Second, 2.0));
        }

        static float[] Face(Decoded picture) => Resample(
            picture.Grey, picture.Width, picture.Height,
            new FaceSquare(30, 20, 350).Scaled(1f / picture.Reduction), FaceCrop.Side);
    }

    [Fact]
    public void A_turned_square_equals_the_slow_turning_of_the_straight_one() =>
        Gen.Select(s_picture, Gen.Float[-20, 60], Gen.Float[5, 120], Gen.Float[-4, 4], Gen.Int[1, 24]).Sample((picture, at, size, roll, side) =>
        {
            var grey = Make.Noise(picture.Width * picture.Height, picture.Seed);
            var square = new FaceSquare(at, 40 - at, size);

            var expected = Obvious.ResampleTurned(grey, picture.Width, picture.Height, square, side, roll);
            var worst = expected.Zip(Resample(grey, picture.Width, picture.Height, square, side, roll), (e, f) => Math.Abs(e - f)).Max();

            Assert.True(worst <= 0.02, $"{worst} grey levels apart: {square} turned by {roll} of {picture} to {side}");
        }, iter: 300, threads: 1);

    [Theory]
    [InlineData(0.2)]
    [InlineData(-0.6)]
    [InlineData(1.5)]
    [InlineData(-3)]
    public void A_face_that_is_turned_in_the_picture_comes_out_upright(double roll)
    {
        // The same smooth drawing, straight and turned clockwise about the pictures' centre.
        var straight = Resample(Drawing(0), 200, 200, new FaceSquare(40, 40, 120), FaceCrop.Side);
        var upright = Resample(Drawing(roll), 200, 200, new FaceSquare(40, 40, 120), FaceCrop.Side, (float)roll);

        Assert.All(straight.Zip(upright), pair => Assert.Equal(pair.First, pair.Second, 3.0));

        static byte[] Drawing(double roll) =>
        [
            .. Enumerable.Range(0, 200 * 200).Select(i => (X: i % 200 + 0.5 - 100, Y: i / 200 + 0.5 - 100)).Select(p =>
            {
                // Where this pixel's content stood before it was turned.
                var (x, y) = (p.X * Math.Cos(roll) + p.Y * Math.Sin(roll), p.Y * Math.Cos(roll) - p.X * Math.Sin(roll));
                return (byte)Math.Round(128 + 60 * Math.Sin(x / 15) + 60 * Math.Cos(y / 11 + 1));
            }),
        ];
    }

    [Fact]
    public void A_wrong_use_is_told()
    {
        using var image = Image(new byte[4], 2, 2);

        Assert.Throws<ArgumentOutOfRangeException>(() => FaceCrop.Resample(image, FaceSquare.Centred(2, 2), s_none, new float[99]));
        Assert.Throws<ArgumentOutOfRangeException>(() => FaceCrop.Resample(image, new FaceSquare(0, 0, 0), s_none, new float[FaceCrop.Length]));
        Assert.Throws<ArgumentOutOfRangeException>(() => FaceCrop.Resample(image, new FaceSquare(0, 0, float.NaN), s_none, new float[FaceCrop.Length]));
        Assert.Throws<ArgumentNullException>(() => FaceCrop.Resample(null!, FaceSquare.Centred(2, 2), s_none, new float[FaceCrop.Length]));
    }

    private static void IsClose(byte[] grey, int width, int height, FaceSquare square, int side)
    {
        var expected = Obvious.Resample(grey, width, height, square, side);
        var face = Resample(grey, width, height, square, side);
        var worst = expected.Zip(face, (e, f) => Math.Abs(e - f)).Max();

        Assert.True(worst <= 1e-3, $"{worst} grey levels apart: {square} of {width} x {height} to {side}");
    }

    private static float[] Resample(byte[] grey, int width, int height, FaceSquare square, int side, float roll = 0)
    {
        using var image = Image(grey, width, height);
        var face = new float[side * side];
        Array.Fill(face, float.NaN);
        FaceCrop.Resample(image, square, s_none, face, side, roll);
        return face;
    }

    private static GreyImage Image(byte[] grey, int width, int height)
    {
        var image = new GreyImage(width, height, 1, width, height, ImageFormat.Png);
        grey.CopyTo(image.Pixels);
        return image;
    }
}
