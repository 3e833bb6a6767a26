using SkiaSharp;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>One way to spoil faces, to measure how a model bears it. The same face is always spoilt alike.</summary>
/// <param name="Name">What is done to the crop, for people.</param>
/// <param name="Apply">From a face, its index and the model's normalisation to the spoilt crop, shape <c>[100, 100]</c>, normalised.</param>
internal sealed record Corruption(string Name, Func<Face, int, Normalisation, float[]> Apply)
{
    private const int Seed = 1;

    private static readonly ImageDecoder Decoder = new(new ImageLimits(), useTurboJpeg: false);

    private static readonly TrainOptions Untouched = new()
    {
        MinScale = 1,
        MaxScale = 1,
        Shift = 0,
        RollDegrees = 0,
        MirrorShare = 0,
        Contrast = 0,
        Brightness = 0,
        BlurShare = 0,
        NoiseShare = 0,
    };

    public static IReadOnlyList<Corruption> All { get; } =
    [
        new("moved up to 8 %, scaled 0.85 to 1.3", (face, index, normalisation) =>
            Jitter(Untouched with { Shift = 0.08, MinScale = 0.85, MaxScale = 1.3 }, face, index, normalisation)),
        new("turned up to 20 degrees", (face, index, normalisation) => Jitter(Untouched with { RollDegrees = 20 }, face, index, normalisation)),
        new("24 x 24 pixels", (face, _, normalisation) => Small(face, 24, normalisation)),
        new("blurred, sigma 2.5 pixels of 100", (face, _, normalisation) => Levels(face, normalisation, crop => Augmentation.Blur(crop, 2.5))),
        new("JPEG quality 20", (face, _, normalisation) => Jpeg(face, 20, normalisation)),
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

    private static float[] Small(Face face, int side, Normalisation normalisation)
    {
        var levels = new float[side * side];
        FaceCrop.Resample(face.Image, face.Square, new Normalisation(0, 1), levels, side);
        using var small = new GreyImage(side, side, 1, side, side, face.Image.Format);
        for (var i = 0; i < levels.Length; i++)
        {
            small.Pixels[i] = (byte)Math.Clamp(MathF.Round(levels[i]), 0, 255);
        }

        return new Face(small, FaceSquare.Centred(side, side), face.Target).Crop(normalisation);
    }

    private static float[] Jpeg(Face face, int quality, Normalisation normalisation)
    {
        byte[] levels = [.. face.Crop(new Normalisation(0, 1)).Select(level => (byte)Math.Clamp(MathF.Round(level), 0, 255))];
        using var bitmap = GreyPng.Bitmap(levels, FaceCrop.Side, FaceCrop.Side);
        using var jpeg = bitmap.Encode(SKEncodedImageFormat.Jpeg, quality);
        if (!Decoder.TryDecode(jpeg.AsSpan(), FaceCrop.Side, out var image, out var rejection))
        {
            throw new InvalidOperationException(rejection.Detail);
        }

        using (image)
        {
            return new Face(image, FaceSquare.Centred(image.Width, image.Height), face.Target).Crop(normalisation);
        }
    }
}
