using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace SmileApi.Training;

/// <summary>
/// <c>smile recipe</c>: everything that the served model is made by, in order. Models that have not seen a picture's label look
/// for wrong ones, teachers learn from the clean labels, and the network that is served learns from the teachers. Runs are
/// processes of their own, several at a time; whatever is finished is not done again.
/// </summary>
internal static class RecipeCommand
{
    private const int Folds = 4;
    private const int Teachers = 4;

    /// <summary>Exit code of a recipe that was asked to stop, as shells have it for Ctrl-C.</summary>
    private const int Stopped = 130;

    /// <param name="Name">Of its folder among the runs.</param>
    private sealed record Training(string Name, params string[] Arguments);

    public static Command Make()
    {
        var data = CommonOptions.Archive();
        var byEye = CommonOptions.ByEye();
        var runs = new Option<string>("--runs") { Description = "Folder for the runs.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("runs", "recipe") };
        var jobs = new Option<int>("--jobs") { Description = "Runs at a time, each on one core.", DefaultValueFactory = _ => Math.Clamp(Environment.ProcessorCount, 1, Folds) };
        var noTeachers = new Option<bool>("--no-teachers") { Description = "Learn from the clean labels alone: half of the time, and worse with strangers." };
        var epochs = new Option<int?>("--epochs") { Description = "Of every run, for a trial; each has its own number otherwise." };
        var target = CommonOptions.Out(Path.Combine("models", "smile.onnx"));
        var command = new Command("recipe", "Make the served model from the pictures: clean the labels, train teachers, train the network on what they say, export it.")
        {
            data, byEye, runs, jobs, noTeachers, epochs, target,
        };
        command.SetAction(parsed =>
        {
            LibTorch.Require();
            if (parsed.GetValue(jobs) < 1)
            {
                throw new CommandException("--jobs must be at least 1.");
            }

            using var recipe = new Recipe(Lfw160.Folder(parsed.GetValue(data)), parsed.GetValue(runs)!, parsed.GetValue(jobs), parsed.GetValue(epochs));
            return recipe.Run(ByEye.Read(parsed.GetValue(byEye)!), parsed.GetValue(target)!, !parsed.GetValue(noTeachers)) ? 0 : Stopped;
        });
        return command;
    }

    private sealed class Recipe : IDisposable
    {
        private readonly string _data;
        private readonly Lazy<string> _archive; // Its hash.
        private readonly string _runs;
        private readonly int _jobs;
        private readonly string[] _epochs;
        private readonly CancellationTokenSource _stopping = new();
        private readonly PosixSignalRegistration[] _signals;

        public Recipe(string data, string runs, int jobs, int? epochs)
        {
            (_data, _runs, _jobs) = (data, runs, jobs);
            _archive = new Lazy<string>(() => Archive.Hash(Path.Combine(data, Lfw160.ArchiveName)));
            _epochs = epochs is { } number ? ["--epochs", $"{number}"] : [];
            _signals = [PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop), PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop)];

            void Stop(PosixSignalContext signal)
            {
                signal.Cancel = true;
                _stopping.Cancel();
            }
        }

        /// <returns>False when asked to stop.</returns>
        public bool Run(IReadOnlyDictionary<string, ByEye.Verdict> byEye, string target, bool withTeachers)
        {
            var clock = Stopwatch.StartNew();
            AtomicFile.RequireWritable(target);
            var labels = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(target))!, "training", "labels.csv");
            Training[] folds = [.. Enumerable.Range(1, Folds).Select(k => new Training($"fold-{k}", "--preset", "quick", "--without-fold", $"{k}/{Folds}"))];
            if (!TrainAll(folds))
            {
                return false;
            }

            CleanCommand.Run([.. folds.Select(Model)], Lfw160.Open(_data), byEye, labels);
            Stage("labels cleaned");
            var targets = labels;
            if (withTeachers)
            {
                Training[] teachers = [.. Enumerable.Range(1, Teachers).Select(k => new Training($"teacher-{k}", "--preset", "teacher", "--targets", labels, "--seed", $"{k}"))];
                if (!TrainAll(teachers))
                {
                    return false;
                }

                targets = Path.Combine(_runs, "targets.csv");
                TeachCommand.Run([.. teachers.Select(Model)], _data, TrainingTargets.Read(labels), byEye, targets);
                Stage("teachers asked");
            }

            var student = new Training(withTeachers ? "student" : "student-without-teachers", "--targets", targets);
            if (!TrainAll([student]))
            {
                return false;
            }

            // Only now does anything look at the test faces.
            ExportCommand.Write(Checkpoint.Load(Path.Combine(_runs, student.Name)), Lfw160.Open(_data), target);
            Stage("done");
            return true;

            void Stage(string name) => Console.WriteLine($"{name} after {clock.Elapsed:h\\:mm\\:ss}");
        }

        public void Dispose()
        {
            Array.ForEach(_signals, signal => signal.Dispose());
            _stopping.Dispose();
        }

        private string Model(Training training) => Path.Combine(_runs, training.Name, "smile.onnx");

        /// <returns>False when asked to stop.</returns>
        /// <exception cref="CommandException">A run failed.</exception>
        private bool TrainAll(Training[] trainings)
        {
            var failed = 0;
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = _jobs };
            Parallel.ForEach(trainings.Where(training => !IsFinished(training)).ToArray(), parallel, training =>
            {
                if (!_stopping.IsCancellationRequested && failed == 0 && Train(training) != 0)
                {
                    Interlocked.Increment(ref failed);
                }
            });
            if (_stopping.IsCancellationRequested)
            {
                Console.Error.WriteLine("Stopped. The same command goes on where this one was.");
                return false;
            }

            return failed == 0 ? true : throw new CommandException($"{failed} of {trainings.Length} runs failed; the same command tries again.");
        }

        private bool IsFinished(Training training)
        {
            if (!File.Exists(Path.Combine(_runs, training.Name, Checkpoint.FileName)))
            {
                return false;
            }

            // A trial of few epochs, or a run on other labels, must not pass for this one.
            var run = Path.Combine(_runs, training.Name);
            var checkpoint = Checkpoint.Load(run);
            var arguments = training.Arguments.Chunk(2).ToDictionary(option => option[0], option => option[1]);
            var preset = TrainOptions.Presets[arguments.GetValueOrDefault("--preset", "full")];
            var options = preset with
            {
                Seed = arguments.TryGetValue("--seed", out var seed) ? int.Parse(seed, CultureInfo.InvariantCulture) : preset.Seed,
                Epochs = _epochs.Length > 0 ? int.Parse(_epochs[1], CultureInfo.InvariantCulture) : preset.Epochs,
            };
            var sameData = checkpoint.Data.GetValueOrDefault(Lfw160.ArchiveName) == _archive.Value;
            var sameTargets = !arguments.TryGetValue("--targets", out var targets)
                || checkpoint.Data.GetValueOrDefault(Path.GetFileName(targets)) == TrainingTargets.KeyOf(File.ReadAllBytes(targets));
            return checkpoint.Options == options && sameData && sameTargets
                ? checkpoint.Epoch == checkpoint.Options.Epochs && File.Exists(Model(training))
                : throw new CommandException($"{run} holds another run, with other options ({checkpoint.Options.Epochs} epochs), other pictures or other labels: name another folder by --runs, or delete it.");
        }

        /// <summary>A run in a process of its own: libtorch draws random numbers from one generator a process.</summary>
        /// <returns>Its exit code.</returns>
        private int Train(Training training)
        {
            var run = Path.Combine(_runs, training.Name);
            string[] how = File.Exists(Path.Combine(run, Checkpoint.FileName)) ? ["--resume", .. Unchosen(training.Arguments)] : [.. training.Arguments, .. _epochs];
            var start = new ProcessStartInfo(Environment.ProcessPath!)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            {
                start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "smile.dll"));
            }

            foreach (var argument in (string[])["train", "--data", _data, "--run", run, "--out", Model(training), "--no-test", .. how])
            {
                start.ArgumentList.Add(argument);
            }

            using var process = Process.Start(start)!;
            using var stop = _stopping.Token.Register(() => process.Kill());
            process.OutputDataReceived += (_, line) => Tell(Console.Out, line.Data);
            process.ErrorDataReceived += (_, line) => Tell(Console.Error, line.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            process.WaitForExit();
            return process.ExitCode;

            void Tell(TextWriter writer, string? line)
            {
                if (line is { Length: > 0 })
                {
                    writer.WriteLine($"{training.Name,-10} {line}");
                }
            }
        }

        /// <summary>What a resumed run may be told: its data, not what its checkpoint knows.</summary>
        private static IEnumerable<string> Unchosen(string[] arguments) =>
            arguments.Chunk(2).Where(option => option[0] is "--targets" or "--without-fold").SelectMany(option => option);
    }
}
