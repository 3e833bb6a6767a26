using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Spectre.Console;

namespace SmileApi.Training;

/// <summary>
/// <c>smile story</c>: what learning is worth. The same validation faces are judged by chance, by rules, by regression and by
/// networks that have learned from ever more pictures. Only those networks need libtorch; without it their points are kept.
/// </summary>
internal static class StoryCommand
{
    /// <summary>Exit code of a run that was asked to stop, as shells have it for Ctrl-C.</summary>
    private const int Stopped = 130;

    private const string Note =
        "All networks take the same number of gradient steps from the same random weights, with the augmentation of the preset quick and certain labels only; "
        + "judged are the averaged weights after the last step, so that nothing was chosen by the validation faces. Chosen is what smile train --preset quick would have kept: "
        + "the epoch with the least log loss on the validation faces. N of each class are half smiles; all pictures, like the validation faces, "
        + "are about a quarter smiles, which helps the accuracy and neither the balanced accuracy nor the ROC AUC.";

    /// <summary>What is asked for.</summary>
    private sealed record Request(string? Data, string Model, string Out, string Runs, int Seed, string[] Sizes, int Steps, bool JudgesOnly);

    public static Command Make()
    {
        var data = CommonOptions.Data();
        var model = new Option<string>("--model") { Description = "The served network.", HelpName = "FILE", DefaultValueFactory = _ => Path.Combine("models", "smile.onnx") };
        var target = CommonOptions.Out(Path.Combine("models", "training"));
        var runs = new Option<string>("--runs") { Description = "Folder for checkpoints; a stopped story goes on from there.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("runs", "story") };
        var seed = new Option<int>("--seed") { Description = "Seed of all randomness.", DefaultValueFactory = _ => 1 };
        var sizes = new Option<string>("--sizes") { Description = "Pictures of each class to learn from.", HelpName = "N,N,...", DefaultValueFactory = _ => "50,100,250,500,1000,all" };
        var steps = new Option<int>("--steps") { Description = "Gradient steps of each network.", DefaultValueFactory = _ => 2000 };
        var judgesOnly = new Option<bool>("--judges-only") { Description = "Train no networks and keep the learning curve of an earlier story, as happens anyway where libtorch does not load." };
        var command = new Command("story", "Tell what learning is worth: simple judges, and networks that have learned from ever more pictures.")
        {
            data, model, target, runs, seed, sizes, steps, judgesOnly,
        };
        command.SetAction(parsed => Run(new Request(
            parsed.GetValue(data), parsed.GetValue(model)!, parsed.GetValue(target)!, parsed.GetValue(runs)!, parsed.GetValue(seed), Sizes(parsed.GetValue(sizes)!),
            parsed.GetValue(steps) is > 0 and var count ? count : throw new CommandException("--steps must be at least 1."),
            parsed.GetValue(judgesOnly))));
        return command;
    }

    private static string[] Sizes(string list)
    {
        var sizes = list.Split(',', StringSplitOptions.TrimEntries);
        return sizes.All(size => size == StoryRun.All || int.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0)
            ? [.. sizes.Distinct()]
            : throw new CommandException($"--sizes must be numbers from 1 on, or {StoryRun.All}, with commas between them.");
    }

    private static int Run(Request request)
    {
        using var served = PredictCommand.Load(request.Model);
        AtomicFile.RequireWritable(Path.Combine(request.Out, Story.FileName));
        var source = FaceData.Open(request.Data);
        var (train, val) = (source.Faces("train", TrainCommand.LeastPerClass), source.Faces("val", TrainCommand.LeastPerClass));
        var data = new TrainingData(train, val, source.Hashes(), source.Licence);
        var runs = Plan(request, data);
        var kept = runs is null ? Kept(request, data.Hashes) : null;

        var smiles = val.Count(face => face.IsSmile);
        var story = new Story(request.Seed, data.Hashes, smiles, val.Count - smiles, Judges.Score(train, val, served, request.Seed), kept);
        Print(story.Judges, val.Count, smiles);
        if (runs is not null)
        {
            story = story with { Curve = Learn(runs, request, data.Hashes) };
            if (story.Curve is null)
            {
                Console.Error.WriteLine($"Stopped. Go on with the same command; the checkpoints are in {request.Runs}.");
                return Stopped;
            }
        }

        if (story.Curve is not null)
        {
            Print(story.Curve);
        }

        story.Save(request.Out);
        Plots.Story(story, request.Out);
        return 0;
    }

    /// <returns>What is to be trained, or null where nothing can or shall be.</returns>
    private static StoryRun[]? Plan(Request request, TrainingData data)
    {
        if (request.JudgesOnly || LibTorch.WhyNot() is not null)
        {
            return null;
        }

        AtomicFile.RequireWritable(Path.Combine(request.Runs, Checkpoint.FileName));
        return [.. request.Sizes.Select(size => new StoryRun(request.Runs, size, request.Steps, request.Seed, data))];
    }

    /// <returns>The learning curve of an earlier story, or null where there is none.</returns>
    private static LearningCurve? Kept(Request request, IReadOnlyDictionary<string, string> hashes)
    {
        var (curve, path) = (Story.Load(request.Out)?.Curve, Path.Combine(request.Out, Story.FileName));
        if (curve is not null && !curve.Data.ToHashSet().SetEquals(hashes))
        {
            throw new CommandException($"The learning curve in {path} is of other data than these; name another folder by --out.");
        }

        var reason = request.JudgesOnly ? "No networks are trained" : "No networks are trained, as libtorch does not load here";
        Console.WriteLine($"{reason}; {(curve is null ? "there will be no learning curve" : $"the learning curve in {path} stays as it is")}.");
        return curve;
    }

    /// <returns>Null when stopped.</returns>
    private static LearningCurve? Learn(StoryRun[] runs, Request request, IReadOnlyDictionary<string, string> hashes)
    {
        using var stopping = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        var points = new List<CurvePoint>();
        foreach (var run in runs)
        {
            if (run.Train(Console.WriteLine, stopping.Token) is not { } point)
            {
                return null;
            }

            points.Add(point);
        }

        return new LearningCurve(request.Seed, request.Steps, new TrainOptions().BatchSize, Note, hashes, points, runs[^1].Filters);

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopping.Cancel();
        }
    }

    private static void Print(IReadOnlyList<JudgeScore> judges, int count, int smiles)
    {
        Console.WriteLine($"Judges of {count} validation faces, {smiles} of them smiling");
        var table = Scores("judge");
        foreach (var judge in judges)
        {
            table.AddRow(
                judge.Name, Percent(judge.Accuracy), Percent(judge.AccuracyInterval), Percent(judge.BalancedAccuracy), Number(judge.RocAuc),
                judge.LogLoss is { } loss ? Number(loss) : "none");
        }

        AnsiConsole.Write(table);
    }

    private static void Print(LearningCurve curve)
    {
        Console.WriteLine($"The same faces judged by networks after about {curve.Steps} steps of {curve.BatchSize} faces");
        var table = Scores("pictures of each class");
        foreach (var column in new[] { "accuracy on its own pictures", "steps", "chosen: step", "balanced accuracy", "ROC AUC" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (var point in curve.Points)
        {
            table.AddRow(
                point.Pictures == StoryRun.All ? $"all ({point.Smiles} + {point.NonSmiles})" : point.Pictures, Percent(point.Accuracy), Percent(point.AccuracyInterval),
                Percent(point.BalancedAccuracy), Number(point.RocAuc), Number(point.LogLoss), Percent(point.TrainAccuracy), $"{point.Steps}",
                $"{point.Chosen.Step}", Percent(point.Chosen.Val.BalancedAccuracy), Number(point.Chosen.Val.RocAuc));
        }

        AnsiConsole.Write(table);
        Console.WriteLine(curve.Note);
    }

    private static Table Scores(string first)
    {
        var table = new Table { Border = TableBorder.Rounded }.AddColumn(first);
        foreach (var column in new[] { "accuracy", "95 % interval", "balanced accuracy", "ROC AUC", "log loss (nats)" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        return table;
    }

    private static string Percent(double share) => share.ToString("P2", CultureInfo.InvariantCulture);

    private static string Percent(Interval interval) => $"{Percent(interval.Low)} .. {Percent(interval.High)}";

    private static string Number(double value) => value.ToString("F4", CultureInfo.InvariantCulture);
}
