using System.CommandLine;
using System.Globalization;
using SmileApi.Imaging;
using SmileApi.Inference;
using Spectre.Console;

namespace SmileApi.Training;

/// <summary>
/// <c>smile time</c>: what a face costs by several models, in turn, so that a busy or hot machine slows all of them alike. Needs
/// no libtorch.
/// </summary>
internal static class TimeCommand
{
    /// <summary>Runs of one model before the next has its turn: long enough for the clock, short enough to share every mood of the machine.</summary>
    private const int Turn = 10;

    public static Command Make()
    {
        var files = new Argument<string[]>("MODEL") { Description = "ONNX files that `smile` has made; the others are compared with the first.", Arity = ArgumentArity.OneOrMore };
        var batches = new Option<string>("--batches") { Description = "Faces a run.", HelpName = "N,N,...", DefaultValueFactory = _ => "1,8" };
        var rounds = new Option<int>("--rounds") { Description = $"Turns of each model, of {Turn} runs.", DefaultValueFactory = _ => 100 };
        var command = new Command("time", "Measure what a face costs by each model, on one core: processor time, the median of interleaved rounds.") { files, batches, rounds };
        command.SetAction(parsed => Run(parsed.GetValue(files)!, Sizes(parsed.GetValue(batches)!), parsed.GetValue(rounds)));
        return command;
    }

    private static void Run(string[] files, int[] batches, int rounds)
    {
        if (rounds < 1)
        {
            throw new CommandException("--rounds must be at least 1.");
        }

        var models = new List<SmileModel>();
        try
        {
            models.AddRange(files.Select(PredictCommand.Load));
            var table = new Table { Border = TableBorder.Rounded }.AddColumn("model");
            foreach (var heading in (string[])["faces a run", "us a face", "times cheaper"])
            {
                table.AddColumn(new TableColumn(heading).RightAligned());
            }

            foreach (var batch in batches)
            {
                var costs = Measure(models, batch, rounds);
                foreach (var (model, cost) in models.Zip(costs))
                {
                    table.AddRow(
                        $"{model.Metadata.Name} {model.Metadata.Version} ({model.Sha256[..12]})", $"{batch}",
                        cost.ToString("F1", CultureInfo.InvariantCulture), (costs[0] / cost).ToString("F2", CultureInfo.InvariantCulture));
                }
            }

            AnsiConsole.Write(table);
        }
        finally
        {
            models.ForEach(model => model.Dispose());
        }
    }

    /// <returns>Microseconds of processor time a face, by model.</returns>
    private static double[] Measure(List<SmileModel> models, int batch, int rounds)
    {
        var random = new SplitMix(1);
        var faces = Enumerable.Range(0, batch).Select(_ => new float[FaceCrop.Length]).ToArray();
        foreach (var face in faces)
        {
            foreach (ref var level in face.AsSpan())
            {
                level = (float)random.Normal();
            }
        }

        var probabilities = new float[batch];
        SmileRunner[] runners = [.. models.Select(model => model.CreateRunner(batch))];
        try
        {
            Array.ForEach(runners, TakeTurn);
            var times = runners.Select(_ => new List<double>()).ToArray();
            for (var round = 0; round < rounds; round++)
            {
                foreach (var (runner, spent) in runners.Zip(times))
                {
                    var before = Environment.CpuUsage.TotalTime;
                    TakeTurn(runner);
                    spent.Add((Environment.CpuUsage.TotalTime - before).TotalMicroseconds / Turn / batch);
                }
            }

            return [.. times.Select(spent => spent.Order().ElementAt(spent.Count / 2))];
        }
        finally
        {
            Array.ForEach(runners, runner => runner.Dispose());
        }

        void TakeTurn(SmileRunner runner)
        {
            for (var run = 0; run < Turn; run++)
            {
                runner.Run(faces, probabilities);
            }
        }
    }

    private static int[] Sizes(string text)
    {
        int[] sizes = [.. text.Split(',').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : 0)];
        return sizes.All(size => size is >= 1 and <= 1024) ? sizes : throw new CommandException("--batches must be numbers from 1 to 1024, like 1,8.");
    }
}
