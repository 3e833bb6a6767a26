namespace SmileApi.Training.Tests;

public sealed class MetricsTests
{
    private static readonly bool[] Smiles = [.. Enumerable.Range(0, 400).Select(i => i % 3 == 0)];

    // Rounded to one decimal, so that there are many ties; smiles score higher, but not always.
    private static readonly double[] Scores =
        [.. Smiles.Index().Select(label => Math.Round(new SplitMix(7, label.Index).Uniform(0, label.Item ? 1 : 0.7), 1))];

    [Fact]
    public void ROC_AUC_is_the_share_of_pairs_in_the_right_order_and_half_the_ties()
    {
        var (right, pairs) = (0.0, 0);
        foreach (var (i, smile) in Smiles.Index().Where(label => label.Item))
        {
            foreach (var (j, other) in Smiles.Index().Where(label => !label.Item))
            {
                right += Scores[i] > Scores[j] ? 1 : Scores[i] == Scores[j] ? 0.5 : 0;
                pairs++;
            }
        }

        Assert.Equal(right / pairs, Metrics.RocAuc(Scores, Smiles), 12);
    }

    [Fact]
    public void The_area_under_the_curve_is_ROC_AUC_and_the_curve_runs_from_corner_to_corner()
    {
        var curve = Metrics.RocCurve(Scores, Smiles);

        var area = curve.Zip(curve.Skip(1)).Sum(step => (step.Second.FalsePositives - step.First.FalsePositives) * (step.First.TruePositives + step.Second.TruePositives) / 2);
        Assert.Equal(Metrics.RocAuc(Scores, Smiles), area, 12);
        Assert.Equal((0.0, 0.0), curve[0]);
        Assert.Equal((1.0, 1.0), curve[^1]);
    }

    [Fact]
    public void Calibration_error_is_the_weighted_distance_between_what_is_answered_and_what_is_true()
    {
        // Three faces about 0.2, one of them smiling; one at 0.95 and one at 1, of which one smiles.
        double[] answered = [0.2, 0.22, 0.24, 0.95, 1];
        bool[] smiles = [true, false, false, true, false];

        Assert.Equal([3, 2], Metrics.Reliability(answered, smiles).Select(bin => bin.Count));
        Assert.Equal(3.0 / 5 * (1.0 / 3 - 0.22) + 2.0 / 5 * (0.975 - 0.5), Metrics.CalibrationError(answered, smiles), 12);
        Assert.Equal(0, Metrics.CalibrationError([0, 1, 1], [false, true, true]), 12);
    }

    [Fact]
    public void The_confusion_counts_every_face_once()
    {
        var confusion = Metrics.Confuse(Scores, Smiles, 0.5);
        Assert.Equal(Smiles.Length, confusion.SmilesFound + confusion.SmilesMissed + confusion.NonSmilesFound + confusion.FalseSmiles);
        Assert.Equal(Smiles.Where((smile, i) => smile && Scores[i] >= 0.5).Count(), confusion.SmilesFound);
        Assert.Equal(Smiles.Where((smile, i) => !smile && Scores[i] >= 0.5).Count(), confusion.FalseSmiles);
    }

    [Fact]
    public void Accuracy_and_balanced_accuracy_follow_from_the_confusion()
    {
        // 3 smiles, 2 of them found; 5 others, 4 of them found.
        var score = Metrics.Score([0.9, 0.5, 0.1, 0.2, 0.2, 0.2, 0.2, 0.6], [true, true, true, false, false, false, false, false]);
        Assert.Equal(6.0 / 8, score.Accuracy, 12);
        Assert.Equal((2.0 / 3 + 4.0 / 5) / 2, score.BalancedAccuracy, 12);
    }

    [Fact]
    public void Log_loss_of_a_coin_toss_is_the_logarithm_of_two() => Assert.Equal(Math.Log(2), Metrics.LogLoss([0.5, 0.5, 0.5], [true, false, true]), 12);

    [Fact]
    public void Log_loss_of_certain_mistakes_is_finite() => Assert.Equal(-Math.Log(1e-7), Metrics.LogLoss([0, 1], [true, false]), 6);

    [Fact]
    public void Wilsons_interval_is_the_published_one()
    {
        // Newcombe 1998, table I: 81 of 263.
        var interval = Interval.Wilson(81, 263);
        Assert.Equal(0.2553, interval.Low, 4);
        Assert.Equal(0.3662, interval.High, 4);
    }
}
