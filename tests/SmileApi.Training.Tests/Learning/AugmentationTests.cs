using SmileApi.Imaging;

namespace SmileApi.Training.Tests;

public sealed class AugmentationTests
{
    private static readonly Normalisation Levels = new(120, 60);
    private static readonly TrainOptions Still = TrainOptions.Still;

    private readonly Face _face = DrawnFaces.Faces(4, 1)[0];

    [Fact]
    public void Without_jitter_it_is_exactly_the_served_crop() => Assert.Equal(_face.Crop(Levels), Apply(Still, 1));

    [Fact]
    public void The_same_chance_gives_the_same_crop_and_another_another()
    {
        Assert.Equal(Apply(new TrainOptions(), 5), Apply(new TrainOptions(), 5));
        Assert.NotEqual(Apply(new TrainOptions(), 5), Apply(new TrainOptions(), 6));
    }

    [Fact]
    public void A_mirrored_crop_is_the_served_crop_from_right_to_left()
    {
        var (crop, mirrored) = (_face.Crop(Levels), Apply(Still with { MirrorShare = 1 }, 1));
        for (var i = 0; i < FaceCrop.Length; i++)
        {
            Assert.Equal(crop[i], mirrored[i / FaceCrop.Side * FaceCrop.Side + FaceCrop.Side - 1 - i % FaceCrop.Side]);
        }
    }

    [Fact]
    public void Scale_widens_the_square_about_its_centre()
    {
        var square = _face.Square;
        var wide = new float[FaceCrop.Length];
        FaceCrop.Resample(_face.Image, new FaceSquare(square.X - square.Side / 8, square.Y - square.Side / 8, square.Side * 1.25f), Levels, wide);
        Assert.InRange(LargestDifference(wide, Apply(Still with { MinScale = 1.25, MaxScale = 1.25 }, 1)), 0, 0.01);
    }

    [Fact]
    public void A_turned_face_is_turned_about_the_middle_of_its_crop()
    {
        // A white disc exactly in the middle of the square stays where it is.
        using var image = new GreyImage(160, 160, 1, 160, 160, ImageFormat.Png);
        for (var i = 0; i < image.Pixels.Length; i++)
        {
            var (x, y) = (i % 160 - 89.5, i / 160 - 79.5);
            image.Pixels[i] = (byte)(x * x + y * y < 900 ? 255 : 0);
        }

        var face = new Face(image, new FaceSquare(40, 30, 100), 1);
        var crop = new float[FaceCrop.Length];
        var random = new SplitMix(3);
        new Augmentation(Still with { RollDegrees = 20 }, Levels).Apply(face, ref random, crop);
        var still = face.Crop(Levels);
        Assert.InRange(crop.Zip(still, (a, b) => Math.Abs(a - b)).Average(), 0.0001, 0.05);
    }

    [Fact]
    public void Light_and_contrast_stay_between_black_and_white()
    {
        var crop = Apply(Still with { Contrast = 2, Brightness = 200 }, 2);
        Assert.InRange(crop.Min(), (0 - 120) / 60f, (255 - 120) / 60f);
        Assert.InRange(crop.Max(), (0 - 120) / 60f, (255 - 120) / 60f);
    }

    [Fact]
    public void Blur_keeps_the_mean_and_softens_the_edges()
    {
        var (crop, blurred) = (_face.Crop(Levels), Apply(Still with { BlurShare = 1, MaxBlur = 4 }, 8));
        Assert.Equal(crop.Average(), blurred.Average(), 0.02);
        Assert.True(Edges(blurred) < 0.5 * Edges(crop));

        static double Edges(float[] levels) => levels.Skip(1).Zip(levels, (a, b) => (a - b) * (a - b)).Sum();
    }

    private static double LargestDifference(float[] a, float[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();

    private float[] Apply(TrainOptions options, int seed)
    {
        var crop = new float[FaceCrop.Length];
        var random = new SplitMix(seed);
        new Augmentation(options, Levels).Apply(_face, ref random, crop);
        return crop;
    }
}
