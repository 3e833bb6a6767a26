using System.CommandLine;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary><c>smile export</c>: from the best weights of a run to ONNX, its history and plots. Needs no libtorch.</summary>
internal static class ExportCommand
{
    public static Command Make()
    {
        var run = CommonOptions.Run();
        var target = CommonOptions.Out(Path.Combine("models", "smile.onnx"));
        var command = new Command("export", "Write a run's best network as ONNX, and its history and plots beside it.") { run, target };
        command.SetAction(parsed => Write(Checkpoint.Load(parsed.GetValue(run)!), parsed.GetValue(target)!));
        return command;
    }

    /// <summary>Writes <c>FILE.onnx</c>, and <c>training/history.json</c> and plots in the same folder.</summary>
    public static void Write(Checkpoint checkpoint, string target)
    {
        var metadata = Describe(checkpoint);
        AtomicFile.Write(target, OnnxWriter.Write(checkpoint.Best, metadata));
        if (!SmileModel.TryLoad(target, out var model, out var reason))
        {
            throw new InvalidOperationException($"The exported model is refused by its own loader: {reason}");
        }

        model.Dispose();
        Console.WriteLine($"{target}: epoch {checkpoint.BestEpoch} of {checkpoint.Epoch}, temperature {checkpoint.Temperature:F3}");
        foreach (var (split, score) in checkpoint.Scores)
        {
            Console.WriteLine($"{split}: accuracy {score.Accuracy:P2}, balanced {score.BalancedAccuracy:P2}, ROC AUC {score.RocAuc:F4}, log loss {score.LogLoss:F4} on {score.Count} faces");
        }

        var history = RunHistory.PathBeside(target);
        RunHistory.Of(checkpoint, metadata).Save(history);
        Plots.Learning(checkpoint.History, Path.GetDirectoryName(history)!, again: "smile export");
    }

    /// <summary>What the model says of itself.</summary>
    public static ModelMetadata Describe(Checkpoint checkpoint) => new()
    {
        Format = ModelMetadata.CurrentFormat,
        Name = "smile-cnn20",
        Version = "1.1.0",
        Input = new ModelInput(Imaging.FaceCrop.Side, checkpoint.Mean, checkpoint.Deviation, ModelMetadata.TightCrop),
        Threshold = 0.5f,
        Temperature = checkpoint.Temperature,
        Cost = new ModelCost(Architecture.Layers, Architecture.Parameters, Architecture.MultiplyAdds),
        Training = new ModelTraining(checkpoint.Options.Seed, checkpoint.Epoch, checkpoint.Pictures, checkpoint.Finished, checkpoint.Data),
        Scores = checkpoint.Scores,
        Licence = checkpoint.Licence,
    };
}
