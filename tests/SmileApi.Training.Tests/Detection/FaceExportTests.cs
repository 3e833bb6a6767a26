using SmileApi.Inference;
using TorchSharp;

namespace SmileApi.Training.Tests;

public sealed class FaceExportTests
{
    private static readonly Calibration Calibrated = new(1.7, -0.3);

    [Fact]
    public void Both_stages_together_have_at_most_300_000_parameters()
    {
        Assert.InRange(FindArchitecture.Layout.Parameters + CheckArchitecture.Layout.Parameters, 200_000, 300_000);
        Assert.Equal((11, 8), (FindArchitecture.Layers, CheckArchitecture.Layers));
        Assert.Equal(2000, CheckArchitecture.Features);
        Assert.Equal(FaceModelMetadata.CandidateSide, CheckArchitecture.Side);
        Assert.Equal(FaceModelMetadata.CellSide, FindArchitecture.Stride);
    }

    [Fact]
    public void Random_weights_take_hardly_a_cell_for_a_face()
    {
        Assert.Equal(0.01, Metrics.Sigmoid(FindArchitecture.RandomWeights(3)["face.bias"][0]), 0.001);
        Assert.Equal(FindArchitecture.RandomWeights(3)["neck.weight"], FindArchitecture.RandomWeights(3)["neck.weight"]);
        Assert.NotEqual(FindArchitecture.RandomWeights(3)["neck.weight"], FindArchitecture.RandomWeights(4)["neck.weight"]);
    }

    [Fact]
    public void The_first_stages_file_equals_the_network_on_a_picture_that_is_no_square()
    {
        Needs.LibTorch();
        const int Width = 104, Height = 64, Count = 3;
        var pictures = Noise(seed: 2, Count, Width * Height);
        using var tensor = torch.tensor(pictures.SelectMany(picture => picture).ToArray(), [Count, 1, Height, Width]);
        var weights = Scrambled(FindArchitecture.Layout);
        using (var settling = new FindNetwork(weights))
        {
            weights = Settled(settling, () => settling.Forward(tensor, training: true).Face);
        }

        using var network = new FindNetwork(weights);
        using var scope = torch.NewDisposeScope();
        var (face, box) = network.Forward(tensor, training: false);
        var (probabilities, boxes) = (face.sigmoid().data<float>().ToArray(), box.data<float>().ToArray());

        using var folder = new TemporaryFolder();
        Write(folder["faces.onnx"], weights, Weights.Zero(CheckArchitecture.Layout));
        var (find, check) = FaceExport.Load(folder["faces.onnx"]);
        using var loaded = find;
        check.Dispose();
        using var runner = find.CreateRunner(Count * Width * Height);
        var answers = new float[Count][];
        runner.Run(pictures, Width, Height, answers);
        const int Cells = Width / 8 * (Height / 8);
        Assert.True(probabilities.Max() - probabilities.Min() > 0.2, "The pictures do not tell weights apart.");
        SameNumbers(probabilities, answers.SelectMany(answer => answer[..Cells]));
        SameNumbers(boxes, answers.SelectMany(answer => answer[Cells..(4 * Cells)]));
    }

    [Fact]
    public void The_second_stages_file_equals_the_network_its_calibration_folded_in()
    {
        Needs.LibTorch();
        Candidate[] candidates = [.. Noise(seed: 3, count: 40, CheckArchitecture.Length).Select(levels => new Candidate([.. levels.Select(level => 120 + 40 * level)], IsFace: false)), .. DrawnCandidates()];
        float[][] normalised = [.. candidates.Select(Normalised)];
        using var tensor = torch.tensor(normalised.SelectMany(levels => levels).ToArray(), [candidates.Length, 1, CheckArchitecture.Side, CheckArchitecture.Side]);
        var weights = Scrambled(CheckArchitecture.Layout);
        using (var settling = new CheckNetwork(weights))
        {
            weights = Settled(settling, () => settling.Forward(tensor, training: true));
            weights["linear.bias"][0] -= (float)CheckTrainer.Logits(settling, candidates).Average();
        }

        using var network = new CheckNetwork(weights);
        using var scope = torch.NewDisposeScope();
        var outputs = network.Forward(tensor, training: false).data<float>().ToArray();
        float[] logits = [.. outputs.Chunk(CheckArchitecture.Outputs).Select(output => output[0])];
        var probabilities = Array.ConvertAll(logits, logit => (float)Calibrated.Probability(logit));

        // What the training tells are means of two looks, the second at the mirrored candidate.
        var mirrored = torch.tensor(
            normalised.SelectMany(levels => levels.Chunk(CheckArchitecture.Side).SelectMany(row => row.Reverse())).ToArray(), [candidates.Length, 1, CheckArchitecture.Side, CheckArchitecture.Side]);
        var others = network.Forward(mirrored, training: false).data<float>().ToArray().Chunk(CheckArchitecture.Outputs).Select(output => output[0]);
        Assert.All(
            CheckTrainer.Logits(network, candidates).Zip(logits.Zip(others, (look, other) => (look + other) / 2)), pair => Assert.Equal(pair.Second, pair.First, 1e-4));

        using var folder = new TemporaryFolder();
        Write(folder["faces.onnx"], FindArchitecture.RandomWeights(1), weights);
        var (find, check) = FaceExport.Load(folder["faces.onnx"]);
        find.Dispose();
        using var loaded = check;
        using var runner = check.CreateRunner(candidates.Length * CheckArchitecture.Length);
        var answers = new float[candidates.Length][];
        runner.Run(normalised, CheckArchitecture.Side, CheckArchitecture.Side, answers);
        Assert.True(probabilities.Max() - probabilities.Min() > 0.1, $"The candidates do not tell weights apart: {probabilities.Min()} to {probabilities.Max()}.");
        SameNumbers(probabilities, answers.Select(answer => answer[0]));
        SameNumbers(outputs.Chunk(CheckArchitecture.Outputs).SelectMany(output => output[1..]), answers.SelectMany(answer => answer[1..CheckArchitecture.Outputs]));
    }

    [Fact]
    public void Features_are_dropped_in_training_only()
    {
        Needs.LibTorch();
        using var network = new CheckNetwork(Scrambled(CheckArchitecture.Layout));
        using var scope = torch.NewDisposeScope();
        var candidates = torch.tensor(Noise(seed: 4, count: 4, CheckArchitecture.Length).SelectMany(levels => levels).ToArray(), [4, 1, CheckArchitecture.Side, CheckArchitecture.Side]);
        Assert.Equal(Numbers(training: true, dropout: 0), Numbers(training: true, dropout: 0));
        Assert.NotEqual(Numbers(training: true, dropout: 0), Numbers(training: true, dropout: 0.5));
        Assert.Equal(Numbers(training: false, dropout: 0), Numbers(training: false, dropout: 0.5));

        float[] Numbers(bool training, double dropout) => network.Forward(candidates, training, dropout).data<float>().ToArray();
    }

    [Fact]
    public void The_files_say_what_they_are_and_work_as_a_detector()
    {
        using var folder = new TemporaryFolder();
        Write(folder["faces.onnx"], FindArchitecture.RandomWeights(1), Weights.Random(CheckArchitecture.Layout, 1));
        using var detector = FaceDetector.Load(folder["faces.onnx"]);
        var (find, check) = (detector.Find.Metadata, detector.Check.Metadata);
        Assert.Equal(("find", "check"), (find.Stage, check.Stage));
        Assert.Equal((120f, 60f, 8, 24f), (find.Mean, find.Deviation, find.Stride, find.ReferenceSide));
        Assert.Equal((14f, 40f, 0.2f), (find.MinBox, find.MaxBox, find.Threshold));
        Assert.Equal((40, 1.2f, 8f, 0.5f, 0.75f), (check.Side, check.Margin, check.DeviationFloor, check.Threshold, check.FindWeight));
        Assert.Equal(FindArchitecture.Layout.Parameters, find.Cost.Parameters);
        Assert.Equal(CheckArchitecture.MultiplyAdds, check.Cost.MultiplyAdds);
        Assert.All([find, check], stage =>
        {
            Assert.Equal(("smile-faces", FaceExport.Version, "For tests."), (stage.Name, stage.Version, stage.Licence));
            Assert.Equal((7, 80), (stage.Training.Seed, stage.Training.Pictures));
            Assert.Equal("ab", stage.Training.Data["faces.tar"]);
        });
        using var scene = DrawnFaces.Scenes(1, 1)[0];
        Assert.Empty(detector.Faces(scene)); // Of random weights no cell says yes.
    }

    [Fact]
    public void The_same_stages_give_the_same_files_and_another_threshold_another()
    {
        using var folder = new TemporaryFolder();
        var (find, check) = (FindArchitecture.RandomWeights(1), Weights.Random(CheckArchitecture.Layout, 1));
        Write(folder["a.onnx"], find, check);
        Write(folder["b.onnx"], find, check);
        Write(folder["c.onnx"], find, check, candidateThreshold: 0.03f);
        Assert.Equal(File.ReadAllBytes(folder["a.onnx"]), File.ReadAllBytes(folder["b.onnx"]));
        Assert.Equal(File.ReadAllBytes(folder["a-check.onnx"]), File.ReadAllBytes(folder["b-check.onnx"]));
        var (other, beside) = FaceExport.Load(folder["c.onnx"], folder["a-check.onnx"]);
        Assert.Equal(0.03f, other.Metadata.Threshold);
        other.Dispose();
        beside.Dispose();
    }

    private static void Write(string path, Weights find, Weights check, float? candidateThreshold = null)
    {
        var (finder, checker) = (Stages.Checkpoint(find), Stages.Checkpoint(check));
        if (candidateThreshold is { } threshold)
        {
            FaceExport.Write(path, finder, checker, Calibrated, findWeight: 0.75, "For tests.", threshold);
        }
        else
        {
            FaceExport.Write(path, finder, checker, Calibrated, findWeight: 0.75, "For tests.");
        }
    }

    private static void SameNumbers(IEnumerable<float> expected, IEnumerable<float> actual)
    {
        var pairs = expected.Zip(actual).ToArray();
        var difference = pairs.Max(pair => Math.Abs(pair.First - pair.Second) / Math.Max(1, Math.Abs(pair.First)));
        TestContext.Current.SendDiagnosticMessage($"Largest difference of {pairs.Length} numbers: {difference:E1}.");
        Assert.InRange(difference, 0, 1e-5);
    }

    private static float[][] Noise(int seed, int count, int length)
    {
        var random = new SplitMix(seed);
        var pictures = new float[count][];
        for (var i = 0; i < count; i++)
        {
            pictures[i] = new float[length];
            foreach (ref var level in pictures[i].AsSpan())
            {
                level = (float)random.Normal();
            }
        }

        return pictures;
    }

    private static IEnumerable<Candidate> DrawnCandidates() => DrawnFaces.Faces(9, 20).Select(face =>
    {
        var levels = new float[CheckArchitecture.Length];
        FaceSearch.CutLevels(face.Image, face.Square.ToBox(), CheckArchitecture.Margin, levels);
        return new Candidate(levels, IsFace: true);
    });

    private static float[] Normalised(Candidate candidate)
    {
        var levels = candidate.Levels.ToArray();
        FaceSearch.Normalise(levels, CheckArchitecture.DeviationFloor);
        return levels;
    }

    /// <summary>Statistics as after training.</summary>
    private static Weights Settled(TorchNetwork network, Func<torch.Tensor> forward)
    {
        for (var i = 0; i < 20; i++)
        {
            using var scope = torch.NewDisposeScope();
            forward();
        }

        return network.Read();
    }

    /// <summary>Weights with nothing at its neutral value, as after training.</summary>
    private static Weights Scrambled(Layout layout)
    {
        var random = new SplitMix(5);
        var weights = Weights.Random(layout, 5);
        foreach (var (name, shape) in layout.Tensors.Where(tensor => tensor.Shape.Length != 4 || tensor.Shape[2] == 1))
        {
            foreach (ref var value in weights[name].AsSpan())
            {
                value = (float)(name.EndsWith(".variance", StringComparison.Ordinal) || name.EndsWith(".scale", StringComparison.Ordinal)
                    ? random.Uniform(0.5, 1.5)
                    : 0.3 * random.Normal());
            }
        }

        return weights;
    }
}
