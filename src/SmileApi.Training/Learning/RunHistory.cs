using System.Text.Json;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>What a run leaves beside its model: <c>training/history.json</c>.</summary>
/// <param name="Scores">By split; <c>test</c> only of a model to be shipped.</param>
/// <param name="Data">SHA-256 of each data file by name.</param>
/// <param name="Epochs">From epoch 0, before the first step, on.</param>
/// <param name="Filters">
/// What <see cref="Checkpoint.Filters"/> is: for each of <paramref name="Epochs"/>, for each filter of the first layer, its 25
/// weights, row by row. Those of <paramref name="BestEpoch"/> are the ones that are served. Null where the run did not keep them.
/// </param>
/// <param name="TrainByLabel">
/// Whether <see cref="EpochRecord.Train"/> tells of training faces whose label was delivered as certain, judged by that label. In
/// older histories it tells of those whose target is 0 or 1 to four digits: of a run that learned from teachers, only the faces
/// of which these are surest, which are the easiest.
/// </param>
/// <inheritdoc cref="Checkpoint"/>
internal sealed record RunHistory(
    string Model, string Version, int Pictures, int BestEpoch, double Temperature, double Bias, IReadOnlyDictionary<string, ModelScore> Scores,
    IReadOnlyDictionary<string, string> Data, TrainOptions Options, IReadOnlyList<EpochRecord> Epochs,
    IReadOnlyList<IReadOnlyList<Filter>>? Filters, bool TrainByLabel = false)
{
    /// <summary>Where the history of a model lies, beside plots and labels.</summary>
    public static string PathBeside(string model) => Path.Combine(Path.GetDirectoryName(Path.GetFullPath(model))!, "training", "history.json");

    public static RunHistory Of(Checkpoint checkpoint, ModelMetadata metadata) => new(
        metadata.Name, metadata.Version, checkpoint.Pictures, checkpoint.BestEpoch, metadata.Temperature, metadata.Bias, metadata.Scores, checkpoint.Data, checkpoint.Options, checkpoint.History,
        checkpoint.Filters, TrainByLabel: true);

    public void Save(string path) => AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, JsonOutput.Indented));

    /// <exception cref="CommandException">It is not there or no such file.</exception>
    public static RunHistory Load(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<RunHistory>(File.ReadAllBytes(path), JsonOutput.Indented) ?? throw new JsonException("It is empty.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new CommandException($"{path} cannot be read: {e.Message}");
        }
    }
}
