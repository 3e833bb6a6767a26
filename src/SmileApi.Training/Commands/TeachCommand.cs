using System.CommandLine;

namespace SmileApi.Training;

/// <summary>
/// <c>smile teach</c>: what an ensemble of models says of every training picture, mixed with its label, for one network to learn
/// (distillation, Hinton et al. 2015). Faces that nobody has labelled are learned as the ensemble sees them. Needs no libtorch.
/// </summary>
internal static class TeachCommand
{
    /// <summary>How much the ensemble counts against the label.</summary>
    private const double TeachersShare = 0.7;

    public static Command Make()
    {
        var models = new Argument<string[]>("MODEL") { Description = "The teachers (.onnx); the mean of their logits counts.", Arity = ArgumentArity.OneOrMore };
        var data = CommonOptions.Archive();
        var labels = new Option<string>("--labels") { Description = "The CSV of `smile clean`.", HelpName = "CSV", DefaultValueFactory = _ => Path.Combine("models", "training", "labels.csv") };
        var byEye = CommonOptions.ByEye();
        var target = CommonOptions.Out(Path.Combine("runs", "targets.csv"));
        var command = new Command("teach", $"Write what an ensemble of models makes of every training picture, labelled or not ({Faces36.ArchiveName}).") { models, data, labels, byEye, target };
        command.SetAction(parsed => Run(
            parsed.GetValue(models)!, FaceData.Existing(parsed.GetValue(data)), TrainingTargets.Read(parsed.GetValue(labels)!), ByEye.Read(parsed.GetValue(byEye)!), parsed.GetValue(target)!));
        return command;
    }

    /// <summary>Writes a target for every training picture, and says how many.</summary>
    public static void Run(string[] models, string folder, TrainingTargets labels, IReadOnlyDictionary<string, ByEye.Verdict> byEye, string target)
    {
        var (pictures, faces) = (new List<(string Key, string Label, double? Target)>(), new List<Face>());
        foreach (var (row, bytes) in Lfw160.Open(folder).Files(row => row.Split == "train"))
        {
            var key = TrainingTargets.KeyOf(bytes);
            double? known = labels.Targets.TryGetValue(key, out var cleaned) ? cleaned.Target : row.IsAgreed ? row.Target : null;
            pictures.Add((key, row.Label, known));
            faces.Add(Lfw160.Face(row, bytes, target: 0));
        }

        if (Faces36.IsIn(folder))
        {
            // Those judged by eye measure models on strangers, so none may learn from them.
            foreach (var (name, bytes) in Faces36.Files(folder).Where(file => !byEye.ContainsKey(TrainingTargets.KeyOf(file.Bytes))))
            {
                pictures.Add((TrainingTargets.KeyOf(bytes), TrainingTargets.Unlabelled, null));
                faces.Add(Faces36.Face(name, bytes, target: 0));
            }
        }

        var logits = new double[faces.Count];
        foreach (var file in models)
        {
            using var model = PredictCommand.Load(file);
            foreach (var (i, probability) in Evaluation.Judge(model, faces).Index())
            {
                logits[i] += Metrics.Logit(probability) / models.Length;
            }
        }

        var targets = pictures.Select((picture, i) =>
        {
            var taught = Metrics.Sigmoid(logits[i]);
            return new TrainingTarget(picture.Key, picture.Label, taught, picture.Target is { } known ? TeachersShare * taught + (1 - TeachersShare) * known : taught, "taught");
        }).DistinctBy(taught => taught.Key).ToArray();
        TrainingTargets.Write(target, targets);
        foreach (var group in targets.GroupBy(taught => taught.Label))
        {
            Console.WriteLine($"{target}: {group.Count()} pictures {group.Key}, together {group.Sum(taught => taught.Target):F0} smiles");
        }
    }
}
