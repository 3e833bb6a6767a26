using System.CommandLine;
using System.Runtime.InteropServices;
using Spectre.Console;

namespace SmileApi.Training;

/// <summary><c>smile train</c>.</summary>
internal static class TrainCommand
{
    /// <summary>Fewer pictures of a class than this teach nothing and measure nothing.</summary>
    public const int LeastPerClass = 20;

    /// <summary>Exit code of a run that was asked to stop, as shells have it for Ctrl-C.</summary>
    private const int Stopped = 130;

    public static Command Make()
    {
        var defaults = new TrainOptions();
        var data = CommonOptions.Data();
        var targets = new Option<string?>("--targets") { Description = "What to learn pictures as instead of their labels: a CSV of `smile clean` or `smile teach`.", HelpName = "CSV" };
        var noTest = new Option<bool>("--no-test") { Description = "Leave the test faces alone: for a run whose model is not the one to be shipped." };
        var fold = new Option<string?>("--without-fold") { Description = "Leave out the training pictures of a part of the people, 1/4 for the first of four, to ask the model about them.", HelpName = "K/N" };
        var presets = string.Join(", ", TrainOptions.Presets.Select(preset => $"{preset.Key} ({preset.Value.Epochs} epochs)"));
        var preset = new Option<string>("--preset") { Description = $"How thorough the run is: {presets}; full spoils its crops most.", DefaultValueFactory = _ => "full" };
        preset.AcceptOnlyFromAmong([.. TrainOptions.Presets.Keys]);
        var network = new Option<string>("--network") { Description = "Which network: the one that is served, or a narrow one, 2.5 times cheaper and a little worse.", DefaultValueFactory = _ => defaults.Network };
        network.AcceptOnlyFromAmong([.. Architecture.All.Keys]);
        var target = CommonOptions.Out(Path.Combine("models", "smile.onnx"));
        var run = new Option<string>("--run") { Description = "Folder for checkpoints.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("runs", "smile") };
        var resume = new Option<bool>("--resume") { Description = "Go on with the run in --run, with its own options, to the same result." };
        var seed = new Option<int?>("--seed") { Description = $"Seed of all randomness. [default: {defaults.Seed}]" };
        var epochs = new Option<int?>("--epochs") { Description = $"Passes over the training pictures. [default: {defaults.Epochs}]" };
        var batch = new Option<int?>("--batch") { Description = $"Faces a step. [default: {defaults.BatchSize}]" };
        var rate = new Option<double?>("--rate") { Description = $"Largest learning rate. [default: {defaults.LearningRate}]" };
        var command = new Command("train", "Train a network from random weights on labelled faces.") { data, targets, fold, preset, network, noTest, target, run, resume, seed, epochs, batch, rate };
        command.SetAction(parsed =>
        {
            var chosen = TrainOptions.Presets[parsed.GetValue(preset)!];
            var asked = new[] { (Option)preset, network, seed, epochs, batch, rate }.Where(option => parsed.GetResult(option) is { Implicit: false }).ToArray();
            var options = chosen with
            {
                Network = parsed.GetValue(network)!,
                Seed = parsed.GetValue(seed) ?? chosen.Seed,
                Epochs = parsed.GetValue(epochs) ?? chosen.Epochs,
                BatchSize = parsed.GetValue(batch) ?? chosen.BatchSize,
                LearningRate = parsed.GetValue(rate) ?? chosen.LearningRate,
            };
            var without = parsed.GetValue(fold) is { } text ? Fold.Parse(text) : null;
            if (parsed.GetValue(resume) && asked.Length > 0)
            {
                throw new CommandException($"A resumed run keeps its own options; leave out {string.Join(", ", asked.Select(option => option.Name))}.");
            }

            return options switch
            {
                { Epochs: < 1 } => throw new CommandException("--epochs must be at least 1."),
                { BatchSize: < 2 } => throw new CommandException("--batch must be at least 2."),
                { LearningRate: not (> 0 and < 100) } => throw new CommandException("--rate must be above 0 and below 100."),
                _ => Run(options, parsed.GetValue(data), parsed.GetValue(targets), without, parsed.GetValue(noTest), parsed.GetValue(run)!, parsed.GetValue(resume), parsed.GetValue(target)!),
            };
        });
        return command;
    }

    private static int Run(TrainOptions options, string? folder, string? targets, Fold? without, bool noTest, string run, bool resume, string target)
    {
        LibTorch.Require();
        var earlier = resume ? Checkpoint.Load(run) : null;
        if (!resume && File.Exists(Path.Combine(run, Checkpoint.FileName)))
        {
            throw new CommandException($"{run} holds a run already: go on with --resume, name another folder by --run, or delete it.");
        }

        AtomicFile.RequireWritable(Path.Combine(run, Checkpoint.FileName));
        AtomicFile.RequireWritable(target);
        var source = FaceData.Open(folder, targets, without);
        var (train, val) = (source.Faces("train", LeastPerClass), source.Faces("val", LeastPerClass));
        if (!noTest)
        {
            source.Faces("test", perClass: 1); // Nothing looks at them before the end; but that there are some must be known before hours of work.
        }

        var data = new TrainingData(train, val, source.Hashes(), source.Licence);
        if (earlier is not null && !earlier.Data.ToHashSet().SetEquals(data.Hashes))
        {
            throw new CommandException($"The run in {run} was trained on other data than these; a resumed run would not be the same run.");
        }

        options = earlier?.Options ?? options;
        var again = CommonOptions.Again("train", ("--data", folder), ("--targets", targets), ("--without-fold", without?.ToString()), ("--run", run), ("--out", target)) + (noTest ? " --no-test" : "");
        Console.WriteLine($"{data.Train.Count} faces to learn from, {data.Val.Count} to choose by; {options.Epochs} epochs; checkpoints in {run}.");
        using var stopping = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        var checkpoint = Train(options, data, run, earlier, stopping.Token);
        if (checkpoint.Epoch < options.Epochs)
        {
            Console.Error.WriteLine($"Stopped after epoch {checkpoint.Epoch}. Go on with: {again}");
            return Stopped;
        }

        ExportCommand.Write(checkpoint, noTest ? null : source, target);
        return 0;

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopping.Cancel();
        }
    }

    /// <summary>Trains with a live bar on a terminal, and with one line an epoch everywhere.</summary>
    private static Checkpoint Train(TrainOptions options, TrainingData data, string run, Checkpoint? earlier, CancellationToken stopping)
    {
        var rate = 0.0;
        if (Console.IsOutputRedirected || !AnsiConsole.Profile.Capabilities.Interactive)
        {
            return new Trainer(options, data, Save, step => rate = step.ImagesPerSecond).Run(earlier, stopping);
        }

        return AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
            .Start(context =>
            {
                var bar = context.AddTask("measuring the faces", maxValue: options.Epochs);
                return new Trainer(options, data, Save, step =>
                {
                    rate = step.ImagesPerSecond;
                    bar.Value = step.Epoch - 1 + (double)step.Batch / step.Batches;
                    bar.Description = $"epoch {step.Epoch}/{options.Epochs}  loss {step.Loss:F4}  accuracy {step.Accuracy:P1}  {rate:F0} images/s  {step.Left:h\\:mm\\:ss} left";
                }).Run(earlier, stopping);
            });

        void Save(Checkpoint checkpoint)
        {
            checkpoint.Save(run);
            var (epoch, loss, train, val, seconds) = checkpoint.History[^1];
            var left = TimeSpan.FromSeconds(seconds * (options.Epochs - epoch));
            AnsiConsole.MarkupLineInterpolated(
                $"epoch {epoch,3}  loss {loss ?? train.LogLoss:F4}  train {train.LogLoss:F4} {train.Accuracy:P2}  val {val.LogLoss:F4} {val.Accuracy:P2} balanced {val.BalancedAccuracy:P2} AUC {val.RocAuc:F4}  {rate:F0} images/s  {seconds:F0} s{(epoch == 0 ? "" : $"  {left:h\\:mm\\:ss} left")}");
        }
    }
}
