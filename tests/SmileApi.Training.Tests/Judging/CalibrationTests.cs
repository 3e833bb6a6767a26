namespace SmileApi.Training.Tests;

public sealed class CalibrationTests
{
    [Theory]
    [InlineData(0.5, 0)]
    [InlineData(1, 2)]
    [InlineData(3, -1)]
    public void What_was_done_to_logits_is_undone(double factor, double offset)
    {
        // Labels drawn with the probabilities that the logits claim, half of them smiles.
        double[] logits = [.. Enumerable.Range(0, 40_000).Select(i => 3 * new SplitMix(1, i).Normal())];
        bool[] smiles = [.. logits.Select((logit, i) => new SplitMix(2, i).Uniform() < Metrics.Sigmoid(logit))];
        var found = Calibration.Fit([.. logits.Select(logit => logit * factor + offset)], smiles);
        Assert.InRange(found.Temperature / factor, 0.97, 1.03);
        Assert.Equal(-offset / factor, found.Bias, 0.05);
    }

    [Fact]
    public void However_rare_smiles_are_the_probabilities_are_right_for_a_half()
    {
        double[] logits = [.. Enumerable.Range(0, 40_000).Select(i => 3 * new SplitMix(1, i).Normal() - 3)];
        bool[] smiles = [.. logits.Select((logit, i) => new SplitMix(2, i).Uniform() < Metrics.Sigmoid(logit))];
        var share = smiles.Average(smile => smile ? 1.0 : 0);
        Assert.InRange(share, 0.1, 0.3);

        var found = Calibration.Fit(logits, smiles);

        Assert.Equal(-Metrics.Logit(share), found.Bias, 0.1);
    }

    [Fact]
    public void Faces_that_are_all_judged_right_leave_it_finite()
    {
        var found = Calibration.Fit([-4, -3, 2, 5], [false, false, true, true]);
        Assert.True(double.IsFinite(found.Temperature) && double.IsFinite(found.Bias));
        Assert.InRange(found.Temperature, 0.05, 1);
    }

    [Fact]
    public void Logits_that_say_nothing_get_a_half() => Assert.Equal(0.5, Calibration.Fit([0, 0, 0, 0], [true, false, false, false]).Probability(0), 6);
}
