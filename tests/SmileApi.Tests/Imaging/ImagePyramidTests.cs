using CsCheck;
using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

public sealed class ImagePyramidTests
{
    private static readonly Gen<(int Width, int Height, int Seed)> s_picture = Gen.Select(Gen.Int[1, 120], Gen.Int[1, 90], Gen.Int[0, 1000]);

    [Fact]
    public void The_largest_level_equals_the_slow_double_precision_sum() =>
        Gen.Select(s_picture, Gen.Double[0.02, 0.99]).Sample((picture, scale) =>
        {
            using var image = Image(picture.Width, picture.Height, picture.Seed);
            using var pyramid = ImagePyramid.Of(image, scale, 1);

            var level = pyramid.Levels[0];
            Assert.Equal(ImagePyramid.SizeAt(picture.Width, picture.Height, scale), (level.Width, level.Height));
            // From half of the size on the averages of four pixels take the picture's place.
            using var halves = ImagePyramid.Of(image, 1, 2);
            var (source, step) = scale <= 0.5 ? (halves.Levels[1], 0.5 / scale) : (image, 1 / scale);
            var expected = Obvious.Resample(source.Pixels.ToArray(), source.Width, source.Height, 0, 0, step, level.Width, level.Height);
            Assert.All(expected.Zip(level.Pixels.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 0.501));
        }, iter: 300, threads: 1);

    [Fact]
    public void Each_level_is_the_average_of_four_pixels_of_the_one_before() =>
        s_picture.Sample(picture =>
        {
            using var image = Image(picture.Width, picture.Height, picture.Seed);
            using var pyramid = ImagePyramid.Of(image, 1, 4);

            Assert.Same(image, pyramid.Levels[0]);
            foreach (var (finer, level) in pyramid.Levels.Zip(pyramid.Levels.Skip(1)))
            {
                Assert.Equal(((finer.Width + 1) / 2, (finer.Height + 1) / 2), (level.Width, level.Height));
                for (var i = 0; i < level.Width * level.Height; i++)
                {
                    var (x, y) = (2 * (i % level.Width), 2 * (i / level.Width));
                    Assert.Equal(Math.Floor((At(finer, x, y) + At(finer, x + 1, y) + At(finer, x, y + 1) + At(finer, x + 1, y + 1)) / 4.0 + 0.5), level.Pixels[i]);
                }
            }
        }, iter: 200, threads: 1);

    [Fact]
    public void White_stays_white_at_every_scale() =>
        Gen.Select(s_picture, Gen.Double[0.02, 1]).Sample((picture, scale) =>
        {
            using var image = Image(picture.Width, picture.Height, picture.Seed);
            image.Pixels.Fill(255);
            using var pyramid = ImagePyramid.Of(image, scale, 3);

            Assert.All(pyramid.Levels, level => Assert.False(level.Pixels.ContainsAnyExcept((byte)255)));
        }, iter: 200, threads: 1);

    [Fact]
    public void A_wrong_use_is_told()
    {
        using var image = Image(9, 9, 1);

        Assert.Throws<ArgumentOutOfRangeException>(() => ImagePyramid.Of(image, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImagePyramid.Of(image, 1.01, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImagePyramid.Of(image, double.NaN, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImagePyramid.Of(image, 1, 0));
        Assert.Throws<ArgumentNullException>(() => ImagePyramid.Of(null!, 1, 1));
    }

    private static byte At(GreyImage image, int x, int y) =>
        image.Pixels[Math.Min(y, image.Height - 1) * image.Width + Math.Min(x, image.Width - 1)];

    private static GreyImage Image(int width, int height, int seed)
    {
        var image = new GreyImage(width, height, 1, width, height, ImageFormat.Png);
        Make.Noise(width * height, seed).CopyTo(image.Pixels);
        return image;
    }
}
