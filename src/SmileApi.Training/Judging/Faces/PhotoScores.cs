using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>The Haar cascade beside our detector.</summary>
/// <param name="MinNeighbors">How many raw hits must agree.</param>
/// <param name="Found">Labelled faces that the cascade finds.</param>
/// <param name="False">Boxes that it draws round nothing.</param>
/// <param name="OursFound">Labelled faces that our detector finds with no more false boxes.</param>
/// <param name="Milliseconds">CPU time a photograph, from grey pixels to boxes, on one thread; median of the rounds.</param>
internal sealed record HaarScore(int MinNeighbors, int Found, int False, int OursFound, double Milliseconds);

/// <summary>What a detector finds in photographs with boxes; box against box.</summary>
/// <param name="Photos">Photographs.</param>
/// <param name="Faces">Labelled boxes in them.</param>
/// <param name="AtThreshold">What is found from the default confidence on.</param>
/// <param name="FoundWith8False">Labelled faces that are found with at most 8 false boxes in all photographs together.</param>
/// <param name="FoundWith20False">The same with at most 20.</param>
/// <param name="AveragePrecision">0..1, over confidences from <see cref="LeastConfidence"/> on.</param>
/// <param name="Milliseconds">CPU time a photograph, from grey pixels to faces at the default threshold, on one thread; median of the rounds.</param>
/// <param name="OpenCv">The cascade's version; null where it was left out.</param>
/// <param name="Haar">The cascade at each number of neighbours, its rounds by turns with ours.</param>
/// <param name="Curve">As far as there are at most 200 false boxes.</param>
internal sealed record PhotoScores(
    int Photos, int Faces, DetectionPoint AtThreshold, int FoundWith8False, int FoundWith20False, double AveragePrecision, double Milliseconds,
    string? OpenCv, IReadOnlyList<HaarScore> Haar, IReadOnlyList<DetectionPoint> Curve)
{
    /// <summary>Where the curve ends.</summary>
    public const float LeastConfidence = 0.01f;

    private const int Rounds = 3;

    // Those with which the cascade's figures are known.
    private static readonly int[] MinNeighbors = [1, 2, 3, 5];

    /// <summary>How many times longer than our detector the cascade takes, at whichever number of neighbours it is fastest; null where it was left out.</summary>
    public double? TimesFaster => Haar.Count == 0 ? null : Haar.Min(haar => haar.Milliseconds) / Milliseconds;

    /// <summary>Measures a detector.</summary>
    /// <param name="withHaar">Whether to measure the cascade, too; where it is missing one line on stderr says so.</param>
    public static PhotoScores Measure(FaceDetector detector, IReadOnlyList<LabelledPhoto> photos, bool withHaar)
    {
        GreyImage[] images = [.. photos.Select(photo => Lfw160.DecodeWhole(photo.File, photo.Bytes))];
        var labelled = photos.Sum(photo => photo.Boxes.Count);
        var curve = DetectionCurve.Of(images.Zip(photos).SelectMany(pair => DetectionMatch.Judge(
            detector.Faces(pair.First, LeastConfidence).Select(face => new FoundBox(Box.Of(face.Box), face.Confidence)), pair.Second.Boxes)), labelled);
        using var haar = withHaar ? Start(images) : null;
        var (ours, runs) = Race(() => Array.ForEach(images, image => detector.Faces(image)), haar);
        return new PhotoScores(
            photos.Count, labelled, curve.At(detector.Threshold), curve.FoundWith(8), curve.FoundWith(20), curve.AveragePrecision, ours / photos.Count, haar?.Version,
            [.. runs.Select(run => Score(run.Key, run))], [.. curve.Points.TakeWhile(point => point.False <= 200)]);

        HaarScore Score(int minNeighbors, IEnumerable<HaarRun> rounds)
        {
            var judged = rounds.First().Boxes.Zip(photos, (boxes, photo) => DetectionMatch.Judge(boxes.Select(box => new FoundBox(box, 1)), photo.Boxes)).SelectMany(boxes => boxes).ToArray();
            var (found, wrong) = (judged.Count(box => box.IsRight), judged.Count(box => !box.IsRight));
            return new HaarScore(minNeighbors, found, wrong, curve.FoundWith(wrong), Median(rounds.Select(run => 1000 * run.Seconds)) / photos.Count);
        }
    }

    private static HaarCascade? Start(GreyImage[] images)
    {
        if (!HaarCascade.TryStart(images, out var haar, out var reason))
        {
            Console.Error.WriteLine($"The comparison with the Haar cascade is left out: {reason}.");
        }

        return haar;
    }

    /// <summary>Lets both work by turns, so that what else the machine does falls on both.</summary>
    /// <returns>Milliseconds of CPU time of our rounds, their median; and the cascade's rounds by number of neighbours.</returns>
    private static (double Ours, ILookup<int, HaarRun> Haar) Race(Action ours, HaarCascade? haar)
    {
        ours(); // Warm: compiled, and with its memory.
        var (times, runs) = (new List<double>(), new List<(int MinNeighbors, HaarRun Run)>());
        foreach (var minNeighbors in Enumerable.Repeat(MinNeighbors, Rounds).SelectMany(round => round))
        {
            var before = Environment.CpuUsage.TotalTime;
            ours();
            times.Add((Environment.CpuUsage.TotalTime - before).TotalMilliseconds);
            if (haar is not null)
            {
                runs.Add((minNeighbors, haar.Run(minNeighbors)));
            }
        }

        return (Median(times), runs.ToLookup(run => run.MinNeighbors, run => run.Run));
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
