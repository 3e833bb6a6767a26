using System.CommandLine;

namespace SmileApi.Training;

/// <summary>
/// <c>smile label</c>: what models that have learned from certain labels say of the training pictures whose labels are
/// disputed or missing. Needs no libtorch.
/// </summary>
internal static class LabelCommand
{
    public static Command Make()
    {
        var models = new Argument<string[]>("MODEL") { Description = "One or more models (.onnx); the mean of their logits counts.", Arity = ArgumentArity.OneOrMore };
        var data = CommonOptions.Data();
        var target = CommonOptions.Out(Path.Combine("models", "training", "soft-labels.csv"));
        var command = new Command("label", "Let models label the training pictures whose delivered labels are disputed or missing.") { models, data, target };
        command.SetAction(parsed => Run(parsed.GetValue(models)!, parsed.GetValue(data), parsed.GetValue(target)!));
        return command;
    }

    private static void Run(string[] models, string? folder, string target)
    {
        var (keys, rows, faces) = (new List<string>(), new List<LabelRow>(), new List<Face>());
        foreach (var (row, bytes) in Lfw160.Open(folder).Files(row => row.Split == "train" && !row.IsAgreed))
        {
            keys.Add(SoftLabels.KeyOf(bytes));
            rows.Add(row);
            faces.Add(Lfw160.Face(row, bytes, target: 0));
        }

        var logits = new double[faces.Count];
        foreach (var file in models)
        {
            using var model = PredictCommand.Load(file);
            foreach (var (i, probability) in EvaluateCommand.Judge(model, faces).Index())
            {
                var bounded = Math.Clamp(probability, 1e-6, 1 - 1e-6);
                logits[i] += Math.Log(bounded / (1 - bounded)) / models.Length;
            }
        }

        SoftLabels.Write(target, keys.Select((key, i) => (key, rows[i].Label, Metrics.Sigmoid(logits[i]))));
        foreach (var group in rows.Index().GroupBy(row => row.Item.Label))
        {
            Console.WriteLine($"{target}: {group.Count()} pictures {group.Key}, {group.Count(row => logits[row.Index] >= 0)} of them taken for smiles");
        }
    }
}
