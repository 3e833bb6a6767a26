using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>
/// <c>smile golden</c>: what the trainer's own network, in libtorch and before any export, says of pictures; the served
/// model is tested against it.
/// </summary>
internal static class GoldenCommand
{
    private static readonly string[] Samples = ["mean-neutral.png", "mean-smile.png"];

    private sealed record Golden(string Decoder, IReadOnlyList<GoldenProbability> Pictures);

    /// <param name="Kind"><c>made</c> by <see cref="GoldenPictures"/>, <c>sample</c> in this repository, or in the archive <c>lfw160</c>.</param>
    /// <param name="Key">Name, path, or the SHA-256 of the file, lower-case hexadecimal.</param>
    /// <param name="Probability">Calibrated, 0..1, of the whole picture as one face.</param>
    private sealed record GoldenProbability(string Kind, string Key, double Probability);

    public static Command Make()
    {
        var run = CommonOptions.Run();
        var data = CommonOptions.Archive();
        var samples = new Option<string>("--samples") { Description = "Folder of the mean faces.", HelpName = "DIR", DefaultValueFactory = _ => "samples" };
        var target = CommonOptions.Out(Path.Combine("models", "golden.json"));
        var command = new Command("golden", "Write the trainer's own probabilities, for tests of the served model.") { run, data, samples, target };
        command.SetAction(parsed => Write(parsed.GetValue(run)!, parsed.GetValue(data), parsed.GetValue(samples)!, parsed.GetValue(target)!));
        return command;
    }

    private static void Write(string run, string? folder, string samples, string target)
    {
        LibTorch.Require();
        var checkpoint = Checkpoint.Load(run);
        List<(string Kind, string Key, byte[] Bytes)> pictures =
        [
            .. GoldenPictures.All.Select(picture => ("made", picture.Name, GreyPng.Encode(picture.Pixels, picture.Width, picture.Height))),
            .. Samples.Select(name => ("sample", $"samples/{name}", ReadSample(Path.Combine(samples, name)))),
            .. Lfw160.Open(folder).Files(row => row.Split == "test")
                .Select(file => ("lfw160", Convert.ToHexStringLower(SHA256.HashData(file.Bytes)), file.Bytes))
                .OrderBy(file => file.Item2, StringComparer.Ordinal), // The archive's order is by name.
        ];
        using var network = new Network(checkpoint.Architecture, checkpoint.Best);
        var logits = Trainer.Logits(network, [.. pictures.Select(picture => WholePicture(picture.Key, picture.Bytes).Crop(checkpoint.Normalisation))]);
        var golden = new Golden("SkiaSharp", [.. pictures.Zip(logits, (picture, logit) =>
            new GoldenProbability(picture.Kind, picture.Key, checkpoint.Calibration.Probability(logit)))]);
        AtomicFile.Write(target, JsonSerializer.SerializeToUtf8Bytes(golden, JsonOutput.Indented));
        Console.WriteLine($"{target}: {pictures.Count} pictures");
    }

    private static Face WholePicture(string name, byte[] bytes)
    {
        var image = Lfw160.Decode(name, bytes);
        return new Face(image, FaceSquare.Centred(image.Width, image.Height), Target: 0);
    }

    private static byte[] ReadSample(string path) =>
        File.Exists(path) ? File.ReadAllBytes(path) : throw new CommandException($"There is no {path}; make it with: smile mean-faces");
}
