using System.CommandLine;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary><c>smile export</c>: from the best weights of a run to ONNX, its history and plots. Needs no libtorch.</summary>
internal static class ExportCommand
{
    public static Command Make()
    {
        var run = CommonOptions.Run();
        var data = CommonOptions.Data();
        var target = CommonOptions.Out(Path.Combine("models", "smile.onnx"));
        var command = new Command("export", "Write a run's best network as ONNX, with its scores on the test faces, and its history and plots beside it.") { run, data, target };
        command.SetAction(parsed => Write(Checkpoint.Load(parsed.GetValue(run)!), FaceData.Open(parsed.GetValue(data)), parsed.GetValue(target)!));
        return command;
    }

    /// <summary>Writes <c>FILE.onnx</c>, and <c>training/history.json</c> and plots in the same folder.</summary>
    /// <param name="data">Its test faces are read here, and by nothing that chooses; null leaves them alone.</param>
    public static void Write(Checkpoint checkpoint, IFaceData? data, string target)
    {
        var metadata = Describe(checkpoint);
        data?.RequireSame(checkpoint.Data, "The run");
        var test = data?.Faces("test", perClass: 1);
        AtomicFile.WriteOnceJudged(target, OnnxWriter.Write(checkpoint.Architecture, checkpoint.Best, metadata), draft =>
        {
            using var model = PredictCommand.Load(draft);
            if (test is not null)
            {
                var score = Metrics.Score(Evaluation.Judge(model, test), [.. test.Select(face => face.IsSmile)]);
                metadata = metadata with { Scores = new Dictionary<string, ModelScore>(metadata.Scores) { ["test"] = score } };
            }

            return OnnxWriter.Write(checkpoint.Architecture, checkpoint.Best, metadata);
        });
        Console.WriteLine($"{target}: epoch {checkpoint.BestEpoch} of {checkpoint.Options.Epochs}{(checkpoint.Epoch < checkpoint.Options.Epochs ? $", of which {checkpoint.Epoch} are done" : "")}, temperature {metadata.Temperature:F3}, bias {metadata.Bias:F3}");
        foreach (var (split, score) in metadata.Scores)
        {
            Console.WriteLine($"{split}: accuracy {score.Accuracy:P2}, balanced {score.BalancedAccuracy:P2}, ROC AUC {score.RocAuc:F4}, log loss {score.LogLoss:F4} on {score.Count} faces");
        }

        var history = RunHistory.PathBeside(target);
        var told = RunHistory.Of(checkpoint, metadata);
        told.Save(history);
        Plots.Learning(told, Path.GetDirectoryName(history)!, again: "smile export");
    }

    /// <summary>What the model says of itself.</summary>
    public static ModelMetadata Describe(Checkpoint checkpoint) => new()
    {
        Format = ModelMetadata.CurrentFormat,
        Name = "smile-cnn20",
        Version = "1.2.0",
        Input = new ModelInput(Imaging.FaceCrop.Side, checkpoint.Mean, checkpoint.Deviation, ModelMetadata.TightCrop),
        Threshold = 0.5f,
        Temperature = checkpoint.Calibration.Temperature,
        Bias = checkpoint.Calibration.Bias,
        Cost = new ModelCost(checkpoint.Architecture.Layers, checkpoint.Architecture.Layout.Parameters, checkpoint.Architecture.MultiplyAdds),
        Training = new ModelTraining(checkpoint.Options.Seed, checkpoint.Epoch, checkpoint.Pictures, checkpoint.Finished, checkpoint.Data),
        Scores = new Dictionary<string, ModelScore> { ["val"] = checkpoint.Val },
        Licence = checkpoint.Licence,
    };
}
