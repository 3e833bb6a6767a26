using System.Diagnostics;
using System.Formats.Tar;
using System.Text.Json;
using SmileApi.Inference;

namespace SmileApi.Training.Tests;

/// <summary>The program as its users start it.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

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
    [InlineData("story", "--steps 0", "--steps must be at least 1")]
    [InlineData("story", "--sizes 50,many", "--sizes must be numbers from 1 on, or all")]
    [InlineData("story", "--model nowhere.onnx", "There is no model at")]
    [InlineData("evaluate", "model.onnx --split all", "Must be one of: \t'train'")]
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
        File.WriteAllText(_folder["text.onnx"], "not a model");
        Fails("is not a readable ONNX file", "evaluate", "text.onnx");
    }

    [Fact]
    public void A_file_that_is_no_archive_is_refused()
    {
        File.WriteAllText(_folder[Lfw160.ArchiveName], string.Concat(Enumerable.Repeat("no tar. ", 500)));
        Fails("is not a readable tar archive", "mean-faces", "--data", ".");
    }

    [Fact]
    public void An_archive_without_labels_is_refused()
    {
        using (var archive = new TarWriter(File.Create(_folder[Lfw160.ArchiveName])))
        {
            archive.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, "other/file.txt") { DataStream = new MemoryStream([1, 2, 3]) });
        }

        Fails("has no labels.csv", "mean-faces", "--data", ".");
    }

    [Fact]
    public void A_mean_of_few_faces_would_show_someone_and_is_refused()
    {
        DrawnFaces.WriteArchive(_folder.Path);
        Fails("at least 500 of each are needed", "mean-faces", "--data", ".");
    }

    [Fact]
    public void A_damaged_checkpoint_is_refused()
    {
        Directory.CreateDirectory(_folder["run"]);
        File.WriteAllText(_folder["run/checkpoint.bin"], "smile-checkpoint-1\n\u0002{}");
        Fails("checkpoint.bin cannot be read", "export", "run");
        File.WriteAllText(_folder["run/checkpoint.bin"], "anything");
        Fails("is not a checkpoint of this version", "export", "run");
    }

    [Fact]
    public void Pictures_are_predicted_and_unreadable_ones_named()
    {
        WriteModel("model.onnx");
        var picture = GoldenPictures.All.Single(picture => picture.Name == "smiling");
        File.WriteAllBytes(_folder["face.png"], GreyPng.Encode(picture.Pixels, picture.Width, picture.Height));
        File.WriteAllText(_folder["text.jpg"], "not a picture");

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
        Directory.CreateDirectory(_folder["deep/down"]);
        File.WriteAllBytes(_folder["deep/down/face.png"], GreyPng.Encode(new byte[400], 20, 20));
        Assert.Equal(0, Smile(_folder["deep/down"], ["predict", "face.png"]).Code);
    }

    [Fact]
    public void A_model_is_evaluated_without_libtorch()
    {
        WriteModel("model.onnx");
        DrawnFaces.WriteArchive(_folder["data"]);
        var (code, output, errors) = Smile("evaluate", "model.onnx", "--data", "data", "--json");
        Assert.Equal((0, ""), (code, errors));
        var report = JsonDocument.Parse(output).RootElement;
        Assert.Equal(40, report.GetProperty("score").GetProperty("count").GetInt32());
        Assert.Equal(0.5, report.GetProperty("score").GetProperty("balancedAccuracy").GetDouble());
        Assert.Equal(20, report.GetProperty("confusion").GetProperty("falseSmiles").GetInt32());
        Assert.Equal(0, report.GetProperty("calibrationError").GetDouble()); // Half of the faces smile, and 0.5 is what it answers.
        Assert.Equal(Corruption.All.Select(corruption => corruption.Name), report.GetProperty("corrupted").EnumerateArray().Select(condition => condition.GetProperty("name").GetString()!));
        Assert.Equal(40, report.GetProperty("bySize").EnumerateArray().Sum(condition => condition.GetProperty("count").GetInt32()));

        (code, output, errors) = Smile("evaluate", "model.onnx", "--data", "data", "--split", "val", "--plots", "plots");
        Assert.Equal(0, code);
        Assert.Contains("50.00 %", output, StringComparison.Ordinal);
        Assert.True(errors.StartsWith("No plots: ", StringComparison.Ordinal) || new[] { "roc", "reliability", "scores" }.All(plot => File.Exists(_folder[$"plots/{plot}.png"])));
    }

    [Fact]
    public void Pictures_of_ones_own_in_two_folders_are_evaluated_and_unreadable_ones_named_and_counted()
    {
        WriteModel("model.onnx");
        var count = DrawnFaces.WriteFolders(_folder["faces"], 300);
        File.WriteAllText(_folder["faces/smile/notes.txt"], "no picture");
        File.WriteAllText(_folder["faces/smile/.hidden"], "no picture, and nobody's business");

        var (all, left) = (0, new List<string>());
        foreach (var split in new[] { "train", "val", "test" })
        {
            var (code, output, errors) = Smile("evaluate", "model.onnx", "--data", "faces", "--split", split, "--json");
            Assert.Equal(0, code);
            all += JsonDocument.Parse(output).RootElement.GetProperty("score").GetProperty("count").GetInt32();
            left.AddRange(errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }

        Assert.Equal(count, all);
        Assert.Collection(
            left,
            line => Assert.Matches("left out: faces/smile/notes.txt: .* not a JPEG, PNG or WebP", line),
            line => Assert.Matches("^1 of [0-9]+ files of the split '(train|val|test)' were left out.", line));
    }

    [Fact]
    public void Models_label_what_is_disputed_and_training_learns_from_that_too()
    {
        WriteModel("model.onnx");
        DrawnFaces.WriteArchive(_folder["data"], disputed: 30);
        var (code, output, errors) = Smile("label", "model.onnx", "model.onnx", "--data", "data", "--out", "soft-labels.csv");
        Assert.Equal((0, ""), (code, errors));
        Assert.Contains("30 pictures disputed, 30 of them taken for smiles", output, StringComparison.Ordinal);

        var labels = SoftLabels.Read(_folder["soft-labels.csv"]);
        Assert.Equal(30, labels.Targets.Count);
        Assert.All(labels.Targets.Values, target => Assert.Equal(0.5f, target));

        var archive = Lfw160.Open(_folder["data"], labels);
        Assert.Equal(80 + 30, archive.Faces("train", 1).Count);
        Assert.Equal(30, archive.Faces("train", 1).Count(face => face.Target == 0.5f));
        Assert.Equal(40, archive.Faces("val", 1).Count);
        Assert.Equal(80, Lfw160.Open(_folder["data"]).Faces("train", 1).Count);
        Assert.Equal(labels.Sha256, archive.Hashes()["soft-labels.csv"]);
    }

    [Fact]
    public void The_story_is_told_without_libtorch_and_keeps_the_points_that_it_cannot_measure()
    {
        WriteModel("model.onnx");
        DrawnFaces.WriteArchive(_folder["data"]);
        string[] command = ["story", "--data", "data", "--model", "model.onnx", "--out", "story", .. LibTorch.WhyNot() is null ? new[] { "--judges-only" } : []];
        var (code, output, _) = Smile(command);
        Assert.Equal(0, code);
        Assert.Contains("there will be no learning curve", output, StringComparison.Ordinal);
        var told = Story.Load(_folder["story"])!;
        Assert.Null(told.Curve);
        Assert.Equal((20, 20, 5), (told.Smiles, told.NonSmiles, told.Judges.Count));

        (told with { Curve = Curve(told.Data) }).Save(_folder["story"]);
        (code, output, var errors) = Smile(command);
        Assert.Equal(0, code);
        Assert.Contains("stays as it is", output, StringComparison.Ordinal);
        Assert.Equal(20, Story.Load(_folder["story"])!.Curve!.Points.Single().Smiles);
        Assert.True(errors.StartsWith("No plots: ", StringComparison.Ordinal) || new[] { "story", "judges" }.All(plot => File.Exists(_folder[$"story/{plot}.png"])));

        (told with { Curve = Curve(new Dictionary<string, string> { ["lfw160.tar"] = "00" }) }).Save(_folder["story"]);
        Fails("is of other data than these", command);
    }

    [Fact]
    public void The_story_is_told_with_networks_that_have_learned()
    {
        Needs.LibTorch();
        WriteModel("model.onnx");
        DrawnFaces.WriteArchive(_folder["data"]);
        string[] command = ["story", "--data", "data", "--model", "model.onnx", "--out", "story", "--steps", "4"];
        var (code, output, errors) = Smile([.. command, "--sizes", "20,all"]);
        Assert.True(code == 0, errors);
        Assert.Contains("20 a class  epoch", output, StringComparison.Ordinal);
        Assert.Equal(["20", "all"], Story.Load(_folder["story"])!.Curve!.Points.Select(point => point.Pictures));
        Assert.True(File.Exists(_folder["runs/story/all/checkpoint.bin"]));
        Fails("fewer than the 41 of --sizes", [.. command, "--sizes", "41"]);
    }

    [Theory]
    [InlineData("", "does not begin with the line sha256,label,target")]
    [InlineData("sha256,label,target\nabc,disputed,0.5\n", "Line 2 of labels.csv is not a hash")]
    [InlineData("sha256,label,target\n0000000000000000000000000000000000000000000000000000000000000000,disputed,1.5\n", "Line 2 of labels.csv is not a hash")]
    public void Soft_labels_that_are_none_are_refused(string csv, string message)
    {
        File.WriteAllText(_folder["labels.csv"], csv);
        Assert.Contains(message, Assert.Throws<CommandException>(() => SoftLabels.Read(_folder["labels.csv"])).Message.Replace(_folder.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_the_two_classes_is_refused()
    {
        Directory.CreateDirectory(_folder["faces/happy"]);
        Directory.CreateDirectory(_folder["faces/sad"]);
        WriteModel("model.onnx");
        Fails("nor two sub-folders of pictures, one of them called 'smile'; it has happy, sad.", "evaluate", "model.onnx", "--data", "faces");
        Fails("it has no sub-folder.", "evaluate", "model.onnx", "--data", "faces/sad");
        Fails("There is no data folder nowhere", "evaluate", "model.onnx", "--data", "nowhere");
    }

    [Fact]
    public void Pictures_of_ones_own_in_two_folders_train_a_model_that_says_whose_they_are()
    {
        Needs.LibTorch();
        DrawnFaces.WriteFolders(_folder["faces"], 400);

        var (code, _, errors) = Smile("train", "--data", "faces", "--epochs", "1", "--batch", "16", "--out", "models/own.onnx");

        Assert.True(code == 0, errors);
        using var model = PredictCommand.Load(_folder["models/own.onnx"]);
        Assert.Contains("owners of those pictures", model.Metadata.Licence, StringComparison.Ordinal);
        Assert.Equal(64, model.Metadata.Training.Data["faces"].Length);
        Assert.InRange(model.Metadata.Training.Pictures, 240, 320);
    }

    [Fact]
    public void A_run_killed_outright_and_resumed_ends_like_one_left_alone()
    {
        Needs.LibTorch();
        DrawnFaces.WriteArchive(_folder["data"]);
        string[] train = ["train", "--data", "data", "--epochs", "4", "--batch", "8"];
        var (code, output, errors) = Smile([.. train, "--run", "whole", "--out", "models/whole.onnx"]);
        Assert.True(code == 0, errors);
        Assert.Contains("epoch   4", output, StringComparison.Ordinal);
        Assert.True(File.Exists(_folder["models/training/history.json"]));

        using (var process = Start(_folder.Path, [.. train, "--run", "killed", "--out", "models/killed.onnx"]))
        {
            while (process.StandardOutput.ReadLine() is { } line && !line.StartsWith("epoch   1", StringComparison.Ordinal))
            {
            }

            process.Kill();
            process.WaitForExit();
        }

        Assert.InRange(Checkpoint.Load(_folder["killed"]).Epoch, 1, 3);
        Fails("holds a run already", [.. train, "--run", "killed"]);
        Fails("leave out --epochs, --batch", [.. train, "--run", "killed", "--resume"]);
        Fails("There is no checkpoint at", "train", "--data", "data", "--run", "other", "--resume");
        (code, _, errors) = Smile("train", "--data", "data", "--run", "killed", "--resume", "--out", "models/killed.onnx");
        Assert.True(code == 0, errors);
        TrainerTests.SameWeights(Checkpoint.Load(_folder["whole"]), Checkpoint.Load(_folder["killed"]));
    }

    [Fact]
    public void Too_few_pictures_are_refused_before_training()
    {
        Needs.LibTorch();
        DrawnFaces.WriteArchive(_folder["data"], train: 10);
        Fails("has 5 smile and 5 nonsmile pictures in its split 'train'; at least 20 of each are needed", "train", "--data", "data");
    }

    [Fact]
    public void An_unwritable_output_is_refused_before_training()
    {
        Needs.LibTorch();
        File.WriteAllText(_folder["file"], "");
        Fails("cannot be written", "train", "--out", "file/smile.onnx");
    }

    private void Fails(string message, params string[] arguments)
    {
        var (code, output, errors) = Smile(arguments);
        Assert.Equal((1, ""), (code, output));
        Assert.Contains(message, Assert.Single(errors.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    private (int Code, string Output, string Errors) Smile(params string[] arguments) => Smile(_folder.Path, arguments);

    private static (int Code, string Output, string Errors) Smile(string folder, string[] arguments)
    {
        using var process = Start(folder, arguments);
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }

    private static Process Start(string folder, string[] arguments) =>
        Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "smile.dll"), .. arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;

    private static LearningCurve Curve(IReadOnlyDictionary<string, string> data)
    {
        var point = new CurvePoint("20", 20, 20, 100, 1, 0.9, new Interval(0.8, 0.95), 0.9, 0.95, 0.3, new ChosenEpoch(50, new ModelScore(40, 0.9, 0.9, 0.95, 0.3)));
        return new LearningCurve(1, 100, 32, "A note.", data, [point]);
    }

    /// <summary>A model that knows nothing.</summary>
    private void WriteModel(string path)
    {
        var weights = Weights.Random(1);
        var checkpoint = new Checkpoint
        {
            Options = new TrainOptions(),
            Data = new Dictionary<string, string>(),
            Licence = "For anything.",
            Pictures = 0,
            Mean = 128,
            Deviation = 60,
            History = [new EpochRecord(0, null, new ModelScore(1, 0, 0, 0, 0), new ModelScore(1, 0, 0, 0, 0), 0)],
            BestEpoch = 0,
            Temperature = 1,
            Scores = new Dictionary<string, ModelScore>(),
            Finished = DateTimeOffset.UnixEpoch,
        };
        AtomicFile.Write(_folder[path], OnnxWriter.Write(weights, ExportCommand.Describe(checkpoint)));
    }
}
