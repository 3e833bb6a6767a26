namespace SmileApi.Training.Tests;

/// <summary><c>smile train --data</c> with what strangers may bring: their pictures, their mistakes, their full disks.</summary>
public sealed class TrainOnOwnPicturesTests : CommandLine
{
    [Fact]
    public void Pictures_in_two_folders_train_a_model_that_says_whose_they_are_and_unreadable_ones_are_left_out()
    {
        Needs.LibTorch();
        DrawnFaces.WriteFolders(Folder["faces"], 400);
        File.WriteAllText(Folder["faces/smile/notes.txt"], "no picture");

        var (code, _, errors) = Smile("train", "--data", "faces", "--epochs", "1", "--batch", "16", "--out", "models/own.onnx");

        Assert.True(code == 0, errors);
        Assert.Contains("left out: faces/smile/notes.txt: ", errors, StringComparison.Ordinal);
        Assert.Matches("1 of [0-9]+ files of the split '(train|val|test)' were left out.", errors);
        using var model = PredictCommand.Load(Folder["models/own.onnx"]);
        Assert.Contains("owners of those pictures", model.Metadata.Licence, StringComparison.Ordinal);
        Assert.Equal(64, model.Metadata.Training.Data["pictures"].Length);
        Assert.InRange(model.Metadata.Training.Pictures, 240, 320);
    }

    [Fact]
    public void Pictures_listed_in_a_CSV_file_train_a_model()
    {
        Needs.LibTorch();
        DrawnFaces.WriteCsv(Folder["faces"], 200, ",split,x,y,size", i => $",{(i < 120 ? "train" : i < 160 ? "val" : "test")},0.1,0.1,0.8");
        File.AppendAllText(Folder["faces/faces.csv"], "gone.png,smile,train,,,\n");

        var (code, output, errors) = Smile("train", "--data", "faces/faces.csv", "--epochs", "1", "--batch", "16", "--out", "models/own.onnx");

        Assert.True(code == 0, errors);
        Assert.Contains("120 faces to learn from, 40 to choose by", output, StringComparison.Ordinal);
        Assert.Contains("left out: faces/gone.png: There is no such file.", errors, StringComparison.Ordinal);
        Assert.Contains("1 of 121 files of the split 'train' were left out.", errors, StringComparison.Ordinal);
        using var model = PredictCommand.Load(Folder["models/own.onnx"]);
        Assert.Equal(["faces.csv", "pictures"], model.Metadata.Training.Data.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(40, model.Metadata.Scores["test"].Count);
    }

    [Fact]
    public void Too_few_pictures_are_refused_before_training()
    {
        Needs.LibTorch();
        DrawnFaces.WriteArchive(Folder["data"], train: 10);
        Fails("has 5 smile and 5 nonsmile pictures in its split 'train'; at least 20 of each are needed", "train", "--data", "data");
    }

    [Fact]
    public void One_class_alone_is_refused_before_training()
    {
        Needs.LibTorch();
        DrawnFaces.WriteFolders(Folder["faces"], 100);
        Directory.Delete(Folder["faces/other"], recursive: true);
        Fails("it has smile.", "train", "--data", "faces");
        Directory.CreateDirectory(Folder["faces/other"]);
        Fails(" 0 nonsmile pictures in its split 'train'; at least 20 of each are needed.", "train", "--data", "faces");
    }

    [Fact]
    public void A_list_without_test_pictures_is_refused_before_training_and_not_after_it()
    {
        Needs.LibTorch();
        DrawnFaces.WriteCsv(Folder["faces"], 100, ",split", i => i < 50 ? ",train" : ",val");
        Fails("has 0 smile and 0 nonsmile pictures in its split 'test'; at least 1 of each are needed.", "train", "--data", "faces/faces.csv");
        Assert.False(File.Exists(Folder["runs/smile/checkpoint.bin"]));
    }

    [Fact]
    public void A_mistake_in_a_CSV_file_is_refused_before_training()
    {
        Needs.LibTorch();
        File.WriteAllText(Folder["faces.csv"], "file,label\nface.png,happy\n");
        Fails("Line 2 of faces.csv: the label 'happy' is neither", "train", "--data", "faces.csv");
    }

    [Fact]
    public void An_unwritable_output_is_refused_before_training()
    {
        Needs.LibTorch();
        File.WriteAllText(Folder["file"], "");
        Fails("cannot be written", "train", "--out", "file/smile.onnx");
    }

    [Fact]
    public void A_disk_that_fills_up_ends_a_run_in_one_line_which_goes_on_to_the_same_result_when_there_is_room()
    {
        Needs.LibTorch();
        DrawnFaces.WriteArchive(Folder["data"]);
        string[] train = ["train", "--data", "data", "--epochs", "2", "--batch", "8"];
        var (code, _, errors) = Smile([.. train, "--run", "whole", "--out", "models/whole.onnx"]);
        Assert.True(code == 0, errors);

        // Room for one checkpoint, but not for the next one beside it.
        using var disk = FullDisk.Make(bytesLeft: new FileInfo(Folder["whole/checkpoint.bin"]).Length * 3 / 2);
        var run = Path.Combine(disk.Path, "run");
        (code, _, errors) = Smile([.. train, "--run", run, "--out", "models/full.onnx"]);
        Assert.Equal(2, code);
        Assert.StartsWith($"{Path.Combine(run, "checkpoint.bin")} cannot be written: No space left on device", Assert.Single(errors.TrimEnd().Split('\n')), StringComparison.Ordinal);
        Assert.Equal(["checkpoint.bin"], Directory.GetFiles(run).Select(Path.GetFileName));
        Assert.Equal(0, Checkpoint.Load(run).Epoch);

        disk.Free();
        (code, _, errors) = Smile("train", "--data", "data", "--run", run, "--resume", "--out", "models/full.onnx");
        Assert.True(code == 0, errors);
        TrainerTests.SameWeights(Checkpoint.Load(Folder["whole"]), Checkpoint.Load(run));
    }
}
