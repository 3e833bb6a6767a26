using System.Formats.Tar;
using SmileApi.Inference;

namespace SmileApi.Training.Tests;

public sealed class CommandLineTests : CommandLine
{
    [Theory]
    [InlineData("evaluate", "nowhere.onnx", "There is no model at")]
    [InlineData("export", "nowhere", "There is no checkpoint at")]
    [InlineData("evaluate", "", "The name of the model is empty.")]
    [InlineData("mean-faces", "--data nowhere", "There is no data folder nowhere")]
    [InlineData("mean-faces", "--data .", "has no lfw160.tar")]
    [InlineData("train", "--epochs 0", "--epochs must be at least 1")]
    [InlineData("train", "--epochs many", "Cannot parse argument 'many' for option '--epochs'")]
    [InlineData("train", "--batch 1", "--batch must be at least 2")]
    [InlineData("train", "--rate -1", "--rate must be above 0")]
    [InlineData("train", "--sead 3", "Unrecognized command or argument '--sead'")]
    [InlineData("evaluate", "model.onnx --split every", "Must be one of: \t'train'")]
    [InlineData("story", "--steps 0", "--steps must be at least 1")]
    [InlineData("story", "--sizes 50,many", "--sizes must be numbers from 1 on, or all")]
    [InlineData("story", "--model nowhere.onnx", "There is no model at")]
    [InlineData("dance", "", "Unrecognized command or argument 'dance'")]
    public void A_mistake_is_one_line_on_stderr_and_a_failure(string command, string arguments, string message) => Fails(message, [command, .. arguments.Split(' ')]);

    [Fact]
    public void Commands_that_need_libtorch_work_or_name_the_container_that_does()
    {
        var (code, _, errors) = Smile("train", "--data", "nowhere");
        Assert.Equal(2, code);
        Assert.Contains(LibTorch.WhyNot() is null ? "There is no data folder nowhere" : "docker build --target training", errors, StringComparison.Ordinal);
        Assert.Single(errors.Trim().Split('\n'));
    }

    [Fact]
    public void A_file_that_is_no_model_is_refused()
    {
        File.WriteAllText(Folder["text.onnx"], "not a model");
        Fails("is not a readable ONNX file", "evaluate", "text.onnx");
    }

    [Fact]
    public void A_file_that_is_no_archive_is_refused()
    {
        File.WriteAllText(Folder[Lfw160.ArchiveName], string.Concat(Enumerable.Repeat("no tar. ", 500)));
        Fails("is not a readable tar archive", "mean-faces", "--data", ".");
    }

    [Fact]
    public void An_archive_without_labels_is_refused()
    {
        using (var archive = new TarWriter(File.Create(Folder[Lfw160.ArchiveName])))
        {
            archive.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, "other/file.txt") { DataStream = new MemoryStream([1, 2, 3]) });
        }

        Fails("has no labels.csv", "mean-faces", "--data", ".");
    }

    [Fact]
    public void A_mean_of_few_faces_would_show_someone_and_is_refused()
    {
        DrawnFaces.WriteArchive(Folder.Path);
        Fails("at least 500 of each are needed", "mean-faces", "--data", ".");
    }

    [Fact]
    public void A_damaged_checkpoint_is_refused()
    {
        Directory.CreateDirectory(Folder["run"]);
        File.WriteAllText(Folder["run/checkpoint.bin"], "smile-checkpoint-3\n\u0002{}");
        Fails("checkpoint.bin cannot be read", "export", "run");
        File.WriteAllText(Folder["run/checkpoint.bin"], "anything");
        Fails("is not a checkpoint of this version", "export", "run");
    }

    [Fact]
    public void The_story_is_told_without_libtorch_and_keeps_the_points_that_it_cannot_measure()
    {
        WriteModel("model.onnx");
        DrawnFaces.WriteArchive(Folder["data"]);
        string[] command = ["story", "--data", "data", "--model", "model.onnx", "--out", "story", .. LibTorch.WhyNot() is null ? new[] { "--judges-only" } : []];
        var (code, output, _) = Smile(command);
        Assert.Equal(0, code);
        Assert.Contains("there will be no learning curve", output, StringComparison.Ordinal);
        var told = Story.Load(Folder["story"])!;
        Assert.Null(told.Curve);
        Assert.Equal((20, 20, 5), (told.Smiles, told.NonSmiles, told.Judges.Count));

        (told with { Curve = Curve(told.Data) }).Save(Folder["story"]);
        (code, output, var errors) = Smile(command);
        Assert.Equal(0, code);
        Assert.Contains("stays as it is", output, StringComparison.Ordinal);
        Assert.Equal(20, Story.Load(Folder["story"])!.Curve!.Points.Single().Smiles);
        Assert.True(errors.StartsWith("No plots: ", StringComparison.Ordinal) || new[] { "story", "judges" }.All(plot => File.Exists(Folder[$"story/{plot}.png"])));

        (told with { Curve = Curve(new Dictionary<string, string> { ["lfw160.tar"] = "00" }) }).Save(Folder["story"]);
        Fails("is of other data than these", command);
    }

    [Fact]
    public void The_story_is_told_with_networks_that_have_learned()
    {
        Needs.LibTorch();
        WriteModel("model.onnx");
        DrawnFaces.WriteArchive(Folder["data"]);
        string[] command = ["story", "--data", "data", "--model", "model.onnx", "--out", "story", "--steps", "4"];
        var (code, output, errors) = Smile([.. command, "--sizes", "20,all"]);
        Assert.True(code == 0, errors);
        Assert.Contains("20 a class  epoch", output, StringComparison.Ordinal);
        Assert.Equal(["20", "all"], Story.Load(Folder["story"])!.Curve!.Points.Select(point => point.Pictures));
        Assert.True(File.Exists(Folder["runs/story/all/checkpoint.bin"]));
        Fails("fewer than the 41 of --sizes", [.. command, "--sizes", "41"]);
    }

    [Fact]
    public void A_run_killed_outright_and_resumed_ends_like_one_left_alone()
    {
        Needs.LibTorch();
        DrawnFaces.WriteArchive(Folder["data"]);
        string[] train = ["train", "--data", "data", "--epochs", "4", "--batch", "8"];
        var (code, output, errors) = Smile([.. train, "--run", "whole", "--out", "models/whole.onnx"]);
        Assert.True(code == 0, errors);
        Assert.Contains("epoch   4", output, StringComparison.Ordinal);
        var history = RunHistory.Load(Folder["models/training/history.json"]);
        Assert.Equal(history.Epochs.Count, history.Filters!.Count);

        using (var process = Start(Folder.Path, [.. train, "--run", "killed", "--out", "models/killed.onnx"]))
        {
            while (process.StandardOutput.ReadLine() is { } line && !line.StartsWith("epoch   1", StringComparison.Ordinal))
            {
            }

            process.Kill();
            process.WaitForExit();
        }

        Assert.InRange(Checkpoint.Load(Folder["killed"]).Epoch, 1, 3);
        Fails("holds a run already", [.. train, "--run", "killed"]);
        Fails("leave out --epochs, --batch", [.. train, "--run", "killed", "--resume"]);
        Fails("There is no checkpoint at", "train", "--data", "data", "--run", "other", "--resume");
        (code, _, errors) = Smile("train", "--data", "data", "--run", "killed", "--resume", "--out", "models/killed.onnx");
        Assert.True(code == 0, errors);
        TrainerTests.SameWeights(Checkpoint.Load(Folder["whole"]), Checkpoint.Load(Folder["killed"]));
    }

    private static LearningCurve Curve(IReadOnlyDictionary<string, string> data)
    {
        var point = new CurvePoint("20", 20, 20, 100, 1, 0.9, new Interval(0.8, 0.95), 0.9, 0.95, 0.3, new ChosenEpoch(50, new ModelScore(40, 0.9, 0.9, 0.95, 0.3)));
        return new LearningCurve(1, 100, 32, "A note.", data, [point], Filters: null);
    }
}
