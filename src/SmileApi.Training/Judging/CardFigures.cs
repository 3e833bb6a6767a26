using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>What was decided about training pictures with the same label.</summary>
/// <param name="Label">The delivered one.</param>
/// <param name="Decision">As <see cref="TrainingTarget"/> has it.</param>
/// <param name="Smiles">How many smiles they are learned as, together.</param>
internal sealed record Decided(string Label, string Decision, int Count, double Smiles);

/// <summary>A model against the eye.</summary>
/// <param name="Set">As <see cref="ByEye.Verdict"/> has it.</param>
/// <param name="Share">Of smiles among all <paramref name="Looked"/> at, doubts counted in part.</param>
/// <param name="Certain">Those without doubt, of which the rest is.</param>
internal sealed record EyeJudged(string Set, int Looked, double Share, int Certain, double Accuracy, double RocAuc);

/// <summary>Every figure of a model's card, and where it comes from.</summary>
/// <param name="FileSize">Of the model, in bytes.</param>
/// <param name="Rows">What the archive's labels say.</param>
/// <param name="Cleaned">What <c>training/labels.csv</c> decides; empty without that file.</param>
/// <param name="Val">Measured now, like <paramref name="Test"/>.</param>
/// <param name="Int8">What the same network in 8 bits is worth on the test faces; null where no such file lies beside it.</param>
/// <param name="OtherEmotions">How many agreed <c>nonsmile</c> test faces show an emotion that the labelling names, anger for instance, and how many of them the model takes for smiles.</param>
/// <param name="ByEye">Faces that the makers judged by eye, those of which they were certain.</param>
/// <param name="Story">Other judges of the same faces, and the learning curve; null if nobody has measured them.</param>
internal sealed record CardFigures(
    ModelMetadata Metadata, long FileSize, RunHistory History, IReadOnlyList<LabelRow> Rows, IReadOnlyList<Decided> Cleaned, Evaluation Val, Evaluation Test, Evaluation? Int8,
    (int Count, int TakenForSmiles) OtherEmotions, IReadOnlyList<EyeJudged> ByEye, Story? Story)
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
        var story = Training.Story.Load(beside);
        if (story is not null && story.Data.Any(file => trained.GetValueOrDefault(file.Key) != file.Value))
        {
            throw new CommandException($"{Path.Combine(beside, Training.Story.FileName)} is of other data than the model; measure it again: smile story");
        }

        return new CardFigures(
            model.Metadata, new FileInfo(file).Length, history, data.Rows, ReadCleaned(Path.Combine(beside, "labels.csv")), Evaluation.Of(model, data, "val", Lfw160.ArchiveName),
            Evaluation.Of(model, data, "test", Lfw160.ArchiveName), MeasureInt8(Path.ChangeExtension(file, null) + "-int8.onnx", model, data), Emotional(model, data), JudgedByEye(model, Path.Combine(beside, Training.ByEye.FileName), Lfw160.Folder(folder)), story);
    }

    private static (int Count, int TakenForSmiles) Emotional(SmileModel model, Lfw160 data)
    {
        Face[] faces = [.. data.Files(row => row is { Split: "test", Label: "nonsmile" } and not { Emotion: "neutral" or "" }).Select(file => Lfw160.Face(file.Row, file.Bytes, target: 0))];
        return (faces.Length, Evaluation.Judge(model, faces).Count(probability => probability >= model.Metadata.Threshold));
    }

    private static EyeJudged[] JudgedByEye(SmileModel model, string path, string folder)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        var verdicts = Training.ByEye.Read(path);
        var faces = Lfw160.Open(folder).Files(row => row.Split == "val" && !row.IsAgreed).Select(file => (Key: TrainingTargets.KeyOf(file.Bytes), Face: Lfw160.Face(file.Row, file.Bytes, target: 0)))
            .Concat(Faces36.IsIn(folder) ? Faces36.Files(folder).Where(file => verdicts.ContainsKey(TrainingTargets.KeyOf(file.Bytes))).Select(file => (Key: TrainingTargets.KeyOf(file.Bytes), Face: Faces36.Face(file.Name, file.Bytes, target: 0))) : [])
            .Where(judged => verdicts.ContainsKey(judged.Key)).DistinctBy(judged => judged.Key).ToLookup(judged => verdicts[judged.Key].Set, judged => (judged.Face, verdicts[judged.Key].Smile));
        return [.. faces.Select(set =>
        {
            var certain = set.Where(judged => judged.Smile is 0 or 1).ToArray();
            bool[] smiles = [.. certain.Select(judged => judged.Smile == 1)];
            var score = Metrics.Score(Evaluation.Judge(model, [.. certain.Select(judged => judged.Face)]), smiles, model.Metadata.Threshold);
            return new EyeJudged(set.Key, set.Count(), set.Average(judged => judged.Smile), score.Count, score.Accuracy, score.RocAuc);
        })];
    }

    private static Evaluation? MeasureInt8(string file, SmileModel whole, Lfw160 data)
    {
        if (!File.Exists(file))
        {
            return null;
        }

        using var model = PredictCommand.Load(file);
        // Another training of the same version has other numbers and another end.
        var (metadata, origin) = (model.Metadata, whole.Metadata);
        return metadata.NetworkVersion == origin.Version && metadata.Temperature == origin.Temperature && metadata.Bias == origin.Bias && metadata.Training.Finished == origin.Training.Finished
            ? Evaluation.Of(model, data, "test", Lfw160.ArchiveName)
            : throw new CommandException($"{file} was made from another network than {whole.Path}; write it again: smile quantize");
    }

    private static Decided[] ReadCleaned(string path) => !File.Exists(path)
        ? []
        :
        [
            .. TrainingTargets.Read(path).Targets.Values.GroupBy(target => (target.Label, target.Decision)).OrderBy(group => group.Key.ToString(), StringComparer.Ordinal)
                .Select(group => new Decided(group.Key.Label, group.Key.Decision, group.Count(), group.Sum(target => target.Target))),
        ];
}
