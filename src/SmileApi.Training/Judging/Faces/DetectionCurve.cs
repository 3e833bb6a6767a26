namespace SmileApi.Training;

/// <summary>What a detector finds from one confidence on.</summary>
/// <param name="Confidence">0..1; of the least confident box that counts.</param>
/// <param name="Found">Labelled faces with a box of their own.</param>
/// <param name="False">Boxes without a labelled face of their own.</param>
internal sealed record DetectionPoint(double Confidence, int Found, int False);

/// <summary>How many labelled faces a detector finds, and how many boxes it draws round nothing, at every confidence.</summary>
/// <param name="Labelled">Labelled faces, above 0.</param>
/// <param name="Points">From the most confident boxes on, one point for each different confidence.</param>
internal sealed record DetectionCurve(int Labelled, IReadOnlyList<DetectionPoint> Points)
{
    /// <summary>
    /// Area under precision as a function of recall, 0..1. The precision at a recall is the best one that can be had with that
    /// recall or a greater one, at every recall (the all-point rule of PASCAL VOC 2010).
    /// </summary>
    public double AveragePrecision
    {
        get
        {
            var (area, best, found) = (0.0, 0.0, Points.Count == 0 ? 0 : Points[^1].Found);
            foreach (var point in Points.Reverse())
            {
                area += best * (found - point.Found);
                (best, found) = (Math.Max(best, Precision(point)), point.Found);
            }

            return (area + best * found) / Labelled;
        }
    }

    /// <param name="judged">The boxes of all photographs, in any order.</param>
    public static DetectionCurve Of(IEnumerable<JudgedBox> judged, int labelled)
    {
        var (right, wrong) = (0, 0);
        var points = new List<DetectionPoint>();
        foreach (var tied in judged.GroupBy(box => box.Confidence).OrderByDescending(group => group.Key))
        {
            right += tied.Count(box => box.IsRight);
            wrong += tied.Count(box => !box.IsRight);
            points.Add(new DetectionPoint(tied.Key, right, wrong));
        }

        return new DetectionCurve(labelled, points);
    }

    /// <summary>Most labelled faces that are found with at most so many false boxes.</summary>
    public int FoundWith(int falseBoxes) => Points.Where(point => point.False <= falseBoxes).Select(point => point.Found).DefaultIfEmpty().Max();

    /// <summary>What is found from a confidence on.</summary>
    public DetectionPoint At(double confidence) =>
        Points.LastOrDefault(point => point.Confidence >= confidence) is { } point ? point with { Confidence = confidence } : new DetectionPoint(confidence, 0, 0);

    /// <summary>Share of right boxes among those that count, 0..1; of none all are right.</summary>
    public static double Precision(DetectionPoint point) => point.Found + point.False == 0 ? 1 : (double)point.Found / (point.Found + point.False);
}
