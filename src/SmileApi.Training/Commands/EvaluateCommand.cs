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
    /// <param name="CalibrationError">Expected calibration error, 0..1.</param>
    /// <param name="BySize">The faces by the side of their crop, in pixels of the original.</param>
    /// <param name="Corrupted">The same faces, spoilt.</param>
    private sealed record Report(
        string Model, string Version, string Sha256, string Split, double Threshold, ModelScore Score, Interval AccuracyInterval, double CalibrationError,
        Confusion Confusion, IReadOnlyList<ReliabilityBin> Reliability, IReadOnlyList<Condition> BySize, IReadOnlyList<Condition> Corrupted);

    /// <summary>Scores under one condition; the area under the curve only where both classes are there.</summary>
    private sealed record Condition(string Name, int Count, double Accuracy, double? RocAuc);

    public static Command Make()
    {
        var file = new Argument<string>("MODEL") { Description = "An ONNX file that `smile` has made." };
        var data = CommonOptions.Data();
        var split = new Option<string>("--split") { Description = "Whose faces.", DefaultValueFactory = _ => "test" };
        split.AcceptOnlyFromAmong("train", "val", "test");
        var json = CommonOptions.Json();
        var plots = new Option<string?>("--plots") { Description = "Folder for roc.png, reliability.png and scores.png.", HelpName = "DIR" };
        var command = new Command("evaluate", "Score a model on the labelled faces of a split, as they are and spoilt.") { file, data, split, json, plots };
        command.SetAction(parsed => Run(parsed.GetValue(file)!, parsed.GetValue(data), parsed.GetValue(split)!, parsed.GetValue(json), parsed.GetValue(plots)));
        return command;
    }

    /// <summary>Probabilities of faces by a model file.</summary>
    public static double[] Judge(SmileModel model, IReadOnlyList<Face> faces) => Judge(model, faces.Select(face => face.Crop(model.Metadata.Input.Normalisation)));

    /// <summary>Probabilities of crops, each of shape <c>[100, 100]</c> and normalised.</summary>
    private static double[] Judge(SmileModel model, IEnumerable<float[]> crops)
    {
        using var runner = model.CreateRunner(BatchSize);
        var probabilities = new List<double>();
        var batch = new float[BatchSize];
        foreach (var chunk in crops.Chunk(BatchSize))
        {
            runner.Run(chunk, batch);
            probabilities.AddRange(batch.Take(chunk.Length).Select(probability => (double)probability));
        }

        return [.. probabilities];
    }

    private static void Run(string file, string? folder, string split, bool json, string? plots)
    {
        using var model = PredictCommand.Load(file);
        var faces = FaceData.Open(folder).Faces(split, perClass: 1);
        var probabilities = Judge(model, faces);
        bool[] smiles = [.. faces.Select(face => face.IsSmile)];
        var threshold = model.Metadata.Threshold;
        var confusion = Metrics.Confuse(probabilities, smiles, threshold);
        var report = new Report(
            model.Metadata.Name, model.Metadata.Version, model.Sha256, split, threshold, Metrics.Score(probabilities, smiles, threshold),
            Interval.Wilson(confusion.SmilesFound + confusion.NonSmilesFound, faces.Count), Metrics.CalibrationError(probabilities, smiles), confusion,
            Metrics.Reliability(probabilities, smiles), BySize(faces, probabilities, threshold),
            [.. Corruption.All.Select(corruption => Score(corruption.Name, Judge(model, faces.Select((face, i) => corruption.Apply(face, i, model.Metadata.Input.Normalisation))), smiles, threshold))]);
        if (plots is not null)
        {
            Plots.Evaluation(probabilities, smiles, plots);
        }

        if (json)
        {
            JsonOutput.Print(report);
        }
        else
        {
            Print(report);
        }
    }

    private static Condition[] BySize(IReadOnlyList<Face> faces, double[] probabilities, double threshold)
    {
        (double From, double To, string Name)[] sizes = [(0, 50, "below 50 px"), (50, 100, "50 to 100 px"), (100, 200, "100 to 200 px"), (200, double.MaxValue, "200 px and more")];
        return
        [
            .. sizes.Select(size => (size.Name, Members: faces.Index().Where(face => face.Item.Square.Side * face.Item.Image.Reduction is var side && side >= size.From && side < size.To).ToArray()))
                .Where(size => size.Members.Length > 0)
                .Select(size => Score(
                    size.Name, [.. size.Members.Select(face => probabilities[face.Index])], [.. size.Members.Select(face => face.Item.IsSmile)], threshold)),
        ];
    }

    private static Condition Score(string name, double[] probabilities, bool[] smiles, double threshold)
    {
        var confusion = Metrics.Confuse(probabilities, smiles, threshold);
        return new Condition(
            name, smiles.Length, (double)(confusion.SmilesFound + confusion.NonSmilesFound) / smiles.Length,
            smiles.Contains(true) && smiles.Contains(false) ? Metrics.RocAuc(probabilities, smiles) : null);
    }

    private static void Print(Report report)
    {
        Console.WriteLine($"{report.Model} {report.Version} ({report.Sha256[..12]}) on {report.Score.Count} faces of '{report.Split}'");
        var scores = new Table { Border = TableBorder.Rounded }.AddColumn("score").AddColumn(new TableColumn("value").RightAligned()).AddColumn("95 % interval");
        scores.AddRow("accuracy", Percent(report.Score.Accuracy), $"{Percent(report.AccuracyInterval.Low)} .. {Percent(report.AccuracyInterval.High)}");
        scores.AddRow("balanced accuracy", Percent(report.Score.BalancedAccuracy));
        scores.AddRow("ROC AUC", Number(report.Score.RocAuc));
        scores.AddRow("log loss (nats)", Number(report.Score.LogLoss));
        scores.AddRow("expected calibration error", Number(report.CalibrationError));
        AnsiConsole.Write(scores);

        var counts = new Table { Border = TableBorder.Rounded }.AddColumn("label").AddColumn(new TableColumn("judged a smile").RightAligned()).AddColumn(new TableColumn("judged none").RightAligned());
        counts.AddRow("smile", $"{report.Confusion.SmilesFound}", $"{report.Confusion.SmilesMissed}");
        counts.AddRow("no smile", $"{report.Confusion.FalseSmiles}", $"{report.Confusion.NonSmilesFound}");
        AnsiConsole.Write(counts);

        var conditions = new Table { Border = TableBorder.Rounded }.AddColumn("faces").AddColumn(new TableColumn("number").RightAligned())
            .AddColumn(new TableColumn("accuracy").RightAligned()).AddColumn(new TableColumn("points").RightAligned()).AddColumn(new TableColumn("ROC AUC").RightAligned());
        foreach (var condition in report.BySize.Concat(report.Corrupted))
        {
            var points = 100 * (condition.Accuracy - report.Score.Accuracy);
            conditions.AddRow(
                condition.Name, $"{condition.Count}", Percent(condition.Accuracy), points.ToString("+0.00;-0.00;0.00", CultureInfo.InvariantCulture),
                condition.RocAuc is { } area ? Number(area) : "");
        }

        AnsiConsole.Write(conditions);

        static string Percent(double share) => share.ToString("P2", CultureInfo.InvariantCulture);

        static string Number(double value) => value.ToString("F4", CultureInfo.InvariantCulture);
    }
}
