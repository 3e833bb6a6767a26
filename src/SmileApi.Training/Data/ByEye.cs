using System.Globalization;
using System.Text;

namespace SmileApi.Training;

/// <summary>
/// Expressions that the makers judged by eye on contact sheets, of pictures without a certain label: a CSV of
/// <c>sha256,set,smile</c>. They are never learned from.
/// </summary>
internal static class ByEye
{
    public const string FileName = "by-eye.csv";
    public const string Faces36Set = "faces36";
    private const string Header = "sha256,set,smile";
    private static readonly string[] Sets = ["disputed", "unmatched", Faces36Set];
    private static readonly string[] Grades = ["0", "0.3", "0.5", "0.7", "1"];

    /// <param name="Set"><c>disputed</c> and <c>unmatched</c> of <c>val</c>, <c>faces36</c>.</param>
    /// <param name="Smile">1 a smile, 0 none, 0.7 and 0.3 rather so, 0.5 cannot be told.</param>
    public sealed record Verdict(string Key, string Set, double Smile)
    {
        public bool IsCertain => Smile is 0 or 1;
    }

    /// <exception cref="CommandException">It cannot be read or is no such file.</exception>
    public static IReadOnlyDictionary<string, Verdict> Read(string path)
    {
        try
        {
            var lines = File.ReadAllText(path, Encoding.UTF8).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            return lines.FirstOrDefault() == Header
                ? lines.Skip(1).Select((line, index) => Parse(path, index + 2, line)).ToDictionary(verdict => verdict.Key)
                : throw new CommandException($"{path} does not begin with the line {Header}.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"{path} cannot be read: {e.Message}");
        }
    }

    private static Verdict Parse(string path, int number, string line) =>
        line.Split(',') is [{ Length: 64 } key, var set, var smile] && Sets.Contains(set) && Grades.Contains(smile)
            ? new Verdict(key, set, double.Parse(smile, CultureInfo.InvariantCulture))
            : throw new CommandException($"Line {number} of {path} is not a hash, a set and 0, 0.3, 0.5, 0.7 or 1.");
}
