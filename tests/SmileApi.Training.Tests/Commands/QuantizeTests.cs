namespace SmileApi.Training.Tests;

/// <summary><c>smile quantize</c>, on a network of random weights: a harder one than any that has learned, for nothing in it is redundant.</summary>
public sealed class QuantizeTests : CommandLine
{
    [Fact]
    public void A_network_in_8_bits_says_nearly_the_same_in_less_space_and_says_what_it_is()
    {
        DrawnFaces.WriteArchive(Folder["data"]);
        WriteRandom("model.onnx");

        var (code, output, errors) = Smile("quantize", "model.onnx", "--data", "data", "--out", "small.onnx");

        Assert.Equal((0, ""), (code, errors));
        Assert.Contains("val: accuracy", output, StringComparison.Ordinal);
        using var whole = PredictCommand.Load(Folder["model.onnx"]);
        using var small = PredictCommand.Load(Folder["small.onnx"]);
        Assert.Equal(("1.2.0+int8", "1.2.0", whole.Metadata.Name), (small.Metadata.Version, small.Metadata.NetworkVersion, small.Metadata.Name));
        Assert.True(new FileInfo(Folder["small.onnx"]).Length < new FileInfo(Folder["model.onnx"]).Length / 3);
        var faces = DrawnFaces.Faces(seed: 9, count: 60); // Others than its ranges are of.
        var (before, after) = (Evaluation.Judge(whole, faces), Evaluation.Judge(small, faces));
        var spread = Logits(before).Max() - Logits(before).Min();
        Assert.True(spread > 0.5, $"The faces are alike: their logits lie within {spread}.");
        Assert.All(Logits(before).Zip(Logits(after)), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, 0.06 * spread));
        Assert.NotEqual(before, after);
        Assert.Equal(whole.ActivationSize, small.ActivationSize);
        var claimed = Assert.Single(small.Metadata.Scores);
        Assert.Equal(("val", 40), (claimed.Key, claimed.Value.Count));
        Assert.Equal(Metrics.Score(Evaluation.Judge(small, Lfw160.Open(Folder["data"]).Faces("val", 1)), [.. Lfw160.Open(Folder["data"]).Faces("val", 1).Select(face => face.IsSmile)], 0.5f), claimed.Value);
    }

    /// <summary>Files from before the exporter stopped padding: the committed one is such.</summary>
    [Fact]
    public void Padded_channels_are_copied_instead()
    {
        var file = File.ReadAllBytes(Needs.Committed("models", "smile.onnx"));
        Assert.Contains(Onnx.ModelProto.Parser.ParseFrom(file).Graph.Node, node => node.OpType == "Pad");

        var floats = Folder["calibration.onnx"];
        AtomicFile.Write(floats, new Int8Writer(file).WriteForCalibration());

        Assert.DoesNotContain(Onnx.ModelProto.Parser.ParseFrom(File.ReadAllBytes(floats)).Graph.Node, node => node.OpType == "Pad");
        using var padded = PredictCommand.Load(Needs.Committed("models", "smile.onnx"));
        using var copied = PredictCommand.Load(floats);
        var faces = DrawnFaces.Faces(seed: 9, count: 20);
        Assert.All(Evaluation.Judge(padded, faces).Zip(Evaluation.Judge(copied, faces)), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Fact]
    public void What_cannot_be_quantised_is_told_in_a_line_and_nothing_is_written()
    {
        DrawnFaces.WriteArchive(Folder["data"], train: 2);
        WriteRandom("model.onnx");
        DrawnFaces.WriteArchive(Folder["others"], train: 4);
        Assert.Equal(0, Smile("quantize", "model.onnx", "--data", "data", "--out", "small.onnx").Code);

        Fails("The model is quantised already.", "quantize", "small.onnx", "--data", "data", "--out", "smaller.onnx");
        Fails("There is no model at", "quantize", "no.onnx", "--data", "data", "--out", "smaller.onnx");
        Fails("There is no data folder", "quantize", "model.onnx", "--data", "nowhere", "--out", "smaller.onnx");
        Fails("model.onnx learned from other pictures than these; name its own by --data.", "quantize", "model.onnx", "--data", "others", "--out", "smaller.onnx");
        Fails("'models/' cannot be written: name a file, not a folder.", "quantize", "model.onnx", "--data", "data", "--out", "models/");
        Assert.Empty(Directory.GetFiles(Folder.Path, "smaller.onnx*"));
    }

    private static double[] Logits(double[] probabilities) => [.. probabilities.Select(Metrics.Logit)];

    private void WriteRandom(string path)
    {
        WriteModel(path, Lfw160.Open(Folder["data"]).Hashes());
        using var model = PredictCommand.Load(Folder[path]);
        var weights = Weights.Random(Architecture.Served.Layout, 3);
        var random = new SplitMix(3);
        foreach (ref var weight in weights["linear.weight"].AsSpan())
        {
            weight = (float)(0.3 * random.Normal()); // So that no probability is so near to 1 that its logit is lost.
        }

        AtomicFile.Write(Folder[path], OnnxWriter.Write(Architecture.Served, weights, model.Metadata));
    }
}
