using System.Text.Json.Serialization;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>Scores of faces that may all be of one class: what compares the classes is null then.</summary>
/// <inheritdoc cref="ModelScore"/>
internal sealed record EvaluationScore(int Count, double Accuracy, double? BalancedAccuracy, double? RocAuc, double LogLoss)
{
    /// <inheritdoc cref="Metrics.Score"/>
    public static EvaluationScore Of(IReadOnlyList<double> probabilities, IReadOnlyList<bool> smiles, double threshold)
    {
        var score = Metrics.Score(probabilities, smiles, threshold);
        return new EvaluationScore(score.Count, score.Accuracy, IfDefined(score.BalancedAccuracy), IfDefined(score.RocAuc), score.LogLoss);

        static double? IfDefined(double score) => double.IsNaN(score) ? null : score;
    }
}

/// <summary>Scores under one condition; the area under the curve only where both classes are there.</summary>
internal sealed record Condition(string Name, int Count, double Accuracy, double? RocAuc);

/// <summary>What the same answers would be worth where another share of the faces smile: each class is weighed anew.</summary>
/// <param name="ShareOfSmiles">0..1.</param>
/// <param name="CalibrationError">Expected calibration error, 0..1.</param>
internal sealed record AtShare(double ShareOfSmiles, double Accuracy, double CalibrationError, double LogLoss);

/// <summary>What is said of faces without a certain label, of which nobody can say whether it is right.</summary>
/// <param name="ShareOfSmiles">Share judged smiles, 0..1.</param>
/// <param name="MeanProbability">Of a smile, 0..1.</param>
internal sealed record UncertainJudged(string Name, int Count, double ShareOfSmiles, double MeanProbability);

/// <summary>
/// What a model file is worth on labelled faces, through ONNX Runtime and the server's own cropping. Needs no libtorch. Printed as
/// JSON as it is.
/// </summary>
/// <param name="CalibrationError">Expected calibration error, 0..1.</param>
/// <param name="ByShare">At other shares of smiles; empty for faces of one class.</param>
/// <param name="BySize">The faces by the side of their crop, in pixels of the original.</param>
/// <param name="Corrupted">The same faces, spoilt.</param>
/// <param name="Uncertain">Faces of the same split that have no certain label, and count in no score.</param>
internal sealed record Evaluation(
    string Model, string Version, string Sha256, string Split, double Threshold, EvaluationScore Score, Interval AccuracyInterval, double CalibrationError,
    Confusion Confusion, IReadOnlyList<ReliabilityBin> Reliability, IReadOnlyList<AtShare> ByShare, IReadOnlyList<Condition> BySize, IReadOnlyList<Condition> Corrupted,
    IReadOnlyList<UncertainJudged> Uncertain)
{
    private const int BatchSize = 32;
    private static readonly double[] Shares = [0.1, 0.25, 0.5, 0.75];

    /// <summary>Of each face, 0..1.</summary>
    [JsonIgnore]
    public double[] Probabilities { get; init; } = [];

    /// <summary>The labels, in the same order.</summary>
    [JsonIgnore]
    public bool[] Smiles { get; init; } = [];

    /// <summary>Judges a model on a split.</summary>
    /// <param name="source">What to call the data in messages.</param>
    /// <param name="split">Or <see cref="FaceData.All"/>.</param>
    /// <exception cref="CommandException">There is no face to judge it by.</exception>
    public static Evaluation Of(SmileModel model, IFaceData data, string split, string source)
    {
        var faces = data.Faces(split, perClass: 0);
        if (faces.Count == 0)
        {
            throw new CommandException($"{source} has no readable picture {(split == FaceData.All ? "" : $"in its split '{split}' ")}to judge by.");
        }

        var (metadata, normalisation) = (model.Metadata, model.Metadata.Input.Normalisation);
        var probabilities = Judge(model, faces);
        bool[] smiles = [.. faces.Select(face => face.IsSmile)];
        var confusion = Metrics.Confuse(probabilities, smiles, metadata.Threshold);
        return new Evaluation(
            metadata.Name, metadata.Version, model.Sha256, split, metadata.Threshold, EvaluationScore.Of(probabilities, smiles, metadata.Threshold),
            Interval.Wilson(confusion.SmilesFound + confusion.NonSmilesFound, faces.Count), Metrics.CalibrationError(probabilities, smiles), confusion,
            Metrics.Reliability(probabilities, smiles), AtShares(probabilities, smiles, metadata.Threshold), GroupBySize(faces, probabilities, metadata.Threshold),
            [.. Corruption.All.Select(corruption => Under(corruption.Name, Judge(model, faces.Select((face, i) => corruption.Apply(face, i, normalisation))), smiles, metadata.Threshold))],
            [.. data.Uncertain(split).Select(group => Uncertainly(group.Name, Judge(model, group.Faces), metadata.Threshold))])
        {
            Probabilities = probabilities,
            Smiles = smiles,
        };
    }

    /// <summary>Probabilities of faces by a model file.</summary>
    public static double[] Judge(SmileModel model, IReadOnlyList<Face> faces) => Judge(model, faces.Select(face => face.Crop(model.Metadata.Input.Normalisation)));

    /// <summary>Probabilities of crops, each of shape <c>[100, 100]</c> and normalised.</summary>
    private static double[] Judge(SmileModel model, IEnumerable<float[]> crops)
    {
        using var runner = model.CreateRunner(BatchSize);
        var probabilities = new List<double>();
        var batch = new float[BatchSize];
        foreach (var chunk in crops.Chunk(BatchSize))
        {
            runner.Run(chunk, batch);
            probabilities.AddRange(batch.Take(chunk.Length).Select(probability => (double)probability));
        }

        return [.. probabilities];
    }

    private static AtShare[] AtShares(double[] probabilities, bool[] smiles, double threshold)
    {
        if (!smiles.Contains(true) || !smiles.Contains(false))
        {
            return [];
        }

        var positives = smiles.Average(smile => smile ? 1.0 : 0);
        return
        [
            .. Shares.Select(share =>
            {
                double[] weights = [.. smiles.Select(smile => smile ? share / positives : (1 - share) / (1 - positives))];
                var right = Enumerable.Range(0, smiles.Length).Sum(i => probabilities[i] >= threshold == smiles[i] ? weights[i] : 0);
                var loss = Enumerable.Range(0, smiles.Length).Sum(i => weights[i] * Metrics.LogLoss([probabilities[i]], [smiles[i]]));
                return new AtShare(share, right / smiles.Length, Metrics.CalibrationError(probabilities, smiles, weights), loss / smiles.Length);
            }),
        ];
    }

    private static Condition[] GroupBySize(IReadOnlyList<Face> faces, double[] probabilities, double threshold)
    {
        (double From, double To, string Name)[] sizes = [(0, 50, "below 50 px"), (50, 100, "50 to 100 px"), (100, 200, "100 to 200 px"), (200, double.MaxValue, "200 px and more")];
        return
        [
            .. sizes.Select(size => (size.Name, Members: faces.Index().Where(face => face.Item.Square.Side * face.Item.Image.Reduction is var side && side >= size.From && side < size.To).ToArray()))
                .Where(size => size.Members.Length > 0)
                .Select(size => Under(
                    size.Name, [.. size.Members.Select(face => probabilities[face.Index])], [.. size.Members.Select(face => face.Item.IsSmile)], threshold)),
        ];
    }

    private static Condition Under(string name, double[] probabilities, bool[] smiles, double threshold)
    {
        var score = EvaluationScore.Of(probabilities, smiles, threshold);
        return new Condition(name, score.Count, score.Accuracy, score.RocAuc);
    }

    private static UncertainJudged Uncertainly(string name, double[] probabilities, double threshold) =>
        new(name, probabilities.Length, probabilities.Average(probability => probability >= threshold ? 1.0 : 0), probabilities.Average());
}
