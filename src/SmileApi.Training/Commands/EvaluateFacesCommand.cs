using System.CommandLine;
using System.Globalization;
using System.Text;
using Spectre.Console;

namespace SmileApi.Training;

/// <summary><c>smile evaluate-faces</c>: what a face detector finds, and what its crops are worth to the smile model. Needs no libtorch.</summary>
internal static class EvaluateFacesCommand
{
    public static Command Make()
    {
        var find = new Argument<string>("FIND")
        {
            Description = "The detector's first stage, an ONNX file that `smile` has made.",
            DefaultValueFactory = _ => Path.Combine("models", "faces.onnx"),
        };
        var check = new Argument<string?>("CHECK") { Description = "Its second stage. [default: beside the first, faces-check.onnx for faces.onnx]", Arity = ArgumentArity.ZeroOrOne };
        var smile = new Option<string>("--smile") { Description = "The model that judges the smiles of the faces found.", HelpName = "MODEL", DefaultValueFactory = _ => Path.Combine("models", "smile.onnx") };
        var data = new Option<string?>("--data")
        {
            Description = $"Folder with {PhotosWithBoxes.ArchiveName}, {Lfw160.ArchiveName} and {Scenes.ArchiveName}. [default: SMILE_DATA, else ../shared/data]",
            HelpName = "DIR",
        };
        var json = CommonOptions.Json();
        var plots = new Option<string?>("--plots") { Description = "Folder for faces-precision-recall.png.", HelpName = "DIR" };
        var haar = new Option<string>("--haar")
        {
            Description = "Whether OpenCV's Haar cascade looks at the same photographs: auto, where Python has it, or off.",
            HelpName = "auto|off",
            DefaultValueFactory = _ => "auto",
        };
        haar.AcceptOnlyFromAmong("auto", "off");
        var val = new Option<bool>("--val") { Description = "Leave out what is for tests only, and read only what things may be chosen by." };
        var sweep = new Option<bool>("--sweep") { Description = "Judge smiles of validation faces by other rules of cropping, too." };
        var composites = new Option<int>("--composites")
        {
            Description = "Faces to compose in all pictures that have as many faces.",
            HelpName = "N",
            DefaultValueFactory = _ => 400,
        };
        var card = new Option<bool>("--card") { Description = "Write the card beside the first stage, and its figures and plot into training/ there." };
        var command = new Command("evaluate-faces", "Score a face detector on photographs, portraits and composed pictures, beside OpenCV's Haar cascade.")
        {
            find, check, smile, data, json, plots, haar, val, sweep, composites, card,
        };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(val) && (parsed.GetValue(card) || parsed.GetValue(plots) is not null))
            {
                throw new CommandException("--card and --plots need the test photographs, which --val leaves out.");
            }

            if (parsed.GetValue(composites) < 1)
            {
                throw new CommandException("--composites must be at least 1.");
            }

            using var detector = FaceDetector.Load(parsed.GetValue(find)!, parsed.GetValue(check));
            using var model = PredictCommand.Load(parsed.GetValue(smile)!);
            if (parsed.GetValue(card))
            {
                AtomicFile.RequireWritable(CardOf(detector)); // Before minutes of work.
            }

            var evaluation = FaceEvaluation.Of(
                detector, model, parsed.GetValue(data), tests: !parsed.GetValue(val), haar: parsed.GetValue(haar) != "off", parsed.GetValue(sweep), parsed.GetValue(composites));
            if (parsed.GetValue(json))
            {
                JsonOutput.Print(evaluation);
            }
            else
            {
                Print(evaluation);
            }

            if (parsed.GetValue(plots) is { } folder)
            {
                Plots.Detection(evaluation.Photos!, folder);
            }

            if (parsed.GetValue(card))
            {
                WriteCard(evaluation, detector);
            }
        });
        return command;
    }

    private static string CardOf(FaceDetector detector) => Path.Combine(Path.GetDirectoryName(detector.Find.Path)!, FaceCard.FileName);

    private static void WriteCard(FaceEvaluation evaluation, FaceDetector detector)
    {
        var card = CardOf(detector);
        var training = Path.Combine(Path.GetDirectoryName(card)!, "training");
        evaluation.Save(training);
        Plots.Detection(evaluation.Photos!, training);
        AtomicFile.Write(card, Encoding.UTF8.GetBytes(FaceCard.Text(evaluation, detector.Find.Metadata, detector.Check.Metadata)));
    }

    private static void Print(FaceEvaluation evaluation)
    {
        Console.WriteLine($"{evaluation.Name} {evaluation.Check.Version} ({evaluation.Find.Sha256[..12]}, {evaluation.Check.Sha256[..12]}), smiles by {evaluation.Smile}");
        if (evaluation.Photos is { } photos)
        {
            Print(photos);
        }

        var portraits = Columns("portraits", "pictures", "face found", "good crop", "smiles judged right", "on labelled crops", "points");
        foreach (var (name, scores) in new[] { ("val", evaluation.Val), ("test", evaluation.Test) })
        {
            if (scores is not null)
            {
                portraits.AddRow(
                    name, $"{scores.Pictures}", Percent(scores.FoundShare), Percent(scores.GoodCropShare), Accuracy(scores.OnFound), Accuracy(scores.OnLabelled),
                    scores.Points?.ToString("+0.00;-0.00;0.00", CultureInfo.InvariantCulture) ?? "");
            }
        }

        AnsiConsole.Write(portraits);

        static string Accuracy(EvaluationScore? score) => score is null ? "" : Percent(score.Accuracy);

        if (evaluation.Crops is { } fit)
        {
            var offsets = Columns($"crops of {fit.Count} val faces, off the labelled", "mean", "deviation");
            offsets.AddRow("right, in sides", Signed(fit.Dx.Mean), Number(fit.Dx.Deviation));
            offsets.AddRow("down, in sides", Signed(fit.Dy.Mean), Number(fit.Dy.Deviation));
            offsets.AddRow("larger, natural logarithm", Signed(fit.LogScale.Mean), Number(fit.LogScale.Deviation));
            AnsiConsole.Write(offsets);
        }

        var turns = Columns("val faces turned", "found", "roll told, off by", "deviation", "smiles on labelled crops", "straightened", "as served");
        foreach (var turn in evaluation.Turned)
        {
            turns.AddRow(
                $"{turn.Degrees} degrees", Percent((double)turn.Found / turn.Count), Signed(turn.RollError.Mean), Number(turn.RollError.Deviation), Percent(turn.Upright.Accuracy),
                Percent(turn.Straightened.Accuracy), Accuracy(turn.Served));
        }

        AnsiConsole.Write(turns);

        var composed = Columns("composed pictures", "pictures", "faces", "found", "boxes that are false");
        foreach (var kind in evaluation.Composites)
        {
            composed.AddRow($"of {kind.Tried} faces{(kind.Hard ? ", as hard as for learning" : "")}", $"{kind.Pictures}", $"{kind.Faces}", Percent(kind.FoundShare), Percent(kind.FalseShare));
        }

        AnsiConsole.Write(composed);
        Console.WriteLine($"{evaluation.Scenes.False} false faces in {evaluation.Scenes.Scenes} scenes without any: {Number(evaluation.Scenes.FalsePerScene)} a scene");

        if (evaluation.Sweep is { } sweep)
        {
            var rules = Columns("crops of val faces scaled by", "moved down by", "smiles judged right", "ROC AUC", "log loss");
            foreach (var (scale, shift, score) in sweep)
            {
                rules.AddRow(
                    scale.ToString("F2", CultureInfo.InvariantCulture), shift.ToString("F2", CultureInfo.InvariantCulture), Percent(score.Accuracy),
                    score.RocAuc is { } area ? Number(area) : "", Number(score.LogLoss));
            }

            AnsiConsole.Write(rules);
        }
    }

    private static void Print(PhotoScores photos)
    {
        Console.WriteLine(
            $"{photos.Photos} photographs with {photos.Faces} faces: average precision {Number(photos.AveragePrecision)}, {photos.Milliseconds.ToString("F1", CultureInfo.InvariantCulture)} ms of CPU time each");
        var found = Columns("photographs", "false boxes", "faces found", "share", "Haar finds", "and takes, ms");
        found.AddRow($"from {photos.AtThreshold.Confidence} on", $"{photos.AtThreshold.False}", $"{photos.AtThreshold.Found}", Share(photos.AtThreshold.Found));
        found.AddRow("at most 8 false", "8", $"{photos.FoundWith8False}", Share(photos.FoundWith8False));
        found.AddRow("at most 20 false", "20", $"{photos.FoundWith20False}", Share(photos.FoundWith20False));
        foreach (var haar in photos.Haar)
        {
            found.AddRow(
                $"as Haar, minNeighbors {haar.MinNeighbors}", $"{haar.False}", $"{haar.OursFound}", Share(haar.OursFound), $"{haar.Found}",
                haar.Milliseconds.ToString("F0", CultureInfo.InvariantCulture));
        }

        AnsiConsole.Write(found);
        if (photos.TimesFaster is { } times)
        {
            Console.WriteLine($"OpenCV {photos.OpenCv} takes {times.ToString("F1", CultureInfo.InvariantCulture)} times as long.");
        }

        string Share(int faces) => Percent((double)faces / photos.Faces);
    }

    private static Table Columns(string name, params string[] numbers)
    {
        var table = new Table { Border = TableBorder.Rounded }.AddColumn(name);
        return numbers.Aggregate(table, (columns, number) => columns.AddColumn(new TableColumn(number).RightAligned()));
    }

    private static string Percent(double share) => share.ToString("P2", CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("F4", CultureInfo.InvariantCulture);

    private static string Signed(double value) => value.ToString("+0.0000;-0.0000;0.0000", CultureInfo.InvariantCulture);
}
