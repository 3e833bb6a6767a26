using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace SmileApi.Training;

/// <summary>What a training picture is learned as.</summary>
/// <param name="Key">SHA-256 of the picture's file, lower-case hexadecimal; never a name.</param>
/// <param name="Label">As delivered; <c>unlabelled</c> where there was none.</param>
/// <param name="Probability">Of a smile, 0..1, by models that had not seen its label.</param>
/// <param name="Target">0 not smiling to 1 smiling.</param>
/// <param name="Decision">In a word, what was done: <c>kept</c>, <c>softened</c>, <c>turned</c>, <c>labelled</c>.</param>
internal sealed record TrainingTarget(string Key, string Label, double Probability, double Target, string Decision);

/// <summary>Targets of training pictures that replace what their delivered labels say: a CSV keyed by the hashes of the pictures' files.</summary>
/// <param name="FileName">Name of the file they were read from.</param>
/// <param name="Sha256">SHA-256 of that file, lower-case hexadecimal.</param>
/// <param name="Targets">By the key of the picture.</param>
internal sealed record TrainingTargets(string FileName, string Sha256, IReadOnlyDictionary<string, TrainingTarget> Targets)
{
    public const string Unlabelled = "unlabelled";
    private const string Header = "sha256,label,probability,target,decision";

    /// <summary>The key of a picture.</summary>
    public static string KeyOf(ReadOnlySpan<byte> file) => Convert.ToHexStringLower(SHA256.HashData(file));

    /// <summary>Writes targets, ordered by key.</summary>
    public static void Write(string path, IEnumerable<TrainingTarget> targets)
    {
        var csv = new StringBuilder(Header).Append('\n');
        foreach (var target in targets.OrderBy(target => target.Key, StringComparer.Ordinal))
        {
            csv.Append(CultureInfo.InvariantCulture, $"{target.Key},{target.Label},{target.Probability:F4},{target.Target:F4},{target.Decision}\n");
        }

        AtomicFile.Write(path, Encoding.ASCII.GetBytes(csv.ToString()));
    }

    /// <exception cref="CommandException">It cannot be read or is no such file.</exception>
    public static TrainingTargets Read(string path)
    {
        var bytes = CsvTable.Bytes(path);
        var table = CsvTable.Read(path, bytes);
        if (string.Join(',', table.Columns) != Header)
        {
            throw new CommandException($"{path} does not begin with the line {Header}; make it with: smile clean, or: smile teach");
        }

        var targets = new Dictionary<string, TrainingTarget>();
        foreach (var row in table.Rows)
        {
            if (row["sha256"].Length != 64 || !Share(row["probability"], out var probability) || !Share(row["target"], out var target))
            {
                throw new CommandException($"Line {row.Line} of {path} is not a hash, a label, a probability and a target from 0 to 1, and a decision.");
            }

            targets[row["sha256"]] = new TrainingTarget(row["sha256"], row["label"], probability, target, row["decision"]);
        }

        return new TrainingTargets(Path.GetFileName(path), KeyOf(bytes), targets);

        static bool Share(string cell, out double value) =>
            double.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && value is >= 0 and <= 1;
    }
}
