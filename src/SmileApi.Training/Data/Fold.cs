using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace SmileApi.Training;

/// <summary>One of several equal parts of the people of <c>train</c>, left out so that what was learned can be asked about them.</summary>
/// <param name="Number">1 to <see cref="Count"/>.</param>
/// <param name="Count">Parts, at least 2.</param>
internal sealed record Fold(int Number, int Count)
{
    /// <summary>Where a model's metadata, among its data, says which fold it never saw.</summary>
    public const string MetadataKey = "fold left out";

    /// <summary>Whether it is this person who is left out; the hash of a name decides.</summary>
    public bool LeavesOut(string person) => SHA256.HashData(Encoding.UTF8.GetBytes(person))[0] % Count == Number - 1;

    /// <exception cref="CommandException">It is not like 1/4.</exception>
    public static Fold Parse(string text) =>
        text.Split('/') is [var number, var count]
        && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var c)
        && c is >= 2 and <= 20 && n >= 1 && n <= c
            ? new Fold(n, c)
            : throw new CommandException($"A fold is written as 1/4, the first of four; not {text}.");

    public override string ToString() => $"{Number}/{Count}";
}
