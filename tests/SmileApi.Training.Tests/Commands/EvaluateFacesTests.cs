using System.Text.Json;

namespace SmileApi.Training.Tests;

/// <summary><c>smile evaluate-faces</c> by a detector that finds drawn faces, and a smile model that knows nothing.</summary>
public sealed class EvaluateFacesTests : CommandLine
{
    public EvaluateFacesTests()
    {
        WriteModel("models/smile.onnx");
        DrawnDetector.Write(Folder["models"]);
        DrawnFaces.WriteArchive(Folder["data"]);
        DrawnDetector.WriteData(Folder["data"], photos: 3);
    }

    [Fact]
    public void A_detector_is_evaluated_without_libtorch()
    {
        var report = Evaluate("--haar", "off");

        var photos = report.GetProperty("photos");
        Assert.Equal((3, 2), (photos.GetProperty("photos").GetInt32(), photos.GetProperty("faces").GetInt32()));
        Assert.Equal((2, 0), (photos.GetProperty("atThreshold").GetProperty("found").GetInt32(), photos.GetProperty("atThreshold").GetProperty("false").GetInt32()));
        Assert.Equal((2, 2, 1), (photos.GetProperty("foundWith8False").GetInt32(), photos.GetProperty("foundWith20False").GetInt32(), photos.GetProperty("averagePrecision").GetDouble()));
        Assert.True(photos.GetProperty("milliseconds").GetDouble() > 0);
        Assert.Equal((JsonValueKind.Null, JsonValueKind.Null), (photos.GetProperty("openCv").ValueKind, photos.GetProperty("timesFaster").ValueKind));
        Assert.All(new[] { "val", "test" }, split =>
        {
            var scores = report.GetProperty(split);
            Assert.Equal(40, scores.GetProperty("pictures").GetInt32());
            Assert.InRange(scores.GetProperty("foundShare").GetDouble(), 0.9, 1);
            Assert.Equal((26, 26), (scores.GetProperty("withSquare").GetInt32(), scores.GetProperty("withGoodCrop").GetInt32())); // Every third has none of its own.
            Assert.Equal(scores.GetProperty("found").GetInt32(), scores.GetProperty("onFound").GetProperty("count").GetInt32());
            Assert.Equal(0, scores.GetProperty("points").GetDouble()); // The smile model says the same of all.
        });
        Assert.Equal([0, 10, 20, 30, 40], report.GetProperty("turned").EnumerateArray().Select(turn => turn.GetProperty("degrees").GetDouble()));
        Assert.Equal([8, 4, 2, 1, 8, 4, 2, 1], report.GetProperty("composites").EnumerateArray().Select(kind => kind.GetProperty("pictures").GetInt32()));
        Assert.Equal(0, report.GetProperty("scenes").GetProperty("false").GetInt32());
        Assert.Equal(JsonValueKind.Null, report.GetProperty("sweep").ValueKind);
    }

    [Fact]
    public void What_is_for_tests_only_can_be_left_out_and_other_crops_tried()
    {
        File.Delete(Folder[$"data/{PhotosWithBoxes.ArchiveName}"]);
        var report = Evaluate("--val", "--sweep");
        Assert.Equal((JsonValueKind.Null, JsonValueKind.Null), (report.GetProperty("photos").ValueKind, report.GetProperty("test").ValueKind));
        Assert.Equal(40, report.GetProperty("val").GetProperty("pictures").GetInt32());
        Assert.Contains(report.GetProperty("sweep").EnumerateArray(), rule => rule.GetProperty("scale").GetDouble() == 1.25 && rule.GetProperty("shift").GetDouble() == -0.1);

        Fails("need the test photographs, which --val leaves out", "evaluate-faces", "--data", "data", "--val", "--plots", "plots");
        Fails("photos-with-boxes.tar cannot be read", "evaluate-faces", "--data", "data");
    }

    [Fact]
    public void The_scores_are_printed_as_tables_and_drawn()
    {
        var (code, output, errors) = Smile("evaluate-faces", "--data", "data", "--composites", "4", "--plots", "plots", "--sweep");
        Assert.True(code == 0, errors);
        Assert.StartsWith("drawn-faces 0.1.0 (", output, StringComparison.Ordinal);
        Assert.Matches("test .* 40 .* 100.00 %", output); // Of the crops.
        Assert.Matches("of 20 faces", output);
        Assert.True(errors.Contains("No plots: ", StringComparison.Ordinal) || File.Exists(Folder["plots/faces-precision-recall.png"]));
        Assert.True(output.Contains("as Haar, minNeighbors 5", StringComparison.Ordinal) || errors.Contains("The comparison with the Haar cascade is left out: ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_card_its_figures_and_its_plot_are_written_beside_the_detector()
    {
        Evaluate("--card", "--haar", "off");

        var card = File.ReadAllText(Folder["models/FACES_CARD.md"]);
        Assert.Contains("# drawn-faces 0.1.0\n", card, StringComparison.Ordinal);
        Assert.Contains("| from confidence 0.5 on, the default | 0 | 2 (100.0 %) |", card, StringComparison.Ordinal);
        Assert.Contains("cascade was left out", card, StringComparison.Ordinal);
        Assert.Contains("| val | 40 | 100.00 % | 100.00 % of 26 | 50.00 % | 50.00 % | 0.00 |", card, StringComparison.Ordinal);
        Assert.DoesNotContain("\n\n\n", card, StringComparison.Ordinal);

        // Whoever reads the figures has all that the card says.
        using var detector = FaceDetector.Load(Folder["models/faces.onnx"]);
        var figures = FaceEvaluation.Load(Folder["models/training"]);
        Assert.Equal(card, FaceCard.Text(figures, detector.Find.Metadata, detector.Check.Metadata));
    }

    [Fact]
    public void Files_that_are_no_detector_are_refused()
    {
        Fails("There is no model at", "evaluate-faces", "nowhere.onnx");
        Fails("it is no face detector made by the smile trainer", "evaluate-faces", "models/smile.onnx");
        Fails("it is the stage 'check' of the detector, where the stage 'find' must be", "evaluate-faces", "models/faces-check.onnx");
        Fails("--composites must be at least 1", "evaluate-faces", "--composites", "0");
        Fails("There is no data folder nowhere", "evaluate-faces", "--data", "nowhere");
    }

    private JsonElement Evaluate(params string[] options)
    {
        var (code, output, errors) = Smile(["evaluate-faces", "--data", "data", "--composites", "8", "--json", .. options]);
        Assert.True(code == 0, errors);
        return JsonDocument.Parse(output).RootElement;
    }
}
