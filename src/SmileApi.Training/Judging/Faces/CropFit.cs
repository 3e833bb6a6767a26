using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>A mean and the standard deviation about it.</summary>
internal sealed record Spread(double Mean, double Deviation)
{
    public static Spread Of(IReadOnlyCollection<double> values)
    {
        var mean = values.Average();
        return new Spread(mean, Math.Sqrt(values.Average(value => (value - mean) * (value - mean))));
    }
}

/// <summary>How crops as found lie to the labelled ones.</summary>
/// <param name="Count">Faces found that have a labelled crop.</param>
/// <param name="Dx">How far right of the labelled centre, in sides of the labelled crop.</param>
/// <param name="Dy">The same downwards.</param>
/// <param name="LogScale">Natural logarithm of the side found by the labelled one.</param>
internal sealed record CropFit(int Count, Spread Dx, Spread Dy, Spread LogScale)
{
    /// <returns>Null where no face that was found has a labelled crop.</returns>
    public static CropFit? Of(IEnumerable<Portrait> portraits)
    {
        (FaceSquare Found, FaceSquare Labelled)[] pairs =
            [.. portraits.Where(portrait => portrait.IsFound && portrait.Row.HasSquare).Select(portrait => (portrait.Served.Square, portrait.Face.Square))];
        return pairs.Length == 0 ? null : new CropFit(
            pairs.Length,
            Spread.Of([.. pairs.Select(pair => (double)(pair.Found.X + pair.Found.Side / 2 - pair.Labelled.X - pair.Labelled.Side / 2) / pair.Labelled.Side)]),
            Spread.Of([.. pairs.Select(pair => (double)(pair.Found.Y + pair.Found.Side / 2 - pair.Labelled.Y - pair.Labelled.Side / 2) / pair.Labelled.Side)]),
            Spread.Of([.. pairs.Select(pair => Math.Log(pair.Found.Side / pair.Labelled.Side))]));
    }
}

/// <summary>How well smiles are judged were crops cut by another rule.</summary>
/// <param name="Scale">Of the crop's side, about its centre.</param>
/// <param name="Shift">Downwards, in sides of the crop before scaling.</param>
internal sealed record CropRule(double Scale, double Shift, EvaluationScore Score)
{
    private static readonly double[] Scales = [0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2, 1.25];
    private static readonly double[] Shifts = [-0.1, -0.05, 0, 0.05, 0.1];

    /// <summary>Judges the agreed faces that are found by every rule.</summary>
    public static IReadOnlyList<CropRule> Sweep(IEnumerable<Portrait> portraits, SmileModel smile)
    {
        var agreed = PortraitScores.Agreed(portraits);
        return
        [
            .. from scale in Scales
               from shift in Shifts
               let score = PortraitScores.Smiles(smile, [.. agreed.Select(portrait => portrait.Served with { Square = Apply(portrait.Served.Square, scale, shift) })])
               where score is not null
               select new CropRule(scale, shift, score),
        ];
    }

    /// <summary>Scales a crop about its centre and shifts it downwards.</summary>
    public static FaceSquare Apply(FaceSquare crop, double scale, double shift)
    {
        var side = (float)(crop.Side * scale);
        return new FaceSquare(crop.X + (crop.Side - side) / 2, crop.Y + (crop.Side - side) / 2 + (float)shift * crop.Side, side);
    }
}
