using System.Globalization;

namespace SmileApi.Training;

/// <summary>
/// Expressions that the makers judged by eye on contact sheets, of pictures without a certain label: a CSV of
/// <c>sha256,set,smile</c>. They are never learned from.
/// </summary>
internal static class ByEye
{
    public const string FileName = "by-eye.csv";
    public const string Faces36Set = "faces36";
    private static readonly string[] Sets = ["disputed", "unmatched", Faces36Set];
    private static readonly string[] Grades = ["0", "0.3", "0.5", "0.7", "1"];

    /// <param name="Set"><c>disputed</c> and <c>unmatched</c> of <c>val</c>, <c>faces36</c>.</param>
    /// <param name="Smile">1 a smile, 0 none, 0.7 and 0.3 rather so, 0.5 cannot be told.</param>
    public sealed record Verdict(string Key, string Set, double Smile);

    /// <exception cref="CommandException">It cannot be read or is no such file.</exception>
    public static IReadOnlyDictionary<string, Verdict> Read(string path)
    {
        var bytes = CsvTable.Bytes(path);
        var verdicts = new Dictionary<string, Verdict>();
        foreach (var row in CsvTable.Read(path, bytes).Require(path, "sha256", "set", "smile").Rows)
        {
            if (row["sha256"].Length != 64 || !Sets.Contains(row["set"]) || !Grades.Contains(row["smile"]))
            {
                throw new CommandException($"Line {row.Line} of {path} is not a hash, a set ({string.Join(", ", Sets)}) and a grade ({string.Join(", ", Grades)}).");
            }

            verdicts[row["sha256"]] = new Verdict(row["sha256"], row["set"], double.Parse(row["smile"], CultureInfo.InvariantCulture));
        }

        return verdicts;
    }
}
