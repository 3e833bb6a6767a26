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
        Assert.Contains("smile train --run runs/smile\n", card, StringComparison.Ordinal);
        Assert.DoesNotContain("--soft-labels", card, StringComparison.Ordinal);
        Assert.DoesNotContain("training/story.json", card, StringComparison.Ordinal);
        string[] plots = ["loss", "accuracy", "roc", "reliability", "scores"];
        Assert.True(errors.Contains("No plots: ", StringComparison.Ordinal) || plots.All(plot => File.Exists(Folder[$"models/training/{plot}.png"])));
    }

    [Fact]
    public void Soft_labels_that_were_learned_from_are_counted_and_others_refused()
    {
        Assert.Equal(0, Smile("label", "models/smile.onnx", "--data", "data", "--out", "models/training/soft-labels.csv").Code);
        WriteModel("models/smile.onnx", Lfw160.Open(Folder["data"], SoftLabels.Read(Folder["models/training/soft-labels.csv"])).Hashes());

        Assert.Equal(0, Smile("card", "--data", "data").Code);
        Assert.Contains("That model saw a smile in 3 of the disputed, where closed mouths are common, and in 0 of the others.", File.ReadAllText(Folder["models/MODEL_CARD.md"]), StringComparison.Ordinal);

        File.WriteAllText(Folder["models/training/soft-labels.csv"], "sha256,label,target\n");
        Fails("holds other labels than those that the model learned from", "card", "--data", "data");
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
