using SmileApi.Inference;

namespace SmileApi.Training.Tests;

public sealed class JudgesTests
{
    private static readonly Face[] Train = DrawnFaces.Faces(1, 200);
    private static readonly Face[] Val = DrawnFaces.Faces(2, 60);
    private static readonly bool[] Smiles = [.. Val.Select(face => face.IsSmile)];

    [Fact]
    public void The_hand_written_rule_tells_drawn_smiles_better_than_chance_and_always_alike()
    {
        var (rule, again) = (MouthRule.Tune(Train), MouthRule.Tune(Train));
        Assert.Equal(rule.Weights, again.Weights);
        double[] scores = [.. Val.Select(rule.Score)];
        Assert.Equal(scores, Val.Select(again.Score));
        Assert.True(Metrics.RocAuc(scores, Smiles) > 0.7, $"ROC AUC {Metrics.RocAuc(scores, Smiles):F3}.");
    }

    [Fact]
    public void The_threshold_of_the_rule_is_the_one_that_judges_most_training_faces_right()
    {
        var rule = MouthRule.Tune(Train);
        double[] scores = [.. Train.Select(rule.Score)];
        bool[] smiles = [.. Train.Select(face => face.IsSmile)];
        var right = Right(0);
        Assert.All(scores, threshold => Assert.InRange(Right(threshold), 0, right));

        int Right(double threshold) => scores.Zip(smiles).Count(face => face.First >= threshold - 1e-9 == face.Second);
    }

    [Fact]
    public void Logistic_regression_tells_drawn_smiles_better_than_chance_and_always_alike()
    {
        var (regression, again) = (PixelRegression.Fit(Train), PixelRegression.Fit(Train));
        double[] probabilities = [.. Val.Select(regression.Probability)];
        Assert.Equal(probabilities, Val.Select(again.Probability));
        var score = Metrics.Score(probabilities, Smiles);
        Assert.True(score.Accuracy > 0.8 && score.LogLoss < Math.Log(2), $"Accuracy {score.Accuracy:P1}, log loss {score.LogLoss:F3}.");
    }

    /// <summary>Pictures in two folders come a class at a time.</summary>
    [Fact]
    public void Logistic_regression_chooses_by_faces_of_both_classes_in_whatever_order_these_come()
    {
        var regression = PixelRegression.Fit([.. Train.OrderBy(face => face.IsSmile)]);
        Assert.Equal(PixelRegression.Fit(Train).Decay, regression.Decay);
        Assert.All(Val, face => Assert.InRange(regression.Probability(face), 0, 1));
    }

    [Fact]
    public void The_mean_answer_of_a_fitted_regression_is_the_share_of_smiles()
    {
        // The slope of the loss along the bias, which nothing pulls to zero, is zero where Newton's steps end.
        Face[] faces = [.. Train.Where((face, i) => face.IsSmile || i % 4 == 0)];
        var regression = PixelRegression.Fit(faces);
        Assert.Equal(faces.Average(face => face.IsSmile ? 1.0 : 0), faces.Average(regression.Probability), 8);
    }

    [Fact]
    public void Random_weights_toss_a_coin_and_the_majority_class_is_no_better_balanced()
    {
        using var served = PredictCommand.Load(Needs.Committed("models", "smile.onnx"));
        var judges = Judges.Score(Train, Val, served, seed: 7);

        Assert.Equal(["coin toss", "majority class", "hand-written rule", "logistic regression", "network"], judges.Select(judge => judge.Name));
        var coin = judges[0];
        Assert.Equal((0.5, 0.5, 0.5), (coin.Accuracy, coin.BalancedAccuracy, coin.RocAuc)); // Half of the drawn faces smile.
        Assert.Equal(Math.Log(2), coin.LogLoss!.Value, 6);
        Assert.Equal((0.5, 0.5), (judges[1].BalancedAccuracy, judges[1].RocAuc));
        Assert.Null(judges[2].LogLoss);
        Assert.All(judges, judge => Assert.InRange(judge.Accuracy, judge.AccuracyInterval.Low, judge.AccuracyInterval.High));
    }

    [Fact]
    public void Real_smiles_are_judged_as_well_as_the_committed_story_says()
    {
        var folder = Needs.RealFaces();
        var told = Story.Load(Needs.Committed("models", "training"));
        Assert.NotNull(told);
        var archive = Lfw160.Open(folder);
        var (train, val) = (archive.Faces("train", 1), archive.Faces("val", 1));
        using SmileModel served = PredictCommand.Load(Needs.Committed("models", "smile.onnx"));

        var judges = Judges.Score(train, val, served, told.Seed);

        Assert.All(judges.Zip(told.Judges), pair =>
        {
            // Other processors add in another order: a face or two may fall on the other side.
            Assert.Equal(pair.Second.Name, pair.First.Name);
            Assert.Equal(pair.Second.Accuracy, pair.First.Accuracy, 0.004);
            Assert.Equal(pair.Second.RocAuc, pair.First.RocAuc, 0.002);
        });
        Assert.All(judges.Skip(1).Zip(judges.Skip(2)), pair => Assert.True(pair.First.RocAuc < pair.Second.RocAuc));
    }
}
