using System.Globalization;
using System.Text.Json;
using CsvHelper;
using Spectre.Console;

namespace SmileApi.Training;

/// <summary>Predictions for people and for programs.</summary>
internal static class PredictionFormat
{
    // The cells of a face are called as in the CSV file that the service's page makes.
    private static readonly string[] Columns = ["file", "face", "smile", "probability", "x", "y", "width", "height", "confidence", "problem"];

    // A file's name that begins like a formula would be one to a spreadsheet.
    private static readonly CsvWriterOptions Csv = new() { Injection = CsvInjection.Escape };

    /// <summary>An array with an object a picture.</summary>
    public static void WriteJson(IReadOnlyList<Prediction> predictions, Stream stream)
    {
        JsonSerializer.Serialize(stream, predictions, JsonOutput.Indented);
        stream.Write("\n"u8);
    }

    /// <summary>A line a face, and one for a picture without a face or with a problem.</summary>
    public static void WriteCsv(IReadOnlyList<Prediction> predictions, Stream stream)
    {
        using var csv = CsvWriter.Create(stream, Csv, leaveOpen: true);
        csv.WriteRecord(Columns);
        foreach (var prediction in predictions)
        {
            if (prediction.Faces.Count == 0)
            {
                csv.WriteRecord([prediction.File, "", "", "", "", "", "", "", "", prediction.Problem ?? ""]);
            }

            foreach (var (i, face) in prediction.Faces.Index())
            {
                csv.WriteRecord(
                [
                    prediction.File, Text(i + 1), face.Smile ? "true" : "false", Text(face.Probability),
                    Text(face.Box.X), Text(face.Box.Y), Text(face.Box.Width), Text(face.Box.Height), face.Confidence is { } confidence ? Text(confidence) : "", "",
                ]);
            }
        }

        csv.Flush();

        static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
    }

    /// <summary>A line a picture that was judged.</summary>
    /// <param name="whole">Each picture was one face.</param>
    public static void PrintTable(IReadOnlyList<Prediction> predictions, bool whole)
    {
        var table = new Table { Border = TableBorder.Rounded }.AddColumn("picture");
        if (!whole)
        {
            table.AddColumn(new TableColumn("faces").RightAligned()).AddColumn(new TableColumn("smiling").RightAligned());
        }

        table.AddColumn(new TableColumn(whole ? "probability" : "probability of the largest").RightAligned()).AddColumn("smile");
        foreach (var prediction in predictions.Where(prediction => prediction.Problem is null))
        {
            var (faces, smiling) = (prediction.Faces.Count, prediction.Faces.Count(face => face.Smile));
            string[] counts = whole ? [] : [$"{faces}", $"{smiling}"];
            var probability = prediction.Probability?.ToString("F4", CultureInfo.InvariantCulture) ?? "";
            table.AddRow([Markup.Escape(prediction.File), .. counts, probability, prediction.Smile switch { true => "yes", false => "no", null => "no face" }]);
        }

        AnsiConsole.Write(table);
    }
}
