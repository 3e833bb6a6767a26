using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using SmileApi.Imaging;
using SmileApi.Inference;
using TorchSharp;
using ModelMetadata = SmileApi.Inference.ModelMetadata;

namespace SmileApi.Training.Tests;

public sealed class NetworkTests
{
    [Theory]
    [InlineData("narrow", 13_000_000, 14_000_000)]
    [InlineData("served", 29_000_000, 30_000_000)]
    public void A_network_has_twenty_weight_layers_and_costs_at_most_30_million_multiply_adds(string name, long least, long most)
    {
        var network = Architecture.All[name];
        Assert.Equal(20, network.Layers);
        Assert.InRange(network.MultiplyAdds, least, most);
        Assert.Equal(5, network.Convolutions[^1].OutputSide);
    }

    [Fact]
    public void Random_weights_depend_on_the_seed_alone()
    {
        Assert.Equal(Weights.Random(Architecture.Served.Layout, 3)["stem.weight"], Weights.Random(Architecture.Served.Layout, 3)["stem.weight"]);
        Assert.NotEqual(Weights.Random(Architecture.Served.Layout, 3)["stem.weight"], Weights.Random(Architecture.Served.Layout, 4)["stem.weight"]);
        var weights = Weights.Random(Architecture.Served.Layout, 3)["stage3.block3.second.weight"];
        Assert.InRange(weights.Average(), -1e-3, 1e-3);
        Assert.InRange(weights.Average(weight => weight * weight) / (2.0 / (96 * 9)), 0.97, 1.03);
    }

    [Fact]
    public void Weights_come_out_of_libtorch_as_they_went_in()
    {
        Needs.LibTorch();
        var weights = Scrambled(5);
        using var network = new Network(Architecture.Served, weights);
        var read = network.Read();
        Assert.All(Architecture.Served.Layout.Tensors, tensor => Assert.Equal(weights[tensor.Name], read[tensor.Name]));
    }

    [Fact]
    public void The_exported_model_equals_the_network_on_random_and_made_pictures()
    {
        Needs.LibTorch();
        var random = new SplitMix(11);
        var crops = new List<float[]>();
        for (var i = 0; i < 40; i++)
        {
            var crop = new float[FaceCrop.Length];
            foreach (ref var level in crop.AsSpan())
            {
                level = (float)random.Normal();
            }

            crops.Add(crop);
        }

        crops.AddRange(DrawnFaces.Faces(9, 20).Select(face => face.Crop(new Normalisation(120, 60))));
        var (weights, metadata) = (Scrambled(5), Metadata(temperature: 1.7, bias: -0.3));
        using (var settling = new Network(Architecture.Served, weights))
        {
            // Statistics as after training, and logits about zero, where the sigmoid is steepest and hides no difference.
            using var faces = torch.tensor(crops.SelectMany(crop => crop).ToArray(), [crops.Count, 1, 100, 100]);
            for (var i = 0; i < 20; i++)
            {
                settling.Forward(faces, training: true).Dispose();
            }

            weights = settling.Read();
            weights["linear.bias"][0] -= (float)Trainer.Logits(settling, crops).Average();
        }

        using var network = new Network(Architecture.Served, weights);
        var expected = Trainer.Logits(network, crops).Select(logit => new Calibration(1.7, -0.3).Probability(logit)).ToArray();
        using var file = new TemporaryFolder();
        File.WriteAllBytes(file["model.onnx"], OnnxWriter.Write(Architecture.Served, weights, metadata));
        Assert.True(SmileModel.TryLoad(file["model.onnx"], out var model, out var reason), reason);
        using var loaded = model;
        using var runner = loaded.CreateRunner(crops.Count);
        var probabilities = new float[crops.Count];
        runner.Run([.. crops], probabilities);

        Assert.True(expected.Max() - expected.Min() > 0.05, "The pictures do not tell weights apart.");
        var difference = probabilities.Zip(expected, (served, own) => Math.Abs(served - own)).Max();
        TestContext.Current.SendDiagnosticMessage($"Largest difference of {crops.Count} probabilities: {difference:E1}.");
        Assert.InRange(difference, 0, 1e-6);
    }

    [Fact]
    public void The_export_says_what_the_model_is()
    {
        using var file = new TemporaryFolder();
        File.WriteAllBytes(file["model.onnx"], OnnxWriter.Write(Architecture.Served, Scrambled(1), Metadata(temperature: 1.25, bias: 0.5)));
        Assert.True(SmileModel.TryLoad(file["model.onnx"], out var model, out var reason), reason);
        using var loaded = model;
        Assert.Equal(1.25, loaded.Metadata.Temperature);
        Assert.Equal(0.5, loaded.Metadata.Bias);
        Assert.Equal(20, loaded.Metadata.Cost.Layers);
        Assert.Equal("ab", loaded.Metadata.Training.Data["faces.tar"]);
    }

    [Fact]
    public void The_mean_of_the_activation_map_and_the_bias_are_the_logit()
    {
        var (weights, metadata) = (Scrambled(5), Metadata(temperature: 1.7, bias: -0.3));
        weights["linear.weight"].AsSpan().Fill(0.01f); // Scrambled ones give probabilities at the ends, which say nothing of the logit.
        using var session = new InferenceSession(OnnxWriter.Write(Architecture.Served, weights, metadata));
        var faces = DrawnFaces.Faces(9, 6).Select(face => face.Crop(new Normalisation(120, 60))).ToArray();
        var input = NamedOnnxValue.CreateFromTensor("image", new DenseTensor<float>(faces.SelectMany(crop => crop).ToArray(), [faces.Length, 1, FaceCrop.Side, FaceCrop.Side]));
        using var outputs = session.Run([input], ["probability", "activation"]);
        var (probabilities, maps) = (outputs[0].AsTensor<float>(), outputs[1].AsTensor<float>());

        Assert.Equal([faces.Length, 1, 5, 5], maps.Dimensions.ToArray());
        var bias = weights["linear.bias"][0] / metadata.Temperature + metadata.Bias;
        var places = maps.ToArray().Chunk(25).ToArray();
        Assert.All(places, map => Assert.True(map.Max() - map.Min() > 0.01, "The map is the same everywhere."));
        Assert.All(places.Zip(probabilities), face => Assert.Equal(Metrics.Sigmoid(face.First.Average(value => (double)value) + bias), face.Second, 1e-6));
    }

    [Fact]
    public void Statistics_of_normalisation_move_in_training_and_rest_in_judging()
    {
        Needs.LibTorch();
        using var network = new Network(Architecture.Served, Weights.Random(Architecture.Served.Layout, 1));
        using var faces = torch.tensor(DrawnFaces.Faces(1, 4).SelectMany(face => face.Crop(new Normalisation(0, 50))).ToArray(), [4, 1, 100, 100]);
        var before = network.Read()["stem.mean"];
        using (network.Forward(faces, training: false))
        {
            Assert.Equal(before, network.Read()["stem.mean"]);
        }

        using (network.Forward(faces, training: true))
        {
            Assert.NotEqual(before, network.Read()["stem.mean"]);
        }
    }

    /// <summary>Weights with nothing at its neutral value, as after training.</summary>
    private static Weights Scrambled(int seed)
    {
        var random = new SplitMix(seed);
        var weights = Weights.Random(Architecture.Served.Layout, seed);
        foreach (var (name, _) in Architecture.Served.Layout.Tensors.Where(tensor => tensor.Shape.Length != 4))
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

    private static ModelMetadata Metadata(double temperature, double bias) => new()
    {
        Format = ModelMetadata.CurrentFormat,
        Name = "test",
        Version = "0.0.1",
        Input = new ModelInput(FaceCrop.Side, 120, 60, ModelMetadata.TightCrop),
        Threshold = 0.5f,
        Temperature = temperature,
        Bias = bias,
        Cost = new ModelCost(Architecture.Served.Layers, Architecture.Served.Layout.Parameters, Architecture.Served.MultiplyAdds),
        Training = new ModelTraining(1, 2, 3, DateTimeOffset.UnixEpoch, new Dictionary<string, string> { ["faces.tar"] = "ab" }),
        Scores = new Dictionary<string, ModelScore>(),
        Licence = "none",
    };
}
