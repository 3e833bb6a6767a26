using System.CommandLine;
using System.Globalization;
using SmileApi.Inference;
using Spectre.Console;

namespace SmileApi.Training;

/// <summary><c>smile evaluate</c>: scores of a model file on labelled faces. Needs no libtorch.</summary>
internal static class EvaluateCommand
{
    public static Command Make()
    {
        var file = new Argument<string>("MODEL") { Description = "An ONNX file that `smile` has made." };
        var data = new Argument<string?>("DATA") { Description = CommonOptions.DataDescription, Arity = ArgumentArity.ZeroOrOne };
        var split = new Option<string?>("--split")
        {
            Description = "Whose faces: train, val, test, or all of them. [default: test where somebody has set test faces aside or the model learned from pictures of one's own, else all]",
            HelpName = "SPLIT",
        };
        split.AcceptOnlyFromAmong("train", "val", "test", FaceData.All);
        var json = CommonOptions.Json();
        var plots = new Option<string?>("--plots") { Description = "Folder for roc.png, reliability.png and scores.png.", HelpName = "DIR" };
        var explain = new Option<bool>("--explain")
        {
            Description = "Instead of scores: what covering the mouth, and other parts to compare, does to the smiles that the model sees and to its explanation of them.",
        };
        var command = new Command("evaluate", "Score a model on labelled faces, as they are and spoilt.") { file, data, split, json, plots, explain };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(explain))
            {
                if (parsed.GetValue(plots) is not null)
                {
                    throw new CommandException("--plots draws scores, which --explain does not make; leave one of them out.");
                }

                Explain(parsed.GetValue(file)!, parsed.GetValue(data), parsed.GetValue(split), parsed.GetValue(json));
            }
            else
            {
                Run(parsed.GetValue(file)!, parsed.GetValue(data), parsed.GetValue(split), parsed.GetValue(json), parsed.GetValue(plots));
            }
        });
        return command;
    }

    private static void Explain(string file, string? path, string? split, bool json)
    {
        using var model = PredictCommand.Load(file);
        var data = FaceData.Open(path);
        var covered = Covered.Of(model, data, split ?? Default(data, model));
        if (json)
        {
            JsonOutput.Print(covered);
            return;
        }

        Console.WriteLine($"{covered.Model} {covered.Version}: {covered.Count} smiles of '{covered.Split}' that it sees, a part of each covered with the face's mean level; map of {covered.Places} places");
        var table = Columns("covered", "mean probability", "after", "no longer a smile", "probability fell", "the part adds to the logit", "after", "adds less or fell");
        foreach (var part in covered.Parts)
        {
            table.AddRow(
                part.Part, Number(part.ProbabilityBefore), Number(part.ProbabilityAfter), Percent(part.NoLongerSmiles), Percent(part.Fell),
                part.InPartBefore.ToString("+0.00;-0.00", CultureInfo.InvariantCulture), part.InPartAfter.ToString("+0.00;-0.00", CultureInfo.InvariantCulture), Percent(part.MovedOrFell));
        }

        AnsiConsole.Write(table);
    }

    private static void Run(string file, string? path, string? split, bool json, string? plots)
    {
        using var model = PredictCommand.Load(file);
        var data = FaceData.Open(path);
        var evaluation = Evaluation.Of(model, data, split ?? Default(data, model), path ?? "The data folder");
        if (json)
        {
            JsonOutput.Print(evaluation);
        }
        else
        {
            Print(evaluation);
        }

        if (plots is not null)
        {
            Plots.Evaluation(evaluation.Probabilities, evaluation.Smiles, plots);
        }
    }

    private static string Default(IFaceData data, SmileModel model)
    {
        var split = data.DefaultSplit(model.Metadata);
        if (split != FaceData.All && !data.HasTestPictures)
        {
            Console.Error.WriteLine("The model learned from pictures of somebody's own, perhaps from some of these, so only those are judged that training sets aside for tests; --split all judges every one.");
        }

        return split;
    }

    private static void Print(Evaluation evaluation)
    {
        var score = evaluation.Score;
        Console.WriteLine($"{evaluation.Model} {evaluation.Version} ({evaluation.Sha256[..12]}) on {score.Count} faces of '{evaluation.Split}'");
        var scores = Columns("score", "value").AddColumn("95 % interval");
        scores.AddRow("accuracy", Percent(score.Accuracy), $"{Percent(evaluation.AccuracyInterval.Low)} .. {Percent(evaluation.AccuracyInterval.High)}");
        scores.AddRow("balanced accuracy", score.BalancedAccuracy is { } balanced ? Percent(balanced) : "needs both classes");
        scores.AddRow("ROC AUC", score.RocAuc is { } whole ? Number(whole) : "needs both classes");
        scores.AddRow("log loss (nats)", Number(score.LogLoss));
        scores.AddRow("expected calibration error", Number(evaluation.CalibrationError));
        AnsiConsole.Write(scores);

        var counts = Columns("label", "judged a smile", "judged none");
        counts.AddRow("smile", $"{evaluation.Confusion.SmilesFound}", $"{evaluation.Confusion.SmilesMissed}");
        counts.AddRow("no smile", $"{evaluation.Confusion.FalseSmiles}", $"{evaluation.Confusion.NonSmilesFound}");
        AnsiConsole.Write(counts);

        var conditions = Columns("faces", "number", "accuracy", "points", "ROC AUC");
        foreach (var condition in evaluation.BySize.Concat(evaluation.Corrupted))
        {
            var points = 100 * (condition.Accuracy - score.Accuracy);
            conditions.AddRow(
                condition.Name, $"{condition.Count}", Percent(condition.Accuracy), points.ToString("+0.00;-0.00;0.00", CultureInfo.InvariantCulture),
                condition.RocAuc is { } area ? Number(area) : "");
        }

        AnsiConsole.Write(conditions);

        if (evaluation.ByShare.Count > 0)
        {
            var shares = Columns("were this share of them smiles", "accuracy", "calibration error", "log loss");
            foreach (var share in evaluation.ByShare)
            {
                shares.AddRow(share.ShareOfSmiles.ToString("P0", CultureInfo.InvariantCulture), Percent(share.Accuracy), Number(share.CalibrationError), Number(share.LogLoss));
            }

            AnsiConsole.Write(shares);
        }

        if (evaluation.Uncertain.Count > 0)
        {
            var groups = Columns("without a certain label", "number", "judged a smile", "mean probability");
            foreach (var group in evaluation.Uncertain)
            {
                groups.AddRow(group.Name, $"{group.Count}", Percent(group.ShareOfSmiles), Number(group.MeanProbability));
            }

            AnsiConsole.Write(groups);
        }
    }

    private static Table Columns(string name, params string[] numbers)
    {
        var table = new Table { Border = TableBorder.Rounded }.AddColumn(name);
        return numbers.Aggregate(table, (columns, number) => columns.AddColumn(new TableColumn(number).RightAligned()));
    }

    private static string Percent(double share) => share.ToString("P2", CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("F4", CultureInfo.InvariantCulture);
}
