using System.Globalization;
using System.Text.RegularExpressions;

namespace SmileApi.Training.Tests;

public sealed partial class ModelCardTests
{
    /// <summary>
    /// Another processor adds in another order, which moves probabilities by some 1e-6: enough to round a last digit the other
    /// way, so each fraction may differ by one unit of its last digit. It is not enough to change a verdict (of all faces judged
    /// for the card of version 1.1.0, spoilt ones included, none is nearer than 2e-4 to the threshold), so counts must be equal.
    /// In 8 bits a difference of 1e-6 may become a whole step, so that line has a test of its own, see <see cref="CommittedModelTests"/>.
    /// </summary>
    [Fact]
    public void The_committed_card_says_what_measuring_again_says()
    {
        var folder = Needs.RealFaces();
        var measured = WithoutInt8(ModelCard.Text(CardFigures.Measure(Needs.Committed("models", "smile.onnx"), folder)));
        var committed = WithoutInt8(File.ReadAllText(Needs.Committed("models", "MODEL_CARD.md")).ReplaceLineEndings("\n"));

        Assert.Equal(Fraction().Replace(measured, "#"), Fraction().Replace(committed, "#"));
        Assert.All(Fraction().Matches(measured).Zip(Fraction().Matches(committed)), pair =>
        {
            var unit = Math.Pow(10, -(pair.First.Length - pair.First.Value.IndexOf('.', StringComparison.Ordinal) - 1));
            Assert.True(Math.Abs(Number(pair.First) - Number(pair.Second)) < 1.5 * unit, $"{pair.First} measured, {pair.Second} in the card; write it with: smile card");
        });
    }

    private static string WithoutInt8(string card)
    {
        var lines = card.Split('\n').ToList();
        Assert.Equal(1, lines.RemoveAll(line => line.Contains("in 8 bits", StringComparison.Ordinal)));
        return string.Join('\n', lines);
    }

    private static double Number(Match fraction) => double.Parse(fraction.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"[0-9]+\.[0-9]+")]
    private static partial Regex Fraction();
}
