using System.CommandLine;
using SmileApi.Client;
using SmileApi.Inference;
using Spectre.Console;

namespace SmileApi.Training;

/// <summary><c>smile predict</c>: how likely the faces of pictures smile, by a model or by a running service. Needs no libtorch.</summary>
internal static class PredictCommand
{
    private const string KeyVariable = "SMILE_API_KEY";

    /// <summary>From here on a bar shows how far it is.</summary>
    private const int ManyPictures = 10;

    private enum Format
    {
        Table,
        Json,
        Csv,
    }

    public static Command Make()
    {
        var names = new Argument<string[]>("[MODEL] PICTURES")
        {
            Description = "Files (JPEG, PNG, WebP), folders with all below them, and globs such as 'album/**/*.jpg'; before them, optionally, a model (.onnx). "
                + "Default: models/smile.onnx, looked for from here upwards and then beside the program.",
            Arity = ArgumentArity.OneOrMore,
        };
        var faces = new Option<string>("--faces")
        {
            Description = "whole: each picture is one face, from the brow to below the lower lip. detect: photographs, whose faces are to be found first.",
            HelpName = "whole|detect",
            DefaultValueFactory = _ => "whole",
        };
        faces.AcceptOnlyFromAmong("whole", "detect");
        var threshold = new Option<float?>("--threshold") { Description = "Probabilities from here on count as a smile, 0 to 1. [default: the model's]", HelpName = "P" };
        var serve = new Option<string?>("--serve") { Description = "Ask the service running at this address instead of a model here.", HelpName = "URL" };
        var key = new Option<string?>("--api-key") { Description = $"The key that the service wants; others on this machine may see it here, and not in {KeyVariable}. [default: {KeyVariable}]", HelpName = "KEY" };
        var json = CommonOptions.Json();
        var csv = new Option<bool>("--csv") { Description = "Print CSV instead of a table, a line a face." };
        var outFile = new Option<string?>("--out") { Description = "Write JSON or CSV into a file, by its name (.json, .csv) or --json or --csv.", HelpName = "FILE" };
        var command = new Command(
            "predict",
            "Tell how likely the faces in pictures are smiling. Exit code: 0 when all could be judged; 1 when some could not, which stderr names; 2 when the command is wrong, or the service does not answer.")
        {
            names, faces, threshold, serve, key, json, csv, outFile,
        };
        command.SetAction(async (parsed, _) =>
        {
            var named = parsed.GetValue(names)!;
            var model = named[0].EndsWith(".onnx", StringComparison.OrdinalIgnoreCase) ? named[0] : null;
            var path = parsed.GetValue(outFile);
            var format = FormatOf(parsed.GetValue(json), parsed.GetValue(csv), path);
            var pictures = PictureSearch.List(model is null ? named : named[1..]);
            if (parsed.GetValue(key) is not null && parsed.GetValue(serve) is null)
            {
                throw new CommandException("--api-key is for a service: name one by --serve.");
            }

            if (pictures.Count == 0)
            {
                throw new CommandException("Name at least one picture after the model.");
            }

            if (parsed.GetValue(threshold) is { } given and not (>= 0 and <= 1))
            {
                throw new CommandException($"--threshold must be from 0 to 1, and is {given}.");
            }

            var whole = parsed.GetValue(faces) == "whole";
            IAsyncEnumerable<Prediction> predictions;
            PictureJudge? judge = null;
            if (parsed.GetValue(serve) is { } address)
            {
                if (model is not null)
                {
                    throw new CommandException($"--serve asks the service's own model: leave out {model}.");
                }

                var options = new ClassifyOptions { Faces = whole ? FaceMode.Whole : FaceMode.Detect, Threshold = parsed.GetValue(threshold), Limit = PictureJudge.MaxFaces };
                var apiKey = parsed.GetValue(key) ?? Environment.GetEnvironmentVariable(KeyVariable);
                predictions = new ServedPredictions(AddressOf(address), apiKey).JudgeAsync(pictures, options);
            }
            else
            {
                judge = new PictureJudge(Load(model ?? Find("smile.onnx")), whole ? null : FaceDetector.Load(Find("faces.onnx")), parsed.GetValue(threshold));
                predictions = pictures.Select(judge.Judge).ToAsyncEnumerable();
            }

            using (judge)
            {
                return await RunAsync(predictions, pictures.Count, format, path, whole);
            }
        });
        return command;
    }

    /// <exception cref="CommandException">It is no model of ours.</exception>
    public static SmileModel Load(string file) =>
        file.Length == 0 ? throw new CommandException("The name of the model is empty.")
        : SmileModel.TryLoad(file, out var model, out var reason) ? model
        : throw new CommandException(reason);

    private static async Task<int> RunAsync(IAsyncEnumerable<Prediction> predictions, int count, Format format, string? path, bool whole)
    {
        if (path is not null)
        {
            AtomicFile.RequireWritable(path);
        }

        var (judged, failure) = (new List<Prediction>(), (CommandException?)null);
        await WithProgressAsync(count, async step =>
        {
            try
            {
                await foreach (var prediction in predictions)
                {
                    judged.Add(prediction);
                    step();
                }
            }
            catch (CommandException e)
            {
                failure = e; // What came before it holds.
            }
        });
        if (judged.Count > 0)
        {
            Write(judged, format, path, whole);
        }

        foreach (var unread in judged.Where(prediction => prediction.Problem is not null))
        {
            Console.Error.WriteLine($"{unread.File}: {unread.Problem}");
        }

        return failure is not null ? throw failure : judged.Any(prediction => prediction.Problem is not null) ? 1 : 0;
    }

    /// <summary>Shows a bar on stderr while many pictures are judged, where a person looks at it.</summary>
    /// <param name="work">Calls what it is given after each picture.</param>
    private static async Task WithProgressAsync(int count, Func<Action, Task> work)
    {
        if (count < ManyPictures || Console.IsErrorRedirected)
        {
            await work(() => { });
            return;
        }

        // The library asks stdout whether somebody looks on; here it may well be a pipe.
        var settings = new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error), Interactive = InteractionSupport.Yes };
        await AnsiConsole.Create(settings).Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                var task = context.AddTask($"{count} pictures", maxValue: count);
                await work(() => task.Increment(1));
            });
    }

    private static void Write(List<Prediction> predictions, Format format, string? path, bool whole)
    {
        if (format == Format.Table)
        {
            PredictionFormat.PrintTable(predictions, whole);
        }
        else if (path is not null)
        {
            AtomicFile.Write(path, WriteTo);
        }
        else
        {
            using var output = Console.OpenStandardOutput();
            WriteTo(output);
        }

        void WriteTo(Stream stream)
        {
            if (format == Format.Json)
            {
                PredictionFormat.WriteJson(predictions, stream);
            }
            else
            {
                PredictionFormat.WriteCsv(predictions, stream);
            }
        }
    }

    private static Format FormatOf(bool json, bool csv, string? path)
    {
        if (json && csv)
        {
            throw new CommandException("--json or --csv, not both.");
        }

        var isNamed = (string extension) => string.Equals(Path.GetExtension(path), extension, StringComparison.OrdinalIgnoreCase);
        return json || (!csv && isNamed(".json")) ? Format.Json
            : csv || isNamed(".csv") ? Format.Csv
            : path is null ? Format.Table
            : throw new CommandException($"--out {path}: say --json or --csv, or end the name so.");
    }

    /// <summary>The service's address, so that paths can be added to it.</summary>
    private static Uri AddressOf(string address) =>
        Uri.TryCreate(address.EndsWith('/') ? address : $"{address}/", UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.Host.Length > 0
            ? uri
            : throw new CommandException($"--serve must be an address such as http://localhost:8080, and is {address}");

    /// <summary>Looks for a file of the folder <c>models</c>.</summary>
    private static string Find(string name)
    {
        var relative = Path.Combine("models", name);
        return new[] { Directory.GetCurrentDirectory(), AppContext.BaseDirectory }
            .SelectMany(WithParents)
            .Select(folder => Path.Combine(folder, relative))
            .FirstOrDefault(File.Exists) ?? throw new CommandException(
                $"There is no {relative} here, in a folder above, or beside the program{(name == "smile.onnx" ? "; name a model (.onnx) first" : "")}.");

        static IEnumerable<string> WithParents(string folder)
        {
            for (var at = new DirectoryInfo(folder); at is not null; at = at.Parent)
            {
                yield return at.FullName;
            }
        }
    }
}
