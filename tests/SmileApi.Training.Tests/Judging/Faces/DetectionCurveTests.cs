namespace SmileApi.Training.Tests;

public sealed class DetectionCurveTests
{
    [Fact]
    public void Every_confidence_is_a_point_of_the_curve()
    {
        var curve = Curve(4, (0.9, true), (0.8, false), (0.8, true), (0.3, true), (0.2, false));

        Assert.Equal([new(0.9, 1, 0), new(0.8, 2, 1), new(0.3, 3, 1), new(0.2, 3, 2)], curve.Points);
        Assert.Equal([1, 3, 3], new[] { 0, 1, 7 }.Select(curve.FoundWith));
        Assert.Equal(new DetectionPoint(0.5, 2, 1), curve.At(0.5));
        Assert.Equal(new DetectionPoint(0.8, 2, 1), curve.At(0.8));
        Assert.Equal(new DetectionPoint(0.95, 0, 0), curve.At(0.95));
        Assert.Equal(0.6, DetectionCurve.Precision(curve.Points[^1]));
        Assert.Equal(1, DetectionCurve.Precision(curve.At(0.95)));
    }

    [Fact]
    public void Average_precision_is_the_area_under_the_best_precision_of_each_recall()
    {
        // Precision 1, then 1/2 (so 2/3 counts, which comes with more recall), then 2/3; the fourth face is never found.
        Assert.Equal((1 + 2.0 / 3) / 4, Curve(4, (0.9, true), (0.8, false), (0.7, true)).AveragePrecision, 12);
        Assert.Equal(1, Curve(2, (0.9, true), (0.8, true), (0.7, false)).AveragePrecision, 12);
        Assert.Equal(0, Curve(2, (0.9, false)).AveragePrecision);
        Assert.Equal(0, Curve(2).AveragePrecision);
    }

    [Fact]
    public void Average_precision_is_what_slow_and_obvious_code_says()
    {
        for (var trial = 0; trial < 100; trial++)
        {
            // Rounded, so that there are ties.
            var random = new SplitMix(6, trial);
            var judged = Enumerable.Range(0, 60).Select(_ => (Math.Round(random.Uniform(), 1), random.Uniform() < 0.6)).ToArray();
            const int Labelled = 50;

            // The mean over the labelled faces, the k-th of which is found where at least k are.
            var sum = 0.0;
            for (var k = 1; k <= Labelled; k++)
            {
                var best = 0.0;
                foreach (var threshold in judged.Select(box => box.Item1).Distinct())
                {
                    var counted = judged.Where(box => box.Item1 >= threshold).ToArray();
                    if (counted.Count(box => box.Item2) >= k)
                    {
                        best = Math.Max(best, counted.Average(box => box.Item2 ? 1.0 : 0));
                    }
                }

                sum += best;
            }

            Assert.Equal(sum / Labelled, Curve(Labelled, judged).AveragePrecision, 9);
        }
    }

    private static DetectionCurve Curve(int labelled, params (double Confidence, bool IsRight)[] judged) =>
        DetectionCurve.Of(judged.Select(box => new JudgedBox(box.Confidence, box.IsRight)), labelled);
}
