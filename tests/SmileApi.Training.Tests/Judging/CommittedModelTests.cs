using System.Security.Cryptography;
using System.Text.Json;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training.Tests;

/// <summary>The model in the repository against the figures claimed for it.</summary>
public sealed class CommittedModelTests
{
    [Fact]
    public void It_tells_the_mean_smile_from_the_mean_neutral_face()
    {
        using var model = Load();
        Assert.True(JudgeSample(model, "mean-smile.png") > 0.9);
        Assert.True(JudgeSample(model, "mean-neutral.png") < 0.1);
    }

    [Fact]
    public void It_says_of_every_golden_picture_what_the_trainer_said()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Needs.Committed("models", "golden.json")));
        var expected = golden.RootElement.GetProperty("pictures").EnumerateArray()
            .ToDictionary(picture => picture.GetProperty("key").GetString()!, picture => picture.GetProperty("probability").GetDouble());
        var pictures = GoldenPictures.All.Select(picture => (Key: picture.Name, Bytes: GreyPng.Encode(picture.Pixels, picture.Width, picture.Height))).ToList();
        pictures.AddRange(new[] { "samples/mean-smile.png", "samples/mean-neutral.png" }.Select(path => (path, File.ReadAllBytes(Needs.Committed(path)))));
        if (Environment.GetEnvironmentVariable("SMILE_DATA") is { Length: > 0 })
        {
            pictures.AddRange(Lfw160.Open(folder: null).Files(row => row.Split == "test").Select(file => (Convert.ToHexStringLower(SHA256.HashData(file.Bytes)), file.Bytes)));
            Assert.Equal(expected.Count, pictures.Select(picture => picture.Key).Distinct().Count());
        }

        using var model = Load();
        var difference = pictures.Max(picture => Math.Abs(Judge(model, picture.Key, picture.Bytes) - expected[picture.Key]));
        TestContext.Current.SendDiagnosticMessage($"Largest difference of {pictures.Count} probabilities: {difference:E1}.");
        Assert.InRange(difference, 0, 1e-6);
    }

    [Fact]
    public void Its_history_begins_at_a_coin_toss()
    {
        using var history = JsonDocument.Parse(File.ReadAllBytes(Needs.Committed("models", "training", "history.json")));
        var start = history.RootElement.GetProperty("epochs")[0];
        Assert.Equal(JsonValueKind.Null, start.GetProperty("loss").ValueKind);
        Assert.Equal(0.69, start.GetProperty("val").GetProperty("logLoss").GetDouble(), 0.03);
        Assert.Equal(0.5, start.GetProperty("val").GetProperty("balancedAccuracy").GetDouble(), 0.05);
    }

    [Fact]
    public void Its_story_tells_how_filters_form_from_random_ones()
    {
        var curve = Story.Load(Path.GetDirectoryName(Needs.Committed("models", "training", Story.FileName))!)!.Curve!;
        var random = Weights.Random(Architecture.Served.Layout, curve.Seed)["stem.weight"];

        float[] start = [.. curve.Filters![0].SelectMany(filter => filter.Kernel)];
        Assert.Equal(random.Length, start.Length);
        Assert.All(random.Zip(start), pair => Assert.Equal(pair.First, pair.Second, 1e-3 * Math.Abs(pair.First)));
        Assert.All(curve.Filters.Zip(curve.Filters.Skip(1)), pair => Assert.NotEqual(pair.First.SelectMany(filter => filter.Kernel), pair.Second.SelectMany(filter => filter.Kernel)));
    }

    [Fact]
    public void It_scores_on_the_test_faces_what_its_metadata_says()
    {
        var folder = Needs.RealFaces();
        using var model = Load();
        var faces = Lfw160.Open(folder).Faces("test", perClass: 1);
        var score = Metrics.Score(Evaluation.Judge(model, faces), [.. faces.Select(face => face.IsSmile)], model.Metadata.Threshold);
        var claimed = model.Metadata.Scores["test"];
        Assert.Equal(claimed.Count, score.Count);
        Assert.Equal(claimed.Accuracy, score.Accuracy, 0.002);
        Assert.Equal(claimed.RocAuc, score.RocAuc, 0.0001);
        Assert.True(score.Accuracy >= 0.96 && score.RocAuc >= 0.99, $"Accuracy {score.Accuracy:P2}, ROC AUC {score.RocAuc:F4}.");
    }

    [Fact]
    public void Covering_the_mouth_takes_from_a_smile_what_its_explanation_said_the_mouth_adds()
    {
        using var model = Load();
        var covered = Covered.Of(model, Lfw160.Open(Needs.RealFaces()), "val");

        var (mouth, eyes) = (covered.Parts.Single(part => part.Part == "mouth"), covered.Parts.Single(part => part.Part == "eyes"));
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{covered.Count} smiles; mouth covered: probability {mouth.ProbabilityBefore:F3} to {mouth.ProbabilityAfter:F3}, adds {mouth.InPartBefore:F2} then {mouth.InPartAfter:F2} to the logit, moved or fell {mouth.MovedOrFell:P1}; eyes covered: {eyes.ProbabilityAfter:F3}");
        Assert.True(covered.Count > 100);
        Assert.True(mouth.MovedOrFell > 0.95);
        Assert.True(mouth.InPartAfter < mouth.InPartBefore / 2);
        Assert.True(mouth.ProbabilityBefore - mouth.ProbabilityAfter > 5 * (eyes.ProbabilityBefore - eyes.ProbabilityAfter));
    }

    [Fact]
    public void In_8_bits_it_judges_the_test_faces_as_well_and_scores_what_its_metadata_says()
    {
        var folder = Needs.RealFaces();
        using var whole = Load();
        using var small = Load("smile-int8.onnx");
        var faces = Lfw160.Open(folder).Faces("test", perClass: 1);
        var (before, after) = (Evaluation.Judge(whole, faces), Evaluation.Judge(small, faces));
        var (moved, changed) = (before.Zip(after, (one, other) => Math.Abs(one - other)).Max(), before.Zip(after).Count(pair => pair.First >= 0.5 != pair.Second >= 0.5));
        TestContext.Current.TestOutputHelper!.WriteLine($"{faces.Count} faces: {changed} verdicts changed, largest difference of probabilities {moved:F3}.");
        Assert.Equal(whole.Metadata.Version, small.Metadata.NetworkVersion);
        Assert.InRange(moved, 0, 0.15);
        Assert.InRange(changed, 0, 8);
        var score = Metrics.Score(after, [.. faces.Select(face => face.IsSmile)], small.Metadata.Threshold);
        Assert.Equal(small.Metadata.Scores["test"].Accuracy, score.Accuracy, 0.003);
        Assert.Equal(small.Metadata.Scores["test"].RocAuc, score.RocAuc, 0.0002);
    }

    private static SmileModel Load(string file = "smile.onnx")
    {
        Assert.True(SmileModel.TryLoad(Needs.Committed("models", file), out var model, out var reason), reason);
        return model;
    }

    private static float JudgeSample(SmileModel model, string sample) => Judge(model, sample, File.ReadAllBytes(Needs.Committed("samples", sample)));

    private static float Judge(SmileModel model, string name, byte[] bytes)
    {
        using var image = Lfw160.Decode(name, bytes);
        using var runner = model.CreateRunner(1);
        var probability = new float[1];
        runner.Run([new Face(image, FaceSquare.Centred(image.Width, image.Height), 0).Crop(model.Metadata.Input.Normalisation)], probability);
        return probability[0];
    }
}
