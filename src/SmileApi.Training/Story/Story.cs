using System.Text.Json;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>What <c>story.json</c> holds: judges of the same validation faces, and how accuracy grows with the pictures learned from.</summary>
/// <param name="Seed">Of the coin toss.</param>
/// <param name="Data">SHA-256 of each data file by name.</param>
/// <param name="Smiles">Validation faces that smile.</param>
/// <param name="NonSmiles">Validation faces that do not.</param>
/// <param name="Judges">From the one that knows nothing to the served network.</param>
/// <param name="Curve">Null where no network has been trained for it yet.</param>
internal sealed record Story(
    int Seed, IReadOnlyDictionary<string, string> Data, int Smiles, int NonSmiles, IReadOnlyList<JudgeScore> Judges, LearningCurve? Curve)
{
    public const string FileName = "story.json";

    public void Save(string folder) => AtomicFile.Write(Path.Combine(folder, FileName), JsonSerializer.SerializeToUtf8Bytes(this, JsonOutput.Indented));

    /// <returns>The story in a folder, or null where there is none.</returns>
    /// <exception cref="CommandException">It cannot be read.</exception>
    public static Story? Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<Story>(File.ReadAllBytes(path), JsonOutput.Indented);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new CommandException($"{path} cannot be read: {e.Message.ReplaceLineEndings(" ")}");
        }
    }
}

/// <summary>What a judge is worth on the validation faces.</summary>
/// <param name="Name">For tables and plots.</param>
/// <param name="How">How it comes to its verdicts, in a sentence.</param>
/// <param name="Accuracy">Share judged right, 0..1.</param>
/// <param name="AccuracyInterval">Of the accuracy; 95 %.</param>
/// <param name="BalancedAccuracy">Mean of the shares judged right in each class, 0..1.</param>
/// <param name="RocAuc">Area under the receiver operating characteristic, 0..1.</param>
/// <param name="LogLoss">Mean binary cross-entropy in nats; null where the judge gives no probabilities.</param>
internal sealed record JudgeScore(string Name, string How, double Accuracy, Interval AccuracyInterval, double BalancedAccuracy, double RocAuc, double? LogLoss);

/// <summary>How accuracy grows with the number of pictures.</summary>
/// <param name="Seed">Of the choice of pictures and of the training.</param>
/// <param name="Steps">Asked of each network; whole epochs come close to it.</param>
/// <param name="BatchSize">Faces a step.</param>
/// <param name="Note">What one must know to read the points.</param>
/// <param name="Data">SHA-256 of each data file by name.</param>
/// <param name="Points">From few pictures to all.</param>
/// <param name="Filters">
/// The first layer of the network that learned last, as it formed: before the first step and after each epoch, for each filter its 25
/// weights. Null where they were not kept.
/// </param>
internal sealed record LearningCurve(
    int Seed, int Steps, int BatchSize, string Note, IReadOnlyDictionary<string, string> Data, IReadOnlyList<CurvePoint> Points,
    IReadOnlyList<IReadOnlyList<Filter>>? Filters);

/// <summary>A network that has learned from some of the pictures. Nothing in it was chosen by the validation faces but <paramref name="Chosen"/>.</summary>
/// <param name="Pictures">Pictures of each class, or <c>all</c>.</param>
/// <param name="Smiles">Training pictures that smile.</param>
/// <param name="NonSmiles">Training pictures that do not.</param>
/// <param name="Steps">Gradient steps taken.</param>
/// <param name="TrainAccuracy">Share judged right of the pictures learned from, without augmentation, after the last step, 0..1.</param>
/// <param name="Accuracy">Share of the validation faces judged right after the last step, 0..1; as the following.</param>
/// <param name="AccuracyInterval">Of the accuracy; 95 %.</param>
/// <param name="BalancedAccuracy">Mean of the shares judged right in each class, 0..1.</param>
/// <param name="RocAuc">Area under the receiver operating characteristic, 0..1.</param>
/// <param name="LogLoss">Mean binary cross-entropy in nats, not calibrated.</param>
/// <param name="Chosen">What <c>smile train --preset quick</c> would have kept.</param>
internal sealed record CurvePoint(
    string Pictures, int Smiles, int NonSmiles, int Steps, double TrainAccuracy, double Accuracy, Interval AccuracyInterval, double BalancedAccuracy, double RocAuc,
    double LogLoss, ChosenEpoch Chosen);

/// <summary>The epoch with the least validation log loss.</summary>
/// <param name="Step">The last one of that epoch.</param>
/// <param name="Val">Scores on the validation faces, calibrated on them.</param>
internal sealed record ChosenEpoch(int Step, ModelScore Val);
