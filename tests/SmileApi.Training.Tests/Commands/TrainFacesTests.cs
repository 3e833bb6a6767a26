using System.Diagnostics;
using SkiaSharp;

namespace SmileApi.Training.Tests;

/// <summary><c>smile train-faces</c> on faces and scenes that are drawn.</summary>
public sealed class TrainFacesTests : CommandLine
{
    private static readonly string[] Short = ["--find-steps", "8", "--check-steps", "2", "--held-out", "6"];

    public TrainFacesTests()
    {
        DrawnFaces.WriteArchive(Folder["data"], train: 24);
        DrawnFaces.WriteScenes(Folder["data"]);
    }

    [Theory]
    [InlineData("--data nowhere", "There is no data folder nowhere")]
    [InlineData("--data .", "has no lfw160.tar")]
    [InlineData("--data data --find-steps 0", "--find-steps must be at least 1")]
    [InlineData("--data data --check-steps -3", "--check-steps must be at least 1")]
    [InlineData("--data data --held-out 0", "--held-out must be at least 1")]
    [InlineData("--data data --seed many", "Cannot parse argument 'many' for option '--seed'")]
    [InlineData("--data data --resume --seed 3 --find-steps 4", "A resumed run keeps its own options; leave out --seed, --find-steps")]
    public void A_mistake_is_one_line_on_stderr_and_a_failure(string arguments, string message) => Fails(message, ["train-faces", .. arguments.Split(' ')]);

    [Fact]
    public void Composed_pictures_are_shown_without_libtorch()
    {
        DrawnFaces.WriteFaces36(Folder["data"], 4);
        var (code, output, errors) = Smile("train-faces", "--data", "data", "--preview", "pictures");
        Assert.Equal((0, "", ""), (code, output, errors));
        var pictures = Directory.GetFiles(Folder["pictures"], "*.png");
        Assert.Equal(48, pictures.Length);
        var framed = pictures.Count(picture =>
        {
            using var bitmap = SKBitmap.Decode(picture);
            Assert.Equal((192, 192), (bitmap.Width, bitmap.Height));
            return bitmap.Pixels.Contains(SKColors.Lime);
        });
        Assert.InRange(framed, 20, 48);
    }

    [Fact]
    public void Without_scenes_or_without_a_splits_faces_nothing_is_composed()
    {
        File.Delete(Folder[$"data/{Scenes.ArchiveName}"]);
        Fails("scenes-without-faces.tar cannot be read", "train-faces", "--data", "data", "--preview", "pictures");
        DrawnFaces.WriteArchive(Folder["data"], train: 0);
        Fails("lfw160.tar has no faces in its split 'train'", "train-faces", "--data", "data", "--preview", "pictures");
    }

    [Fact]
    public void Both_stages_are_trained_written_and_written_again_byte_for_byte()
    {
        Needs.LibTorch();
        string[] train = ["train-faces", "--data", "data", "--run", "run", "--out", "models/faces.onnx"];
        var (code, output, errors) = Smile([.. train, .. Short, "--seed", "4"]);
        Assert.True(code == 0, errors);
        Assert.StartsWith("24 faces and 22 scenes to learn from, 40 and 1 to judge by; checkpoints in run.", output, StringComparison.Ordinal);
        Assert.Contains("find       8  loss", output, StringComparison.Ordinal);
        Assert.Contains("check      2  loss", output, StringComparison.Ordinal);

        string[] files = ["models/faces.onnx", "models/faces-check.onnx"];
        var written = files.Select(file => File.ReadAllBytes(Folder[file])).ToArray();
        using (var detector = FaceDetector.Load(Folder["models/faces.onnx"]))
        {
            Assert.Equal((4, 8 * 16), (detector.Find.Metadata.Training.Seed, detector.Find.Metadata.Training.Pictures));
            Assert.Equal([Lfw160.ArchiveName, Scenes.ArchiveName], detector.Check.Metadata.Training.Data.Keys.Order());
            Assert.Equal(DetectorTrainer.Licence, detector.Check.Metadata.Licence);
        }

        Assert.Equal((4, 8, 2, 6), StageCheckpoint.Load(Folder["run/find.bin"], FindArchitecture.Layout)!.Options switch { var o => (o.Seed, o.FindSteps, o.CheckSteps, o.HeldOut) });

        Fails("run holds a run already: go on with --resume", [.. train, .. Short]);
        files.ToList().ForEach(file => File.Delete(Folder[file]));
        (code, _, errors) = Smile([.. train, "--resume"]);
        Assert.True(code == 0, errors);
        Assert.Equal(written, files.Select(file => File.ReadAllBytes(Folder[file])));

        // A second stage belongs to its first.
        File.Delete(Folder["run/find.bin"]);
        Fails("run holds a run already", [.. train, .. Short]);
        Fails("There is no checkpoint at run", [.. train, "--resume"]);
    }

    [Fact]
    public void A_run_goes_on_with_its_own_data_only()
    {
        Needs.LibTorch();
        Stages.Checkpoint(FindArchitecture.RandomWeights(1)).Save(Folder["run/find.bin"]);
        Fails("The run in run was trained on other data than these", "train-faces", "--data", "data", "--run", "run", "--resume");
        File.WriteAllText(Folder["run/find.bin"], "anything");
        Fails("is not a checkpoint of this version", "train-faces", "--data", "data", "--run", "run", "--resume");
        Fails("cannot be written", "train-faces", "--data", "data", "--out", "run/find.bin/faces.onnx");
    }

    [Fact]
    public void A_run_that_is_asked_to_stop_says_how_to_go_on_and_keeps_its_options()
    {
        Needs.LibTorch();
        using var process = Start(Folder.Path, ["train-faces", "--data", "data", "--run", "run", "--find-steps", "1000000", "--held-out", "6", "--seed", "9"]);
        Assert.Contains("to learn from", process.StandardOutput.ReadLine(), StringComparison.Ordinal);
        using (var kill = Process.Start("sh", ["-c", $"kill -TERM {process.Id}"]))
        {
            kill.WaitForExit();
        }

        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal((130, "Stopped. Go on with: smile train-faces --resume --data data --run run --out models/faces.onnx"), (process.ExitCode, errors.Trim()));
        var checkpoint = StageCheckpoint.Load(Folder["run/find.bin"], FindArchitecture.Layout)!;
        Assert.Equal((9, 1_000_000), (checkpoint.Options.Seed, checkpoint.Options.FindSteps));
        Assert.False(File.Exists(Folder["models/faces.onnx"]));
    }
}
