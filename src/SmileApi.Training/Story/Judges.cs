using SmileApi.Inference;
using static System.FormattableString;

namespace SmileApi.Training;

/// <summary>Judges of the same validation faces, from the one that knows nothing to the served network. None needs libtorch.</summary>
internal static class Judges
{
    /// <param name="train">What the judges that learn may learn from.</param>
    /// <param name="val">Who is judged; both classes must be there.</param>
    /// <param name="served">The served network.</param>
    /// <param name="seed">Of the network that has learned nothing.</param>
    public static IReadOnlyList<JudgeScore> Score(IReadOnlyList<Face> train, IReadOnlyList<Face> val, SmileModel served, int seed)
    {
        bool[] smiles = [.. val.Select(face => face.IsSmile)];
        var share = train.Average(face => face.IsSmile ? 1.0 : 0);
        var rule = MouthRule.Tune(train);
        var regression = PixelRegression.Fit(train);
        return
        [
            Score(
                "coin toss", $"The network with random weights, seed {seed}: its last layer is zero, so it answers 0.5 to every face, which counts as a smile.",
                CoinToss(val, served.Metadata, seed), smiles, 0.5),
            Score("majority class", "Answers the share of smiles among the training faces to every face.", [.. val.Select(_ => share)], smiles, 0.5),
            Score(
                "hand-written rule", $"{rule.Weights.Count} clues in boxes set by hand, their weights and the threshold found on the training faces.",
                [.. val.Select(rule.Score)], smiles, 0, areProbabilities: false),
            Score(
                "logistic regression", Invariant($"On {PixelRegression.Side} x {PixelRegression.Side} pixels; weight decay {regression.Decay}, chosen on a fifth of the training faces."),
                [.. val.Select(regression.Probability)], smiles, 0.5),
            Score(
                "network", $"{served.Metadata.Name} {served.Metadata.Version}, as served; its calibration was fitted on these very faces.",
                Evaluation.Judge(served, val), smiles, served.Metadata.Threshold),
        ];
    }

    private static JudgeScore Score(string name, string how, double[] scores, bool[] smiles, double threshold, bool areProbabilities = true)
    {
        var (score, confusion) = (Metrics.Score(scores, smiles, threshold), Metrics.Confuse(scores, smiles, threshold));
        return new JudgeScore(
            name, how, score.Accuracy, Interval.Wilson(confusion.SmilesFound + confusion.NonSmilesFound, smiles.Length), score.BalancedAccuracy, score.RocAuc,
            areProbabilities ? score.LogLoss : null);
    }

    /// <summary>Probabilities by random weights, on the way that trained weights take: through ONNX and ONNX Runtime.</summary>
    private static double[] CoinToss(IReadOnlyList<Face> faces, ModelMetadata like, int seed)
    {
        var file = Path.GetTempFileName();
        try
        {
            AtomicFile.Write(file, OnnxWriter.Write(Architecture.Served, Weights.Random(Architecture.Served.Layout, seed), like with { Name = "coin-toss", Temperature = 1, Bias = 0 }));
            using var model = PredictCommand.Load(file);
            return Evaluation.Judge(model, faces);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
