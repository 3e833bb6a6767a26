using System.CommandLine;
using System.Globalization;
using SmileApi.Inference;
using Spectre.Console;

namespace SmileApi.Training;

/// <summary><c>smile evaluate</c>: scores of a model file through ONNX Runtime and the server's own cropping. Needs no libtorch.</summary>
internal static class EvaluateCommand
{
    private const int BatchSize = 32;

    /// <summary>What is printed as JSON.</summary>
    private sealed record Report(string Model, string Version, string Sha256, string Split, double Threshold, ModelScore Score, Interval AccuracyInterval, Confusion Confusion);

    public static Command Make()
    {
        var file = new Argument<string>("MODEL") { Description = "An ONNX file that `smile` has made." };
        var data = CommonOptions.Data();
        var split = new Option<string>("--split") { Description = "Whose faces.", DefaultValueFactory = _ => "test" };
        split.AcceptOnlyFromAmong("train", "val", "test");
        var json = CommonOptions.Json();
        var command = new Command("evaluate", "Score a model on the labelled faces of a split.") { file, data, split, json };
        command.SetAction(parsed => Run(parsed.GetValue(file)!, parsed.GetValue(data), parsed.GetValue(split)!, parsed.GetValue(json)));
        return command;
    }

    /// <summary>Probabilities of faces by a model file.</summary>
    public static double[] Judge(SmileModel model, IReadOnlyList<Face> faces)
    {
        using var runner = model.CreateRunner(BatchSize);
        var probabilities = new List<double>(faces.Count);
        var batch = new float[BatchSize];
        foreach (var chunk in faces.Chunk(BatchSize))
        {
            runner.Run([.. chunk.Select(face => face.Crop(model.Metadata.Input.Normalisation))], batch);
            probabilities.AddRange(batch.Take(chunk.Length).Select(probability => (double)probability));
        }

        return [.. probabilities];
    }

    private static void Run(string file, string? folder, string split, bool json)
    {
        using var model = PredictCommand.Load(file);
        var faces = FaceData.Open(folder).Faces(split, perClass: 1);
        var probabilities = Judge(model, faces);
        bool[] smiles = [.. faces.Select(face => face.IsSmile)];
        var score = Metrics.Score(probabilities, smiles, model.Metadata.Threshold);
        var confusion = Metrics.Confuse(probabilities, smiles, model.Metadata.Threshold);
        var interval = Interval.Wilson(confusion.SmilesFound + confusion.NonSmilesFound, faces.Count);
        if (json)
        {
            JsonOutput.Print(new Report(model.Metadata.Name, model.Metadata.Version, model.Sha256, split, model.Metadata.Threshold, score, interval, confusion));
            return;
        }

        Console.WriteLine($"{model.Metadata.Name} {model.Metadata.Version} ({model.Sha256[..12]}) on {faces.Count} faces of '{split}'");
        var scores = new Table { Border = TableBorder.Rounded }.AddColumn("score").AddColumn(new TableColumn("value").RightAligned()).AddColumn("95 % interval");
        scores.AddRow("accuracy", Percent(score.Accuracy), $"{Percent(interval.Low)} .. {Percent(interval.High)}");
        scores.AddRow("balanced accuracy", Percent(score.BalancedAccuracy));
        scores.AddRow("ROC AUC", score.RocAuc.ToString("F4", CultureInfo.InvariantCulture));
        scores.AddRow("log loss (nats)", score.LogLoss.ToString("F4", CultureInfo.InvariantCulture));
        AnsiConsole.Write(scores);
        var counts = new Table { Border = TableBorder.Rounded }.AddColumn("label").AddColumn(new TableColumn("judged a smile").RightAligned()).AddColumn(new TableColumn("judged none").RightAligned());
        counts.AddRow("smile", $"{confusion.SmilesFound}", $"{confusion.SmilesMissed}");
        counts.AddRow("no smile", $"{confusion.FalseSmiles}", $"{confusion.NonSmilesFound}");
        AnsiConsole.Write(counts);

        static string Percent(double share) => share.ToString("P2", CultureInfo.InvariantCulture);
    }
}
