using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>
/// A rule as people wrote them before networks: a smile draws folds into the cheeks, widens the mouth, bares the teeth and lifts
/// the light off the lower lip. Where to look was set by hand; how much each clue weighs is found on the training faces.
/// </summary>
/// <remarks>
/// Also tried: whether the mouth's corners lie above its middle, by where it is darkest or has most edges. Without landmarks
/// that told little (ROC AUC 0.63 and 0.57 on the training faces; 0.69 to 0.83 for each clue here).
/// </remarks>
internal sealed class MouthRule
{
    private const int Side = FaceCrop.Side;
    private const int Passes = 4;

    /// <summary>An edge between rows counts as one from here on, in deviations of the face's own levels.</summary>
    private const double EdgeContrast = 0.8;

    // Boxes in percent of the crop, which are its pixels: left, right, top, bottom. Those on the left have a twin on the right.
    private static readonly Func<float[], double>[] Clues =
    [
        face => Twins(face, 8, 20, 42, 52, Level) - Twins(face, 20, 32, 55, 74, Level), // The fold from nose to mouth is darker than the cheekbone.
        face => Twins(face, 12, 26, 50, 65, AcrossRows),                                // The raised cheek ends in a fold.
        face => Twins(face, 24, 42, 70, 84, AlongRows),                                 // Corners of the mouth, and gaps between teeth.
        face => Box(face, 38, 62, 75, 86, Level),                                       // Lower teeth and a stretched lower lip are bright.
        face => Enumerable.Range(66, 16).Max(top => Box(face, 40, 60, top, top + 3, Level)), // A row of teeth.
        MouthWidth,
        face => Twins(face, 20, 34, 85, 95, Level),                                     // Light beside the chin.
    ];

    private readonly (double Mean, double Deviation)[] _ranges;
    private readonly double[] _weights;
    private readonly double _threshold;

    private MouthRule((double, double)[] ranges, double[] weights, double threshold) => (_ranges, _weights, _threshold) = (ranges, weights, threshold);

    /// <summary>How much each clue weighs, once all vary alike.</summary>
    public IReadOnlyList<double> Weights => _weights;

    /// <summary>
    /// Begins with equal weights and moves one at a time for as long as the order of the training faces gets better (ROC AUC);
    /// then sets the threshold that judges most of them right. No chance in it.
    /// </summary>
    public static MouthRule Tune(IReadOnlyList<Face> train)
    {
        bool[] smiles = [.. train.Select(face => face.IsSmile)];
        var clues = Transpose([.. train.Select(Measure)]);
        var ranges = clues.Select(Range).ToArray();
        foreach (var (values, (mean, deviation)) in clues.Zip(ranges))
        {
            foreach (ref var value in values.AsSpan())
            {
                value = (value - mean) / deviation;
            }
        }

        double[] weights = [.. clues.Select(_ => 1.0)];
        var best = Metrics.RocAuc(Sums(), smiles);
        for (var pass = 0; pass < Passes; pass++)
        {
            foreach (var (clue, step) in Enumerable.Range(0, weights.Length).SelectMany(clue => new[] { -0.5, -0.25, 0.25, 0.5 }.Select(step => (clue, step))))
            {
                weights[clue] += step;
                var area = Metrics.RocAuc(Sums(), smiles);
                (best, weights[clue]) = area > best ? (area, weights[clue]) : (best, weights[clue] - step);
            }
        }

        return new MouthRule(ranges, weights, MostRight(Sums(), smiles));

        double[] Sums() => [.. train.Select((_, i) => weights.Index().Sum(clue => clue.Item * clues[clue.Index][i]))];
    }

    /// <summary>How much the face looks like a smile; from 0 on it is judged one. No probability.</summary>
    public double Score(Face face)
    {
        var clues = Measure(face);
        return _weights.Index().Sum(clue => clue.Item * (clues[clue.Index] - _ranges[clue.Index].Mean) / _ranges[clue.Index].Deviation) - _threshold;
    }

    private static double[] Measure(Face face)
    {
        // In deviations from the face's own mean, so that neither the light nor the contrast of the photograph counts.
        var levels = face.Crop(new Normalisation(0, 1));
        var (mean, deviation) = Range([.. levels.Select(level => (double)level)]);
        float[] relative = [.. levels.Select(level => (float)((level - mean) / deviation))];
        return [.. Clues.Select(clue => clue(relative))];
    }

    private static double Level(float[] face, int x, int y) => face[y * Side + x];

    private static double AcrossRows(float[] face, int x, int y) => Math.Abs(face[(y + 2) * Side + x] - face[(y - 2) * Side + x]);

    private static double AlongRows(float[] face, int x, int y) => Math.Abs(face[y * Side + x + 2] - face[y * Side + x - 2]);

    /// <summary>Columns that the line of the mouth crosses.</summary>
    private static double MouthWidth(float[] face) =>
        Enumerable.Range(10, 80).Count(x => Enumerable.Range(62, 20).Any(y => AcrossRows(face, x, y) > EdgeContrast));

    private static double Twins(float[] face, int left, int right, int top, int bottom, Func<float[], int, int, double> at) =>
        (Box(face, left, right, top, bottom, at) + Box(face, Side - right, Side - left, top, bottom, at)) / 2;

    private static double Box(float[] face, int left, int right, int top, int bottom, Func<float[], int, int, double> at)
    {
        var sum = 0.0;
        for (var y = top; y < bottom; y++)
        {
            for (var x = left; x < right; x++)
            {
                sum += at(face, x, y);
            }
        }

        return sum / ((right - left) * (bottom - top));
    }

    /// <summary>Mean and deviation; what does not vary at all gets a deviation that changes nothing.</summary>
    private static (double Mean, double Deviation) Range(double[] values)
    {
        var mean = values.Average();
        var deviation = Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
        return (mean, deviation > 1e-6 ? deviation : 1);
    }

    private static double[][] Transpose(double[][] rows) => [.. rows[0].Select((_, column) => rows.Select(row => row[column]).ToArray())];

    /// <summary>The score from which on most are judged right if they are called smiles.</summary>
    private static double MostRight(double[] scores, bool[] smiles)
    {
        var right = smiles.Count(smile => !smile);
        var (best, threshold) = (right, double.MaxValue);
        foreach (var tied in Enumerable.Range(0, scores.Length).GroupBy(i => scores[i]).OrderByDescending(group => group.Key))
        {
            right += tied.Sum(i => smiles[i] ? 1 : -1);
            (best, threshold) = right > best ? (right, tied.Key) : (best, threshold);
        }

        return threshold;
    }
}
