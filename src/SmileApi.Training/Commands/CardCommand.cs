using System.CommandLine;
using System.Text;

namespace SmileApi.Training;

/// <summary><c>smile card</c>: the model's card and its plots, every figure of them measured or read anew. Needs no libtorch.</summary>
internal static class CardCommand
{
    public static Command Make()
    {
        var file = new Argument<string>("MODEL")
        {
            Description = "An ONNX file that `smile` has made, with the training/ folder of its run beside it.",
            DefaultValueFactory = _ => Path.Combine("models", "smile.onnx"),
        };
        var data = CommonOptions.Archive();
        var target = CommonOptions.Out(Path.Combine("models", "MODEL_CARD.md"));
        var command = new Command("card", "Write a model's card from its metadata, its history and a new evaluation, and draw its plots.") { file, data, target };
        command.SetAction(parsed => Write(parsed.GetValue(file)!, parsed.GetValue(data), parsed.GetValue(target)!));
        return command;
    }

    private static void Write(string file, string? folder, string target)
    {
        AtomicFile.RequireWritable(target);
        var figures = CardFigures.Measure(file, folder);
        var plots = Path.Combine(Path.GetDirectoryName(target)!, "training");
        Plots.Learning(figures.History, plots, again: "smile card");
        Plots.Evaluation(figures.Test.Probabilities, figures.Test.Smiles, plots);
        if (figures.Story is { } story)
        {
            Plots.Story(story, plots);
        }

        AtomicFile.Write(target, Encoding.UTF8.GetBytes(ModelCard.Text(figures)));
        Console.WriteLine($"{target}: {figures.Metadata.Name} {figures.Metadata.Version}, {figures.Test.Score.Accuracy:P2} on {figures.Test.Score.Count} test faces; plots in {plots}");
    }
}
