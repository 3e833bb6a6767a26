namespace SmileApi.Training.Tests;

/// <summary><c>smile export</c>, of a run that has not taken a step.</summary>
public sealed class ExportTests : CommandLine
{
    [Fact]
    public void A_run_becomes_a_model_with_scores_a_history_and_plots()
    {
        DrawnFaces.WriteArchive(Folder["data"]);
        Begun(Lfw160.Open(Folder["data"]).Hashes()).Save(Folder["run"]);

        var (code, output, errors) = Smile("export", "run", "--data", "data");

        Assert.True(code == 0, errors);
        Assert.StartsWith($"models/smile.onnx: epoch 0 of {new TrainOptions().Epochs}, of which 0 are done, temperature 1.000", output, StringComparison.Ordinal);
        using var model = PredictCommand.Load(Folder["models/smile.onnx"]);
        Assert.Equal(40, model.Metadata.Scores["test"].Count);
        var history = RunHistory.Load(Folder["models/training/history.json"]);
        Assert.True(history.TrainByLabel);
        Assert.Equal(model.Metadata.Scores, history.Scores);
        Assert.Equal(["smile.onnx"], Directory.GetFiles(Folder["models"]).Select(Path.GetFileName));
    }

    [Fact]
    public void What_cannot_be_scored_leaves_the_model_that_is_there()
    {
        DrawnFaces.WriteArchive(Folder["data"]);
        DrawnFaces.WriteArchive(Folder["others"], train: 4);
        var list = DrawnFaces.WriteCsv(Folder["faces"], 10, ",split", _ => ",train");
        Begun(Lfw160.Open(Folder["data"]).Hashes()).Save(Folder["run"]);
        Begun(CsvFaces.Open(list).Hashes()).Save(Folder["untested"]);
        WriteModel("models/smile.onnx");
        var before = File.ReadAllBytes(Folder["models/smile.onnx"]);

        Fails("The run learned from other pictures than these; name its own by --data.", "export", "run", "--data", "others");
        Fails("has 0 smile and 0 nonsmile pictures in its split 'test'", "export", "untested", "--data", "faces/faces.csv");

        Assert.Equal(before, File.ReadAllBytes(Folder["models/smile.onnx"]));
        Assert.Equal(["smile.onnx"], Directory.GetFiles(Folder["models"]).Select(Path.GetFileName));
    }
}
