using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>
/// Composes what the first stage learns from: parts of photographs with faces in them, and small pictures that one face fills, as
/// the last levels of a pyramid are. What lies beyond those is padding, as the service pads.
/// </summary>
/// <param name="usual">Of all but the small ones.</param>
internal sealed class FindPictures(IReadOnlyList<FacePicture> faces, IReadOnlyList<GreyImage> scenes, CompositionOptions usual)
{
    private const double SmallShare = 0.12;
    private const double SmallestSide = 18;
    private const double LargestSide = 64;

    private readonly Composer _composer = new(faces, scenes, usual);

    /// <summary>Makes one picture, of the usual size whatever it shows.</summary>
    /// <param name="random">The only source of chance.</param>
    /// <returns>The caller's to dispose.</returns>
    public Composition Next(ref SplitMix random) => random.Uniform() < SmallShare ? Portrait(ref random) : _composer.Compose(ref random);

    private Composition Portrait(ref SplitMix random)
    {
        var (side, shape) = (Math.Exp(random.Uniform(Math.Log(SmallestSide), Math.Log(LargestSide))), Math.Exp(random.Uniform(-0.2, 0.2)));
        var (width, height) = ((int)Math.Min(side * shape, usual.Width), (int)Math.Min(side / shape, usual.Height));
        var least = Math.Min(width, height);
        using var portrait = new Composer(faces, scenes, usual with
        {
            Width = width, Height = height, MinBox = 0.55 * least, MaxBox = 1.35 * least, LargeShare = 0, MinFaces = 1, MaxFaces = 1, MaxDistractors = 0, DrawingShare = 0.1,
        }).Compose(ref random);
        var padded = new GreyImage(usual.Width, usual.Height, 1, usual.Width, usual.Height, portrait.Image.Format);
        padded.Pixels.Fill(FindTrainer.Mean);
        for (var y = 0; y < height; y++)
        {
            portrait.Image.Pixels.Slice(y * width, width).CopyTo(padded.Pixels[(y * usual.Width)..]);
        }

        return portrait with { Image = padded };
    }
}
