namespace SmileApi.Training.Tests;

public sealed class CardTests : CommandLine
{
    public CardTests()
    {
        DrawnFaces.WriteArchive(Folder["data"], disputed: 3);
        WriteModel("models/smile.onnx", Lfw160.Open(Folder["data"]).Hashes());
    }

    [Fact]
    public void A_card_and_its_plots_are_made_of_a_model_its_history_and_an_evaluation()
    {
        var (code, output, errors) = Smile("card", "--data", "data");

        Assert.True(code == 0, errors);
        Assert.StartsWith("models/MODEL_CARD.md: smile-cnn20 ", output, StringComparison.Ordinal);
        var card = File.ReadAllText(Folder["models/MODEL_CARD.md"]);
        Assert.Contains("| train | 40 | 40 | learning |", card, StringComparison.Ordinal);
        Assert.Contains("| **test** | 40 | **50.00 %** (35.20 to 64.80) | 50.00 % | 0.5000 | 0.6931 |", card, StringComparison.Ordinal);
        Assert.Contains("labels are disputed (3 of `train`) or of which only one labelling knows (0) are left out", card, StringComparison.Ordinal);
        Assert.Contains("| unmatched happiness | 2 | 100.0 % | 0.50 |", card, StringComparison.Ordinal);
        Assert.DoesNotContain("training/story.json", card, StringComparison.Ordinal);
        string[] plots = ["loss", "accuracy", "roc", "reliability", "scores"];
        Assert.True(errors.Contains("No plots: ", StringComparison.Ordinal) || plots.All(plot => File.Exists(Folder[$"models/training/{plot}.png"])));
    }

    [Fact]
    public void Faces_judged_by_eye_are_told_of()
    {
        var small = DrawnFaces.WriteFaces36(Folder["data"], 6);
        File.WriteAllText(Folder["models/training/by-eye.csv"], $"sha256,set,smile\n{small[1]},faces36,1\n{small[2]},faces36,0\n{small[3]},faces36,1\n{small[4]},faces36,0.5\n");
        Assert.Equal(0, Smile("card", "--data", "data").Code);
        // It calls everything a smile: two of the three without doubt.
        Assert.Contains("about 22 pixels a face | 4 | 62 % | 3 | 66.7 % | 0.500 |", File.ReadAllText(Folder["models/MODEL_CARD.md"]), StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_decided_about_labels_is_counted()
    {
        TrainingTargets.Write(Folder["models/training/labels.csv"], [.. Enumerable.Range(0, 4).Select(i => new TrainingTarget(
            new string((char)('a' + i), 64), i < 3 ? "disputed" : "smile", 0.5, i < 3 ? 0.6 : 0.1, i < 3 ? "labelled" : "turned"))]);
        Assert.Equal(0, Smile("card", "--data", "data").Code);
        Assert.Contains("| disputed | labelled | 3 | 2 |", File.ReadAllText(Folder["models/MODEL_CARD.md"]), StringComparison.Ordinal);
        Assert.Contains("| smile | turned | 1 | 0 |", File.ReadAllText(Folder["models/MODEL_CARD.md"]), StringComparison.Ordinal);
    }

    [Fact]
    public void The_network_in_8_bits_is_told_of_only_when_it_was_made_from_this_one()
    {
        var small = Folder["models/smile-int8.onnx"];
        File.Copy(Folder["models/smile.onnx"], small);
        Assert.Equal(0, Smile("card", "--data", "data").Code);
        Assert.Contains("8 bits", File.ReadAllText(Folder["models/MODEL_CARD.md"]), StringComparison.Ordinal);

        // Trained anew, with the same version and data.
        using (var model = PredictCommand.Load(small))
        {
            var later = model.Metadata with { Training = model.Metadata.Training with { Finished = DateTimeOffset.UnixEpoch.AddDays(1) } };
            AtomicFile.Write(small, OnnxWriter.Write(Architecture.Served, Weights.Random(Architecture.Served.Layout, 1), later));
        }

        Fails("smile-int8.onnx was made from another network than", "card", "--data", "data");
    }

    [Fact]
    public void A_model_without_its_history_or_its_data_gets_no_card()
    {
        DrawnFaces.WriteArchive(Folder["other"], train: 10);
        Fails("was not trained on this lfw160.tar", "card", "--data", "other");
        Fails("There is no model at", "card", "nowhere.onnx", "--data", "data");

        var history = Folder["models/training/history.json"];
        File.WriteAllText(history, File.ReadAllText(history).Replace("\"temperature\": 1", "\"temperature\": 2", StringComparison.Ordinal));
        Fails("history.json is not the history of models/smile.onnx", "card", "--data", "data");
        File.WriteAllText(history, "{}");
        Fails("history.json is not the history of models/smile.onnx", "card", "--data", "data");
        File.WriteAllText(history, "no JSON");
        Fails("history.json cannot be read", "card", "--data", "data");
        File.Delete(history);
        Fails("history.json cannot be read", "card", "--data", "data");
    }
}
