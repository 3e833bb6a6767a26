using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>How many faces of each kind were judged which way.</summary>
internal sealed record Confusion(int SmilesFound, int SmilesMissed, int NonSmilesFound, int FalseSmiles);

/// <summary>An interval that holds the true share with 95 % certainty.</summary>
internal sealed record Interval(double Low, double High)
{
    /// <summary>Wilson's interval (1927) for <paramref name="hits"/> of <paramref name="count"/>.</summary>
    public static Interval Wilson(int hits, int count)
    {
        const double z = 1.959964;
        var share = (double)hits / count;
        var centre = (share + z * z / (2 * count)) / (1 + z * z / count);
        var half = z / (1 + z * z / count) * Math.Sqrt(share * (1 - share) / count + z * z / (4.0 * count * count));
        return new Interval(centre - half, centre + half);
    }
}

/// <summary>Faces of similar probability: what was claimed of them and what was true.</summary>
internal sealed record ReliabilityBin(int Count, double MeanProbability, double ShareOfSmiles);

/// <summary>Scores of probabilities against labels.</summary>
internal static class Metrics
{
    /// <summary>All scores of one set of faces; where a class is missing, what compares the two is NaN.</summary>
    /// <param name="probabilities">Of a smile, 0..1.</param>
    /// <param name="smiles">The labels, in the same order.</param>
    /// <param name="threshold">From here on a face is judged a smile.</param>
    public static ModelScore Score(IReadOnlyList<double> probabilities, IReadOnlyList<bool> smiles, double threshold = 0.5)
    {
        var confusion = Confuse(probabilities, smiles, threshold);
        double positives = confusion.SmilesFound + confusion.SmilesMissed;
        double negatives = confusion.NonSmilesFound + confusion.FalseSmiles;
        return new ModelScore(
            smiles.Count,
            (confusion.SmilesFound + confusion.NonSmilesFound) / (positives + negatives),
            (confusion.SmilesFound / positives + confusion.NonSmilesFound / negatives) / 2,
            RocAuc(probabilities, smiles),
            LogLoss(probabilities, smiles));
    }

    /// <summary>Counts right and wrong verdicts.</summary>
    public static Confusion Confuse(IReadOnlyList<double> probabilities, IReadOnlyList<bool> smiles, double threshold)
    {
        int Count(bool smile, bool judged) => smiles.Index().Count(label => label.Item == smile && probabilities[label.Index] >= threshold == judged);
        return new Confusion(Count(true, true), Count(true, false), Count(false, false), Count(false, true));
    }

    /// <summary>Area under the receiver operating characteristic: how often a smile scores above a non-smile, ties counting half.</summary>
    public static double RocAuc(IReadOnlyList<double> scores, IReadOnlyList<bool> smiles)
    {
        var order = Enumerable.Range(0, scores.Count).OrderBy(i => scores[i]).ToArray();
        var (rankSum, positives) = (0.0, 0);
        for (var start = 0; start < order.Length;)
        {
            var end = start;
            while (end < order.Length && scores[order[end]] == scores[order[start]])
            {
                end++;
            }

            // Equal scores share the mean of their ranks, start + 1 to end.
            var tied = order[start..end].Count(i => smiles[i]);
            rankSum += tied * (start + 1 + end) / 2.0;
            positives += tied;
            start = end;
        }

        return (rankSum - positives * (positives + 1.0) / 2) / ((double)positives * (order.Length - positives));
    }

    /// <summary>Mean binary cross-entropy in nats; no single face costs more than 16.2 (probabilities end at 1e-7).</summary>
    public static double LogLoss(IReadOnlyList<double> probabilities, IReadOnlyList<bool> smiles) =>
        -smiles.Index().Average(label => Math.Log(Math.Max(1e-7, label.Item ? probabilities[label.Index] : 1 - probabilities[label.Index])));

    private static int Bin(double probability) => Math.Min(9, (int)(probability * 10));

    /// <summary>Sorts faces into ten bins of equal width by their probability; empty bins are left out.</summary>
    public static IReadOnlyList<ReliabilityBin> Reliability(IReadOnlyList<double> probabilities, IReadOnlyList<bool> smiles) =>
    [
        .. probabilities.Zip(smiles, (probability, smile) => (Probability: probability, IsSmile: smile))
            .GroupBy(face => Bin(face.Probability))
            .OrderBy(bin => bin.Key)
            .Select(bin => new ReliabilityBin(bin.Count(), bin.Average(face => face.Probability), bin.Average(face => face.IsSmile ? 1.0 : 0))),
    ];

    /// <summary>
    /// Expected calibration error (Naeini et al. 2015) over ten bins of equal width: how far the mean probability of a smile
    /// and the share of smiles are apart, each bin weighted by its faces; 0..1.
    /// </summary>
    /// <param name="weights">How much each face counts; null for all alike.</param>
    public static double CalibrationError(IReadOnlyList<double> probabilities, IReadOnlyList<bool> smiles, IReadOnlyList<double>? weights = null) =>
        Enumerable.Range(0, probabilities.Count)
            .GroupBy(i => Bin(probabilities[i]))
            .Sum(bin => Math.Abs(bin.Sum(i => (weights?[i] ?? 1) * (probabilities[i] - (smiles[i] ? 1 : 0)))))
        / (weights?.Sum() ?? probabilities.Count);

    /// <summary>The receiver operating characteristic from (0, 0) to (1, 1), a point for each different score.</summary>
    public static IReadOnlyList<(double FalsePositives, double TruePositives)> RocCurve(IReadOnlyList<double> scores, IReadOnlyList<bool> smiles)
    {
        double positives = smiles.Count(smile => smile), negatives = smiles.Count - positives;
        var (found, wrong) = (0, 0);
        List<(double, double)> curve = [(0, 0)];
        foreach (var tied in Enumerable.Range(0, scores.Count).GroupBy(i => scores[i]).OrderByDescending(group => group.Key))
        {
            found += tied.Count(i => smiles[i]);
            wrong += tied.Count(i => !smiles[i]);
            curve.Add((wrong / negatives, found / positives));
        }

        return curve;
    }

    /// <summary>From any number to 0..1.</summary>
    public static double Sigmoid(double logit) => 1 / (1 + Math.Exp(-logit));

    /// <summary>The logit of a probability; probabilities end at 1e-7 and 1 - 1e-7.</summary>
    public static double Logit(double probability)
    {
        var bounded = Math.Clamp(probability, 1e-7, 1 - 1e-7);
        return Math.Log(bounded / (1 - bounded));
    }
}
