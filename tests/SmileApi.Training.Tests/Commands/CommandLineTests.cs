using System.Formats.Tar;
using System.Text.Json;

namespace SmileApi.Training.Tests;

public sealed class CommandLineTests : CommandLine
{
    [Theory]
    [InlineData("evaluate", "nowhere.onnx", "There is no model at")]
    [InlineData("predict", "nowhere.onnx face.png", "There is no model at")]
    [InlineData("predict", "nowhere.onnx", "Name at least one picture")]
    [InlineData("export", "nowhere", "There is no checkpoint at")]
    [InlineData("mean-faces", "--data nowhere", "There is no data folder nowhere")]
    [InlineData("mean-faces", "--data .", "has no lfw160.tar")]
    [InlineData("train", "--epochs 0", "--epochs must be at least 1")]
    [InlineData("train", "--epochs many", "Cannot parse argument 'many' for option '--epochs'")]
    [InlineData("train", "--batch 1", "--batch must be at least 2")]
    [InlineData("train", "--rate -1", "--rate must be above 0")]
    [InlineData("train", "--sead 3", "Unrecognized command or argument '--sead'")]
    [InlineData("evaluate", "model.onnx --split every", "Must be one of: \t'train'")]
    [InlineData("dance", "", "Unrecognized command or argument 'dance'")]
    public void A_mistake_is_one_line_on_stderr_and_a_failure(string command, string arguments, string message) => Fails(message, [command, .. arguments.Split(' ')]);

    [Fact]
    public void Commands_that_need_libtorch_work_or_name_the_container_that_does()
    {
        var (code, _, errors) = Smile("train", "--data", "nowhere");
        Assert.Equal(1, code);
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
        File.WriteAllText(Folder["run/checkpoint.bin"], "smile-checkpoint-1\n\u0002{}");
        Fails("checkpoint.bin cannot be read", "export", "run");
        File.WriteAllText(Folder["run/checkpoint.bin"], "anything");
        Fails("is not a checkpoint of this version", "export", "run");
    }

    [Fact]
    public void Pictures_are_predicted_and_unreadable_ones_named()
    {
        WriteModel("model.onnx");
        var picture = GoldenPictures.All.Single(picture => picture.Name == "smiling");
        File.WriteAllBytes(Folder["face.png"], GreyPng.Encode(picture.Pixels, picture.Width, picture.Height));
        File.WriteAllText(Folder["text.jpg"], "not a picture");

        var (code, output, errors) = Smile("predict", "model.onnx", "face.png", "--json");
        Assert.Equal((0, ""), (code, errors));
        var prediction = JsonDocument.Parse(output).RootElement[0];
        Assert.Equal("face.png", prediction.GetProperty("file").GetString());
        Assert.Equal(0.5, prediction.GetProperty("probability").GetDouble());

        (code, output, errors) = Smile("predict", "model.onnx", "face.png", "text.jpg", "missing.png");
        Assert.Equal(1, code);
        Assert.Contains("0.5000", output, StringComparison.Ordinal);
        Assert.Collection(
            errors.Trim().Split('\n'),
            line => Assert.StartsWith("text.jpg: ", line, StringComparison.Ordinal),
            line => Assert.Equal("missing.png: There is no such file.", line.Trim()));
    }

    [Fact]
    public void The_model_is_found_in_a_folder_above()
    {
        WriteModel("models/smile.onnx");
        Directory.CreateDirectory(Folder["deep/down"]);
        File.WriteAllBytes(Folder["deep/down/face.png"], GreyPng.Encode(new byte[400], 20, 20));
        Assert.Equal(0, Smile(Folder["deep/down"], ["predict", "face.png"]).Code);
    }

    [Fact]
    public void Models_label_what_is_disputed_and_training_learns_from_that_too()
    {
        WriteModel("model.onnx");
        DrawnFaces.WriteArchive(Folder["data"], disputed: 30);
        var (code, output, errors) = Smile("label", "model.onnx", "model.onnx", "--data", "data", "--out", "soft-labels.csv");
        Assert.Equal((0, ""), (code, errors));
        Assert.Contains("30 pictures disputed, 30 of them taken for smiles", output, StringComparison.Ordinal);

        var labels = SoftLabels.Read(Folder["soft-labels.csv"]);
        Assert.Equal(30, labels.Targets.Count);
        Assert.All(labels.Targets.Values, target => Assert.Equal(0.5f, target));

        var archive = Lfw160.Open(Folder["data"], labels);
        Assert.Equal(80 + 30, archive.Faces("train", 1).Count);
        Assert.Equal(30, archive.Faces("train", 1).Count(face => face.Target == 0.5f));
        Assert.Equal(40, archive.Faces("val", 1).Count);
        Assert.Equal(80, Lfw160.Open(Folder["data"]).Faces("train", 1).Count);
        Assert.Equal(labels.Sha256, archive.Hashes()["soft-labels.csv"]);
    }

    [Theory]
    [InlineData("", "does not begin with the line sha256,label,target")]
    [InlineData("sha256,label,target\nabc,disputed,0.5\n", "Line 2 of labels.csv is not a hash")]
    [InlineData("sha256,label,target\n0000000000000000000000000000000000000000000000000000000000000000,disputed,1.5\n", "Line 2 of labels.csv is not a hash")]
    public void Soft_labels_that_are_none_are_refused(string csv, string message)
    {
        File.WriteAllText(Folder["labels.csv"], csv);
        Assert.Contains(message, Assert.Throws<CommandException>(() => SoftLabels.Read(Folder["labels.csv"])).Message.Replace(Folder.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal), StringComparison.Ordinal);
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
        Assert.True(File.Exists(Folder["models/training/history.json"]));

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
}
