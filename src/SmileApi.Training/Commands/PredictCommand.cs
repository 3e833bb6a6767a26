using System.CommandLine;
using System.Globalization;
using SmileApi.Imaging;
using SmileApi.Inference;
using Spectre.Console;

namespace SmileApi.Training;

/// <summary><c>smile predict</c>: how likely the face that fills a picture is smiling. Needs no libtorch.</summary>
internal static class PredictCommand
{
    private sealed record Prediction(string File, double Probability, bool Smile);

    public static Command Make()
    {
        var files = new Argument<string[]>("[MODEL] FILES")
        {
            Description = "Pictures (JPEG, PNG, WebP), each one face whole; before them, optionally, a model (.onnx). Default: models/smile.onnx, looked for from here upwards and then beside the program.",
            Arity = ArgumentArity.OneOrMore,
        };
        var json = CommonOptions.Json();
        var command = new Command("predict", "Tell how likely the faces in picture files are smiling.") { files, json };
        command.SetAction(parsed =>
        {
            var named = parsed.GetValue(files)!;
            var first = named[0].EndsWith(".onnx", StringComparison.OrdinalIgnoreCase) ? named[0] : null;
            return Run(first, first is null ? named : named[1..], parsed.GetValue(json));
        });
        return command;
    }

    /// <exception cref="CommandException">It is no model of ours.</exception>
    public static SmileModel Load(string file) =>
        SmileModel.TryLoad(file, out var model, out var reason) ? model : throw new CommandException(reason);

    private static int Run(string? file, string[] pictures, bool json)
    {
        if (pictures.Length == 0)
        {
            throw new CommandException("Name at least one picture after the model.");
        }

        using var model = Load(file ?? FindModel());
        using var runner = model.CreateRunner(1);
        var decoder = new ImageDecoder(new ImageLimits());
        var (predictions, crop, probability) = (new List<Prediction>(), new float[FaceCrop.Length], new float[1]);
        foreach (var picture in pictures)
        {
            if (Read(decoder, picture, out var image) is { } reason)
            {
                Console.Error.WriteLine($"{picture}: {reason}");
                continue;
            }

            using (image)
            {
                FaceCrop.Resample(image!, FaceSquare.Centred(image!.Width, image.Height), model.Metadata.Input.Normalisation, crop);
            }

            runner.Run([crop], probability);
            predictions.Add(new Prediction(picture, probability[0], probability[0] >= model.Metadata.Threshold));
        }

        Print(predictions, json);
        return predictions.Count == pictures.Length ? 0 : 1;
    }

    /// <returns>What is wrong with the file, or null.</returns>
    private static string? Read(ImageDecoder decoder, string path, out GreyImage? image)
    {
        image = null;
        if (!File.Exists(path))
        {
            return Directory.Exists(path) ? "This is a folder, not a picture." : "There is no such file.";
        }

        try
        {
            return decoder.TryDecode(File.ReadAllBytes(path), FaceCrop.Side, out image, out var rejection) ? null : rejection.Detail;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    private static void Print(List<Prediction> predictions, bool json)
    {
        if (json)
        {
            JsonOutput.Print(predictions);
            return;
        }

        var table = new Table { Border = TableBorder.Rounded }.AddColumn("picture").AddColumn(new TableColumn("probability").RightAligned()).AddColumn("smile");
        foreach (var (picture, probability, smile) in predictions)
        {
            table.AddRow(Markup.Escape(picture), probability.ToString("F4", CultureInfo.InvariantCulture), smile ? "yes" : "no");
        }

        AnsiConsole.Write(table);
    }

    private static string FindModel()
    {
        var relative = Path.Combine("models", "smile.onnx");
        return new[] { Directory.GetCurrentDirectory(), AppContext.BaseDirectory }
            .SelectMany(WithParents)
            .Select(folder => Path.Combine(folder, relative))
            .FirstOrDefault(File.Exists) ?? throw new CommandException($"There is no {relative} here, in a folder above, or beside the program; name a model (.onnx) first.");

        static IEnumerable<string> WithParents(string folder)
        {
            for (var at = new DirectoryInfo(folder); at is not null; at = at.Parent)
            {
                yield return at.FullName;
            }
        }
    }
}
