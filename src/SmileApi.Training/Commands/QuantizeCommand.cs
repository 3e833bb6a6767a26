using System.CommandLine;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary><c>smile quantize</c>: the same network in integers of 8 bits, with its own scores. Needs no libtorch.</summary>
internal static class QuantizeCommand
{
    public static Command Make()
    {
        var file = new Argument<string>("MODEL")
        {
            Description = "A float32 ONNX file that `smile` has made.",
            DefaultValueFactory = _ => Path.Combine("models", "smile.onnx"),
        };
        var data = CommonOptions.Data();
        var target = CommonOptions.Out(Path.Combine("models", "smile-int8.onnx"));
        var command = new Command("quantize", $"Write a model whose convolutions compute in 8 bits, by the ranges of {Int8Ranges.Faces} training faces, with its scores.") { file, data, target };
        command.SetAction(parsed => Write(parsed.GetValue(file)!, FaceData.Open(parsed.GetValue(data)), parsed.GetValue(target)!));
        return command;
    }

    private static void Write(string file, IFaceData data, string target)
    {
        ModelMetadata metadata;
        using (var model = PredictCommand.Load(file))
        {
            metadata = model.Metadata;
        }

        AtomicFile.RequireWritable(target); // Before all pictures are read.
        data.RequireSame(metadata.Training.Data, file);
        var writer = new Int8Writer(File.ReadAllBytes(file));
        var train = data.Faces("train", perClass: 1);
        var judged = metadata.Scores.Keys.ToDictionary(split => split, split => data.Faces(split, perClass: 1));
        var count = Math.Min(Int8Ranges.Faces, train.Count);
        var spread = Enumerable.Range(0, count).Select(i => train[(int)((long)i * train.Count / count)]); // Those of one person are neighbours.
        var ranges = Int8Ranges.Measure(writer.WriteForCalibration(), writer.Tensors, spread.Select(face => face.Crop(metadata.Input.Normalisation)));
        var quantised = metadata with { Version = $"{metadata.Version}+{ModelMetadata.QuantisedForm}", Scores = new Dictionary<string, ModelScore>() };
        AtomicFile.WriteOnceJudged(target, writer.Write(ranges, quantised), draft =>
        {
            using var model = PredictCommand.Load(draft);
            quantised = quantised with
            {
                Scores = judged.ToDictionary(
                    split => split.Key,
                    split => Metrics.Score(Evaluation.Judge(model, split.Value), [.. split.Value.Select(face => face.IsSmile)], quantised.Threshold)),
            };
            return writer.Write(ranges, quantised); // The same network, which knows its scores now.
        });
        Console.WriteLine($"{target}: {quantised.Name} {quantised.Version}, by {count} training faces");
        foreach (var (split, score) in quantised.Scores)
        {
            Console.WriteLine($"{split}: {Text(score)}; in float32 {Text(metadata.Scores[split])}");
        }
    }

    private static string Text(ModelScore score) =>
        FormattableString.Invariant($"accuracy {score.Accuracy:P2}, ROC AUC {score.RocAuc:F4}, log loss {score.LogLoss:F4} on {score.Count} faces");
}
