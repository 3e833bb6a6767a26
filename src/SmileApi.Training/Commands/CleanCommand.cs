using System.CommandLine;

namespace SmileApi.Training;

/// <summary>
/// <c>smile clean</c>: what the training pictures are really learned as. Each is judged by a model that never saw its label, and
/// that verdict and the label are weighed against each other. Needs no libtorch.
/// </summary>
internal static class CleanCommand
{
    /// <summary>A label that loses less than this by it is kept as it is.</summary>
    private const double LeastChange = 0.05;

    // Of 100 faces with that agreed label, as many are labelled wrongly; read off contact sheets by whoever delivered the data.
    private const double WrongSmiles = 0.035;
    private const double WrongNonSmiles = 0.02;

    public static Command Make()
    {
        var models = new Argument<string[]>("MODEL") { Description = "The models (.onnx) of all folds, each trained with `smile train --without-fold K/N`.", Arity = ArgumentArity.OneOrMore };
        var data = CommonOptions.Archive();
        var byEye = CommonOptions.ByEye();
        var target = CommonOptions.Out(Path.Combine("models", "training", "labels.csv"));
        var command = new Command("clean", "Find wrong and doubtful labels among the training pictures, by models that have not seen them.") { models, data, byEye, target };
        command.SetAction(parsed => Run(parsed.GetValue(models)!, Lfw160.Open(parsed.GetValue(data)), ByEye.Read(parsed.GetValue(byEye)!), parsed.GetValue(target)!));
        return command;
    }

    /// <summary>Writes the targets that differ from the labels, and says how many.</summary>
    public static void Run(string[] models, Lfw160 data, IReadOnlyDictionary<string, ByEye.Verdict> byEye, string target)
    {
        var files = data.Files(row => row.Split == "train").Select(file => (file.Row, Key: TrainingTargets.KeyOf(file.Bytes), Face: Lfw160.Face(file.Row, file.Bytes, target: 0))).ToArray();
        var logits = Judge(models, data.Hashes()[Lfw160.ArchiveName], [.. files.Select(file => file.Face)], [.. files.Select(file => file.Row)]);
        var targets = new List<TrainingTarget>();
        foreach (var group in files.Index().GroupBy(file => file.Item.Row.Label))
        {
            // Where only a dispute or one labelling is known, the models decide, and the eye how many of them are smiles.
            var bias = group.Key is "smile" or "nonsmile" ? LabelEvidence(group.Key) : 0;
            foreach (var half in group.GroupBy(file => file.Item.Row.Emotion == "happiness"))
            {
                var shares = byEye.Values.Where(verdict => verdict.Set == group.Key).Select(verdict => verdict.Smile).ToArray();
                var shift = shares.Length > 0 && half.Key ? Shift([.. half.Select(file => logits[file.Index])], shares.Average()) : bias;
                targets.AddRange(half.Select(file => Decide(file.Item.Row, file.Item.Key, Metrics.Sigmoid(logits[file.Index]), Metrics.Sigmoid(logits[file.Index] + shift))));
            }
        }

        TrainingTargets.Write(target, targets.Where(decided => decided.Decision != "kept").DistinctBy(decided => decided.Key)); // One file is there twice.
        Console.WriteLine($"{target}:");
        foreach (var group in targets.GroupBy(decided => (decided.Label, decided.Decision)).OrderBy(group => group.Key.ToString(), StringComparer.Ordinal))
        {
            Console.WriteLine($"{group.Count(),6} {group.Key.Label} {group.Key.Decision}, together {group.Sum(decided => decided.Target):F0} smiles");
        }
    }

    /// <summary>Mean logits of the models that never saw a picture's label: of an agreed one the model of its fold, of the others all.</summary>
    private static double[] Judge(string[] models, string archive, Face[] faces, LabelRow[] rows)
    {
        var (sums, counts, folds) = (new double[faces.Length], new int[faces.Length], new HashSet<Fold>());
        foreach (var file in models)
        {
            using var model = PredictCommand.Load(file);
            var fold = model.Metadata.Training.Data.TryGetValue(Fold.MetadataKey, out var text) ? Fold.Parse(text) : throw new CommandException($"{file} was trained on all people; train it with --without-fold.");
            if (model.Metadata.Training.Data.GetValueOrDefault(Lfw160.ArchiveName) != archive)
            {
                throw new CommandException($"{file} learned from another {Lfw160.ArchiveName}, so it may have seen these labels.");
            }

            folds.Add(fold);
            var asked = Enumerable.Range(0, faces.Length).Where(i => !rows[i].IsAgreed || fold.LeavesOut(rows[i].Person)).ToArray();
            foreach (var (i, probability) in asked.Zip(Evaluation.Judge(model, [.. asked.Select(i => faces[i])])))
            {
                sums[i] += Metrics.Logit(probability);
                counts[i]++;
            }
        }

        var count = folds.First().Count;
        return folds.Count == models.Length && folds.Count == count && folds.All(fold => fold.Count == count)
            ? [.. sums.Zip(counts, (sum, number) => sum / number)]
            : throw new CommandException($"These are the models of the folds {string.Join(", ", folds)}; those of all {count} are needed, each once.");
    }

    /// <summary>
    /// What an agreed label adds to a model's logit, by Bayes' rule, given how often such labels are wrong and how rare smiles are
    /// among these pictures; the models are calibrated for <see cref="Calibration.SmileShare"/>.
    /// </summary>
    private static double LabelEvidence(string label)
    {
        const double Smiles = 0.24; // Of the agreed rows, labelled.
        var (rightSmile, wrongSmile) = (Smiles * (1 - WrongSmiles), Smiles * WrongSmiles);
        var (rightOther, wrongOther) = ((1 - Smiles) * (1 - WrongNonSmiles), (1 - Smiles) * WrongNonSmiles);
        var (smiles, others) = (rightSmile + wrongOther, rightOther + wrongSmile);
        var rarity = Metrics.Logit(smiles) - Metrics.Logit(Calibration.SmileShare);
        return rarity + (label == "smile" ? Math.Log(rightSmile / smiles / (wrongSmile / others)) : Math.Log(wrongOther / smiles / (rightOther / others)));
    }

    /// <summary>What must be added to logits for their mean probability to be a share.</summary>
    private static double Shift(double[] logits, double share)
    {
        var (low, high) = (-10.0, 10.0);
        for (var i = 0; i < 50; i++)
        {
            var middle = (low + high) / 2;
            (low, high) = logits.Average(logit => Metrics.Sigmoid(logit + middle)) < share ? (middle, high) : (low, middle);
        }

        return (low + high) / 2;
    }

    private static TrainingTarget Decide(LabelRow row, string key, double probability, double target)
    {
        var decision = row switch
        {
            { IsAgreed: false } => "labelled",
            _ when Math.Abs(target - row.Target) > 0.5 => "turned",
            _ when Math.Abs(target - row.Target) > LeastChange => "softened",
            _ => "kept",
        };
        return new TrainingTarget(key, row.Label, probability, target, decision);
    }
}
