using System.Text.Json;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>What was decided about training pictures with the same label.</summary>
/// <param name="Label">The delivered one.</param>
/// <param name="Decision">As <see cref="TrainingTarget"/> has it.</param>
/// <param name="Smiles">How many smiles they are learned as, together.</param>
internal sealed record Decided(string Label, string Decision, int Count, double Smiles);

/// <summary>Every figure of a model's card, and where it comes from.</summary>
/// <param name="FileSize">Of the model, in bytes.</param>
/// <param name="Rows">What the archive's labels say.</param>
/// <param name="Cleaned">What <c>training/labels.csv</c> decides; empty without that file.</param>
/// <param name="Val">Measured now, like <paramref name="Test"/>.</param>
/// <param name="Story">How the network got from random weights to its answers; null if nobody has written that down.</param>
internal sealed record CardFigures(
    ModelMetadata Metadata, long FileSize, RunHistory History, IReadOnlyList<LabelRow> Rows, IReadOnlyList<Decided> Cleaned, Evaluation Val, Evaluation Test,
    JsonDocument? Story)
{
    /// <summary>Reads what lies beside the model, and judges the model anew.</summary>
    /// <param name="file">An ONNX file; <c>training/</c> beside it holds the history of its run, and the clean labels if it learned from such.</param>
    /// <param name="folder">The one with <c>lfw160.tar</c>, or null for <c>SMILE_DATA</c>, or else <c>../shared/data</c>.</param>
    /// <exception cref="CommandException">Something is missing or belongs to another model.</exception>
    public static CardFigures Measure(string file, string? folder)
    {
        using var model = PredictCommand.Load(file);
        var (path, trained) = (RunHistory.PathBeside(file), model.Metadata.Training.Data);
        var history = RunHistory.Load(path);
        if (history.Version != model.Metadata.Version || history.Temperature != model.Metadata.Temperature || history.Scores is null || history.Epochs is not { Count: > 0 })
        {
            throw new CommandException($"{path} is not the history of {file}.");
        }

        var data = Lfw160.Open(folder);
        if (trained.GetValueOrDefault(Lfw160.ArchiveName) != data.Hashes()[Lfw160.ArchiveName])
        {
            throw new CommandException($"{file} was not trained on this {Lfw160.ArchiveName}, and a card tells of such models only.");
        }

        var beside = Path.GetDirectoryName(path)!;
        var story = Path.Combine(beside, "story.json");
        return new CardFigures(
            model.Metadata, new FileInfo(file).Length, history, data.Rows, ReadCleaned(Path.Combine(beside, "labels.csv")), Evaluation.Of(model, data, "val", Lfw160.ArchiveName),
            Evaluation.Of(model, data, "test", Lfw160.ArchiveName), File.Exists(story) ? ReadStory(story) : null);
    }

    private static Decided[] ReadCleaned(string path) => !File.Exists(path)
        ? []
        :
        [
            .. TrainingTargets.Read(path).Targets.Values.GroupBy(target => (target.Label, target.Decision)).OrderBy(group => group.Key.ToString(), StringComparer.Ordinal)
                .Select(group => new Decided(group.Key.Label, group.Key.Decision, group.Count(), group.Sum(target => target.Target))),
        ];

    private static JsonDocument ReadStory(string path)
    {
        try
        {
            return JsonDocument.Parse(File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new CommandException($"{path} cannot be read: {e.Message}");
        }
    }
}
