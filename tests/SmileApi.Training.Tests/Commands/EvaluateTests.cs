using System.Text.Json;

namespace SmileApi.Training.Tests;

/// <summary><c>smile evaluate</c> by a model that knows nothing and answers 0.5, which counts as a smile.</summary>
public sealed class EvaluateTests : CommandLine
{
    public EvaluateTests() => WriteModel("model.onnx", new Dictionary<string, string> { [Lfw160.ArchiveName] = "00" });

    [Fact]
    public void A_model_is_evaluated_without_libtorch()
    {
        DrawnFaces.WriteArchive(Folder["data"]);
        var report = Evaluate("data");
        Assert.Equal(40, report.GetProperty("score").GetProperty("count").GetInt32());
        Assert.Equal("test", report.GetProperty("split").GetString());
        Assert.Equal(0.5, report.GetProperty("score").GetProperty("balancedAccuracy").GetDouble());
        Assert.Equal(20, report.GetProperty("confusion").GetProperty("falseSmiles").GetInt32());
        Assert.Equal(0, report.GetProperty("calibrationError").GetDouble()); // Half of the faces smile, and 0.5 is what it answers.
        Assert.Equal(Corruption.All.Select(corruption => corruption.Name), report.GetProperty("corrupted").EnumerateArray().Select(condition => condition.GetProperty("name").GetString()!));
        Assert.Equal(40, report.GetProperty("bySize").EnumerateArray().Sum(condition => condition.GetProperty("count").GetInt32()));
        Assert.Empty(report.GetProperty("uncertain").EnumerateArray());
        // It calls every face a smile: as many as smile are right.
        Assert.All(report.GetProperty("byShare").EnumerateArray(), share =>
        {
            Assert.Equal(share.GetProperty("shareOfSmiles").GetDouble(), share.GetProperty("accuracy").GetDouble(), 9);
            Assert.Equal(Math.Abs(share.GetProperty("shareOfSmiles").GetDouble() - 0.5), share.GetProperty("calibrationError").GetDouble(), 9);
            Assert.Equal(Math.Log(2), share.GetProperty("logLoss").GetDouble(), 6);
        });
        Assert.Equal(4, report.GetProperty("byShare").GetArrayLength());

        var (code, output, errors) = Smile("evaluate", "model.onnx", "data", "--split", "val", "--plots", "plots");
        Assert.Equal(0, code);
        Assert.Contains("50.00 %", output, StringComparison.Ordinal);
        Assert.DoesNotContain("without a certain label", output, StringComparison.Ordinal);
        Assert.True(errors.StartsWith("No plots: ", StringComparison.Ordinal) || new[] { "roc", "reliability", "scores" }.All(plot => File.Exists(Folder[$"plots/{plot}.png"])));
    }

    [Fact]
    public void Faces_without_a_certain_label_are_told_of_beside_the_scores_and_count_in_none()
    {
        DrawnFaces.WriteArchive(Folder["data"], train: 10, disputed: 3);

        var report = Evaluate("data", "--split", "all");
        Assert.Equal(10 + 40 + 40, report.GetProperty("score").GetProperty("count").GetInt32());
        Assert.Equal(
            [("disputed", 3), ("unmatched happiness", 2), ("unmatched, another emotion", 1)],
            report.GetProperty("uncertain").EnumerateArray().Select(group => (group.GetProperty("name").GetString(), group.GetProperty("count").GetInt32())));
        Assert.All(report.GetProperty("uncertain").EnumerateArray(), group =>
        {
            Assert.Equal(1, group.GetProperty("shareOfSmiles").GetDouble());
            Assert.Equal(0.5, group.GetProperty("meanProbability").GetDouble());
        });

        var (code, output, _) = Smile("evaluate", "model.onnx", "data");
        Assert.Equal(0, code);
        Assert.Matches("unmatched happiness .* 2 .* 100.00 % .* 0.5000", output);
        Assert.DoesNotContain("disputed", output, StringComparison.Ordinal); // Those are in the split train.
    }

    [Fact]
    public void All_pictures_of_two_folders_are_evaluated_and_unreadable_ones_named_and_counted()
    {
        var count = DrawnFaces.WriteFolders(Folder["faces"], 30);
        File.WriteAllText(Folder["faces/smile/notes.txt"], "no picture");
        File.WriteAllText(Folder["faces/smile/.hidden"], "no picture, and nobody's business");
        File.CreateSymbolicLink(Folder["faces/other/gone.png"], Folder["nowhere.png"]);

        var (code, output, errors) = Smile("evaluate", "model.onnx", "faces", "--json");

        Assert.Equal(0, code);
        var report = JsonDocument.Parse(output).RootElement;
        Assert.Equal((count, "all"), (report.GetProperty("score").GetProperty("count").GetInt32(), report.GetProperty("split").GetString()));
        Assert.Collection(
            errors.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            line => Assert.Equal("left out: faces/other/gone.png: There is no such file.", line.Trim()),
            line => Assert.Matches("left out: faces/smile/notes.txt: .* not a JPEG, PNG or WebP", line),
            line => Assert.Equal("2 of 32 files of the split 'all' were left out.", line.Trim()));
    }

    [Fact]
    public void What_a_covered_part_of_the_face_does_is_told_on_request()
    {
        DrawnFaces.WriteArchive(Folder["data"]);

        // It calls every face a smile, whatever is covered, and its map is zero everywhere.
        var report = Evaluate("data", "--split", "val", "--explain");
        Assert.Equal((20, "val"), (report.GetProperty("count").GetInt32(), report.GetProperty("split").GetString()));
        Assert.Equal(["mouth", "eyes", "middle"], report.GetProperty("parts").EnumerateArray().Select(part => part.GetProperty("part").GetString()));
        Assert.All(report.GetProperty("parts").EnumerateArray(), part =>
        {
            Assert.Equal(0.5, part.GetProperty("probabilityAfter").GetDouble());
            Assert.Equal(0, part.GetProperty("movedOrFell").GetDouble());
            Assert.Equal(0, part.GetProperty("inPartBefore").GetDouble());
        });

        var (code, output, _) = Smile("evaluate", "model.onnx", "data", "--explain");
        Assert.Equal(0, code);
        Assert.Matches("mouth .* 0.5000 .* 0.5000 .* 0.00 %", output);
    }

    [Fact]
    public void The_splits_of_two_folders_share_their_pictures_out()
    {
        var count = DrawnFaces.WriteFolders(Folder["faces"], 300);
        int[] counts = [.. new[] { "train", "val", "test" }.Select(split => Evaluate("faces", "--split", split).GetProperty("score").GetProperty("count").GetInt32())];
        Assert.Equal(count, counts.Sum());
        Assert.InRange(counts[0], 180, 240); // 70 %.
    }

    [Fact]
    public void Where_all_smile_there_is_an_accuracy_but_nothing_that_needs_two_classes()
    {
        DrawnFaces.WriteCsv(Folder["faces"], 20);
        var csv = File.ReadAllText(Folder["faces/faces.csv"]).Replace("nonsmile", "yes", StringComparison.Ordinal);
        File.WriteAllText(Folder["faces/faces.csv"], csv);

        var report = Evaluate("faces/faces.csv");
        Assert.Equal(1, report.GetProperty("score").GetProperty("accuracy").GetDouble());
        Assert.Equal(20, report.GetProperty("confusion").GetProperty("smilesFound").GetInt32());
        Assert.Equal(JsonValueKind.Null, report.GetProperty("score").GetProperty("rocAuc").ValueKind);
        Assert.Equal(JsonValueKind.Null, report.GetProperty("score").GetProperty("balancedAccuracy").ValueKind);

        var (code, output, errors) = Smile("evaluate", "model.onnx", "faces/faces.csv", "--plots", "plots");
        Assert.Equal(0, code);
        Assert.Contains("needs both classes", output, StringComparison.Ordinal);
        Assert.True(errors.StartsWith("No plots: ", StringComparison.Ordinal) || File.Exists(Folder["plots/scores.png"]));
        Assert.False(File.Exists(Folder["plots/roc.png"]));
    }

    [Fact]
    public void Where_nothing_can_be_read_there_is_one_line_after_what_was_left_out()
    {
        Directory.CreateDirectory(Folder["faces/smile"]);
        Directory.CreateDirectory(Folder["faces/other"]);
        Fails("faces has no readable picture to judge by.", "evaluate", "model.onnx", "faces");

        File.WriteAllText(Folder["faces/smile/notes.txt"], "no picture");
        var (code, output, errors) = Smile("evaluate", "model.onnx", "faces");
        Assert.Equal((2, ""), (code, output));
        Assert.Collection(
            errors.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            line => Assert.StartsWith("left out: faces/smile/notes.txt: ", line, StringComparison.Ordinal),
            line => Assert.Equal("1 of 1 files of the split 'all' were left out.", line.Trim()),
            line => Assert.Equal("faces has no readable picture to judge by.", line.Trim()));
    }

    [Fact]
    public void A_CSV_file_with_a_split_column_is_judged_by_its_test_rows_and_others_whole()
    {
        DrawnFaces.WriteCsv(Folder["own"], 30);
        DrawnFaces.WriteCsv(Folder["split"], 30, ",split", i => i < 10 ? ",test" : ",train");
        Assert.Equal(30, Evaluate("own/faces.csv").GetProperty("score").GetProperty("count").GetInt32());
        Assert.Equal(10, Evaluate("split/faces.csv").GetProperty("score").GetProperty("count").GetInt32());
        Assert.Equal(30, Evaluate("split/faces.csv", "--split", "all").GetProperty("score").GetProperty("count").GetInt32());
        Fails("split/faces.csv has no readable picture in its split 'val' to judge by.", "evaluate", "model.onnx", "split/faces.csv", "--split", "val");
    }

    /// <summary>As after <c>smile train --data faces</c>: most of the folder was learned from.</summary>
    [Fact]
    public void A_model_of_somebodys_own_pictures_is_judged_by_those_that_its_training_set_aside()
    {
        DrawnFaces.WriteFolders(Folder["faces"], 100);
        WriteModel("own.onnx", ClassFolders.Open(Folder["faces"]).Hashes());
        var test = Evaluate("faces", "--split", "test").GetProperty("score").GetProperty("count").GetInt32();

        var (code, output, errors) = Smile("evaluate", "own.onnx", "faces");
        Assert.Equal(0, code);
        Assert.Contains($" on {test} faces of 'test'", output, StringComparison.Ordinal);
        Assert.Contains("only those are judged that training sets aside for tests; --split all judges every one.", Assert.Single(errors.TrimEnd().Split('\n')), StringComparison.Ordinal);
        Assert.Contains(" on 100 faces of 'all'", Smile("evaluate", "own.onnx", "faces", "--split", "all").Output, StringComparison.Ordinal);
        Fails("--plots draws scores, which --explain does not make", "evaluate", "own.onnx", "faces", "--explain", "--plots", "plots");
    }

    /// <summary>A page's spacer, saved with its pictures.</summary>
    [Theory]
    [InlineData(1, 300)]
    [InlineData(300, 1)]
    [InlineData(7, 7)]
    public void A_picture_that_is_too_small_for_a_face_is_left_out(int width, int height)
    {
        DrawnFaces.WriteFolders(Folder["faces"], 30);
        File.WriteAllBytes(Folder["faces/smile/spacer.png"], GreyPng.Encode(new byte[width * height], width, height));

        var (code, output, errors) = Smile("evaluate", "model.onnx", "faces");
        Assert.Equal(0, code);
        Assert.Contains(" on 30 faces of 'all'", output, StringComparison.Ordinal);
        Assert.StartsWith("left out: faces/smile/spacer.png: Its face is smaller than 8 pixels.", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Data_that_are_none_are_refused()
    {
        Directory.CreateDirectory(Folder["faces/happy"]);
        Directory.CreateDirectory(Folder["faces/sad"]);
        File.WriteAllText(Folder["faces.txt"], "file,label\n");
        File.WriteAllText(Folder["faces.csv"], "file,label\nface.png,happy\n");
        Fails("nor two sub-folders of pictures, one of them called 'smile'; it has happy, sad.", "evaluate", "model.onnx", "faces");
        Fails("it has no sub-folder.", "evaluate", "model.onnx", "faces/sad");
        Fails("There is no data folder nowhere", "evaluate", "model.onnx", "nowhere");
        Fails("faces.txt is neither a folder nor a CSV file", "evaluate", "model.onnx", "faces.txt");
        Fails("Line 2 of faces.csv: the label 'happy' is neither", "evaluate", "model.onnx", "faces.csv");
    }

    private JsonElement Evaluate(params string[] arguments)
    {
        var (code, output, errors) = Smile(["evaluate", "model.onnx", .. arguments, "--json"]);
        Assert.Equal((0, ""), (code, errors));
        return JsonDocument.Parse(output).RootElement;
    }
}
