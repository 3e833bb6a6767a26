using System.CommandLine;
using System.Runtime.InteropServices;
using SkiaSharp;
using Spectre.Console;

namespace SmileApi.Training;

/// <summary><c>smile train-faces</c>: trains the face detector, both stages, on composed pictures.</summary>
internal static class TrainFacesCommand
{
    private const int Stopped = 130; // As shells have it for Ctrl-C.

    public static Command Make()
    {
        var defaults = new FaceTrainOptions();
        var data = new Option<string?>("--data") { Description = $"Folder with {Lfw160.ArchiveName}, {Scenes.ArchiveName} and, if there, {Faces36.ArchiveName}. [default: SMILE_DATA, else ../shared/data]", HelpName = "DATA" };
        var target = CommonOptions.Out(Path.Combine("models", "faces.onnx"));
        var run = new Option<string>("--run") { Description = "Folder for checkpoints.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("runs", "faces") };
        var resume = new Option<bool>("--resume") { Description = "Go on with the run in --run, with its own options, to the same result." };
        var preview = new Option<string?>("--preview") { Description = "Only write some of the composed pictures, their faces framed, to this folder.", HelpName = "DIR" };
        var seed = new Option<int?>("--seed") { Description = $"Seed of all randomness. [default: {defaults.Seed}]" };
        var findSteps = new Option<int?>("--find-steps") { Description = $"Steps of the first stage. [default: {defaults.FindSteps}]" };
        var checkSteps = new Option<int?>("--check-steps") { Description = $"Steps of the second stage. [default: {defaults.CheckSteps}]" };
        var heldOut = new Option<int?>("--held-out") { Description = $"Held-out pictures to tell by how far each stage is, and as many to calibrate by. [default: {defaults.HeldOut}]" };
        var command = new Command("train-faces", "Train the face detector from random weights on faces blended into scenes without faces.")
        {
            data, target, run, resume, preview, seed, findSteps, checkSteps, heldOut,
        };
        command.SetAction(parsed =>
        {
            var asked = new Option[] { seed, findSteps, checkSteps, heldOut }.Where(option => parsed.GetResult(option) is { Implicit: false }).ToArray();
            if (parsed.GetValue(resume) && asked.Length > 0)
            {
                throw new CommandException($"A resumed run keeps its own options; leave out {string.Join(", ", asked.Select(option => option.Name))}.");
            }

            if (new[] { findSteps, checkSteps, heldOut }.FirstOrDefault(option => parsed.GetValue(option) < 1) is { } mistaken)
            {
                throw new CommandException($"{mistaken.Name} must be at least 1.");
            }

            var options = defaults with
            {
                Seed = parsed.GetValue(seed) ?? defaults.Seed,
                FindSteps = parsed.GetValue(findSteps) ?? defaults.FindSteps,
                CheckSteps = parsed.GetValue(checkSteps) ?? defaults.CheckSteps,
                HeldOut = parsed.GetValue(heldOut) ?? defaults.HeldOut,
            };
            var folder = Lfw160.Folder(parsed.GetValue(data));
            if (SystemFont.Find() is null)
            {
                throw new CommandException("Scenes have letters in them, and there is no font to draw them with; install DejaVu Sans.");
            }

            if (parsed.GetValue(preview) is { } pictures)
            {
                Preview(options, folder, pictures);
                return 0;
            }

            return Run(options, parsed.GetValue(data), folder, parsed.GetValue(run)!, parsed.GetValue(resume), parsed.GetValue(target)!);
        });
        return command;
    }

    private static int Run(FaceTrainOptions options, string? named, string folder, string run, bool resume, string target)
    {
        LibTorch.Require();
        if (!resume && (File.Exists(DetectorTrainer.FindCheckpoint(run)) || File.Exists(DetectorTrainer.CheckCheckpoint(run))))
        {
            throw new CommandException($"{run} holds a run already: go on with --resume, name another folder by --run, or delete it.");
        }

        var earlier = StageCheckpoint.Load(DetectorTrainer.FindCheckpoint(run), FindArchitecture.Layout);
        if (resume && earlier is null)
        {
            throw new CommandException($"There is no checkpoint at {DetectorTrainer.FindCheckpoint(run)}.");
        }

        AtomicFile.RequireWritable(DetectorTrainer.FindCheckpoint(run));
        AtomicFile.RequireWritable(target);
        using var stopping = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        if (Train(earlier?.Options ?? options, folder, run, stopping.Token) is not { } trained)
        {
            Console.Error.WriteLine($"Stopped. Go on with: {CommonOptions.Again("train-faces", ("--data", named), ("--run", run), ("--out", target))}");
            return Stopped;
        }

        FaceExport.Write(target, trained.Find, trained.Check, trained.Calibration, trained.FindWeight, DetectorTrainer.Licence);
        Console.WriteLine($"{target}, {FaceExport.CheckPathBeside(target)}: a face from a confidence of {FaceExport.Threshold} on");
        return 0;

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopping.Cancel();
        }
    }

    /// <summary>Trains with a live bar on a terminal, and with one line a checkpoint everywhere.</summary>
    private static Detector? Train(
        FaceTrainOptions options, string folder, string run, CancellationToken stopping)
    {
        if (Console.IsOutputRedirected || !AnsiConsole.Profile.Capabilities.Interactive)
        {
            return new DetectorTrainer(options, folder, run, AnsiConsole.WriteLine, (_, _) => { }).Run(stopping);
        }

        return AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
            .Start(context =>
            {
                var bar = context.AddTask("reading the pictures", maxValue: options.FindSteps + options.CheckSteps);
                return new DetectorTrainer(options, folder, run, AnsiConsole.WriteLine, (stage, step) =>
                {
                    bar.Value = step.Step + (stage == "find" ? 0 : options.FindSteps);
                    bar.Description = $"{stage} {step.Step}/{step.Steps}  loss {step.Loss:F4}  {step.PicturesPerSecond:F0} pictures/s  {step.Left:h\\:mm\\:ss} left";
                }).Run(stopping);
            });
    }

    private static void Preview(FaceTrainOptions options, string folder, string target)
    {
        var pictures = new FindPictures(FacePicture.Load(folder, "train"), Scenes.Load(folder, "train"), new CompositionOptions());
        for (var i = 0; i < 48; i++)
        {
            var chance = new SplitMix(options.Seed, RandomPurpose.Composition, 0, i);
            using var composition = pictures.Next(ref chance);
            using var grey = GreyPng.Bitmap(composition.Image.Pixels, composition.Image.Width, composition.Image.Height);
            using var colour = grey.Copy(SKColorType.Rgba8888);
            using var canvas = new SKCanvas(colour);
            foreach (var face in composition.Faces)
            {
                using var frame = new SKPaint { Style = SKPaintStyle.Stroke, Color = face.IsClear ? SKColors.Lime : SKColors.Orange };
                canvas.DrawRect(face.Box.X, face.Box.Y, face.Box.Side, face.Box.Side, frame);
            }

            using var png = colour.Encode(SKEncodedImageFormat.Png, quality: 100);
            AtomicFile.Write(Path.Combine(target, $"{i:D3}.png"), png.ToArray());
        }
    }
}
