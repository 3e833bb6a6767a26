using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace SmileApi.Training;

/// <summary>
/// How much of a smile pictures are whose delivered label says nothing certain: a CSV of <c>sha256,label,target</c>, keyed by
/// the hash of the picture's file and never by a name.
/// </summary>
/// <param name="FileName">Name of the file they were read from.</param>
/// <param name="Sha256">SHA-256 of that file, lower-case hexadecimal.</param>
/// <param name="Targets">0 not smiling to 1 smiling, by the hash of the picture's file.</param>
internal sealed record SoftLabels(string FileName, string Sha256, IReadOnlyDictionary<string, float> Targets)
{
    private const string Header = "sha256,label,target";

    /// <summary>The key of a picture.</summary>
    public static string KeyOf(ReadOnlySpan<byte> file) => Convert.ToHexStringLower(SHA256.HashData(file));

    /// <summary>Writes the labels of pictures, ordered by key.</summary>
    /// <param name="labels">Key, delivered label, and target.</param>
    public static void Write(string path, IEnumerable<(string Key, string Label, double Target)> labels)
    {
        var csv = new StringBuilder(Header).Append('\n');
        foreach (var (key, label, target) in labels.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            csv.Append(CultureInfo.InvariantCulture, $"{key},{label},{target:F3}\n");
        }

        AtomicFile.Write(path, Encoding.ASCII.GetBytes(csv.ToString()));
    }

    /// <exception cref="CommandException">It cannot be read or is no such file.</exception>
    public static SoftLabels Read(string path)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"{path} cannot be read: {e.Message}");
        }

        var table = CsvTable.Read(path, bytes);
        if (string.Join(',', table.Columns) != Header)
        {
            throw new CommandException($"{path} does not begin with the line {Header}; make it with: smile label");
        }

        var targets = new Dictionary<string, float>();
        foreach (var row in table.Rows)
        {
            if (row["sha256"].Length != 64
                || !float.TryParse(row["target"], NumberStyles.Float, CultureInfo.InvariantCulture, out var target) || target is not (>= 0 and <= 1))
            {
                throw new CommandException($"Line {row.Line} of {path} is not a hash, a label and a target from 0 to 1.");
            }

            targets[row["sha256"]] = target;
        }

        return new SoftLabels(Path.GetFileName(path), KeyOf(bytes), targets);
    }
}
