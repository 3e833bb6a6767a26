using SmileApi.Inference;
using SmileApi.Training;

var weights = Weights.Random(1);
var random = new SplitMix(5);
foreach (ref var w in weights["linear.weight"].AsSpan()) { w = (float)random.Normal(); }
var metadata = new ModelMetadata
{
    Format = ModelMetadata.CurrentFormat, Name = "smile-cnn20", Version = "0.0.0",
    Input = new ModelInput(100, 128, 50, ModelMetadata.TightCrop), Threshold = 0.5f, Temperature = 1,
    Cost = new ModelCost(Architecture.Layers, Architecture.Parameters, Architecture.MultiplyAdds),
    Training = new ModelTraining(1, 0, 0, DateTimeOffset.UtcNow, new Dictionary<string, string>()),
    Scores = new Dictionary<string, ModelScore>(), Licence = "untrained",
};
File.WriteAllBytes(args[0], OnnxWriter.Write(weights, metadata));
Console.WriteLine($"{Architecture.Layers} {Architecture.Parameters} {Architecture.MultiplyAdds}");
Console.WriteLine(SmileModel.TryLoad(args[0], out var model, out var reason) ? "ok" : reason);
