using System.CommandLine;

namespace SmileApi.Training;

/// <summary>What several commands have in common.</summary>
internal static class CommonOptions
{
    public const string DataDescription =
        $"Folder with two sub-folders of pictures, one called 'smile', each picture a face that fills it; or a CSV file with the columns file and label; or a folder with {Lfw160.ArchiveName}. [default: SMILE_DATA, else ../shared/data]";

    public static Option<string?> Data() => new("--data") { Description = DataDescription, HelpName = "DATA" };

    /// <summary>For what only the pictures of the committed model can do.</summary>
    public static Option<string?> Archive() => new("--data") { Description = $"Folder with {Lfw160.ArchiveName}. [default: SMILE_DATA, else ../shared/data]", HelpName = "DIR" };

    /// <summary>The command line that goes on with a stopped run.</summary>
    /// <param name="options">What was said, or null.</param>
    public static string Again(string command, params ReadOnlySpan<(string Name, string? Value)> options)
    {
        var line = $"smile {command} --resume";
        foreach (var (name, value) in options)
        {
            line += value is null ? "" : value.Length > 0 && value.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./\\:".Contains(letter)) ? $" {name} {value}" : $" {name} \"{value}\"";
        }

        return line;
    }

    public static Option<bool> Json() => new("--json") { Description = "Print JSON instead of a table." };

    public static Option<string> ByEye() => new("--by-eye")
    {
        Description = "Pictures judged by eye; how many of them smile, and which are kept out of training.",
        HelpName = "CSV",
        DefaultValueFactory = _ => Path.Combine("models", "training", Training.ByEye.FileName),
    };

    public static Argument<string> Run() => new("RUN") { Description = "Folder of a training run, runs/smile for instance." };

    public static Option<string> Out(string path) => new("--out")
    {
        Description = "Where to write.",
        HelpName = "PATH",
        DefaultValueFactory = _ => path,
    };
}
