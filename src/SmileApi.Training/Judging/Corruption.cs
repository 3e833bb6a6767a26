using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>One way to spoil faces, to measure how a model bears it. The same face is always spoilt alike.</summary>
/// <param name="Name">What is done to the crop, for people.</param>
/// <param name="Apply">From a face, its index and the model's normalisation to the spoilt crop, shape <c>[100, 100]</c>, normalised.</param>
internal sealed record Corruption(string Name, Func<Face, int, Normalisation, float[]> Apply)
{
    private const int Seed = 1;

    public static IReadOnlyList<Corruption> All { get; } =
    [
        new("moved up to 8 %, scaled 0.85 to 1.3", (face, index, normalisation) =>
            Jitter(TrainOptions.Still with { Shift = 0.08, MinScale = 0.85, MaxScale = 1.3 }, face, index, normalisation)),
        new("turned up to 20 degrees", (face, index, normalisation) => Jitter(TrainOptions.Still with { RollDegrees = 20 }, face, index, normalisation)),
        new("24 x 24 pixels", (face, _, normalisation) => Levels(face, normalisation, crop => CropEffects.Store(crop, 24, quality: null))),
        new("blurred, sigma 2.5 pixels of 100", (face, _, normalisation) => Levels(face, normalisation, crop => CropEffects.Blur(crop, 2.5))),
        new("JPEG quality 20", (face, _, normalisation) => Levels(face, normalisation, crop => CropEffects.Store(crop, FaceCrop.Side, quality: 20))),
        new("noise, sigma 25 of 255", (face, index, normalisation) => Levels(face, normalisation, crop =>
        {
            var random = new SplitMix(Seed, RandomPurpose.Corruption, index);
            foreach (ref var level in crop.AsSpan())
            {
                level = (float)Math.Clamp(level + 25 * random.Normal(), 0, 255);
            }
        })),
    ];

    private static float[] Jitter(TrainOptions options, Face face, int index, Normalisation normalisation)
    {
        var random = new SplitMix(Seed, RandomPurpose.Corruption, index);
        var crop = new float[FaceCrop.Length];
        new Augmentation(options, normalisation).Apply(face, ref random, crop);
        return crop;
    }

    /// <summary>Changes the grey levels 0..255 of a crop, then normalises them.</summary>
    private static float[] Levels(Face face, Normalisation normalisation, Action<float[]> change)
    {
        var crop = face.Crop(new Normalisation(0, 1));
        change(crop);
        return [.. crop.Select(level => (level - normalisation.Mean) / normalisation.Deviation)];
    }
}
