using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace SmileApi.Classify;

/// <summary>The options of one request, from its query.</summary>
/// <param name="Threshold">Probabilities from here on count as a smile, 0..1; null for the model's own.</param>
/// <param name="Limit">Most faces of the answer, 1..1000.</param>
internal sealed record ClassifyQuery(float? Threshold, int Limit)
{
    private const int DefaultLimit = 100;

    private static readonly string[] s_known = ["faces", "threshold", "limit", "minFace"];

    public static bool TryRead(IQueryCollection query, [NotNullWhen(true)] out ClassifyQuery? options, [NotNullWhen(false)] out Problem? problem)
    {
        options = null;
        if (query.Keys.FirstOrDefault(name => !Array.Exists(s_known, known => known.Equals(name, StringComparison.OrdinalIgnoreCase))) is { } unknown)
        {
            // A misspelt option that is passed over would be worse than one that is refused.
            problem = new Problem(
                ProblemKind.InvalidParameter, $"There is no query parameter '{Shortened(unknown)}'; there are {string.Join(", ", s_known)}.");
            return false;
        }

        if (!TryNumber(query, "threshold", 0f, 1f, out var threshold, out problem)
            || !TryNumber(query, "limit", 1, 1000, out var limit, out problem)
            || !TryNumber(query, "minFace", 1, 65535, out _, out problem)
            || !TryFaces(query, out problem))
        {
            return false;
        }

        options = new ClassifyQuery(threshold, limit ?? DefaultLimit);
        return true;
    }

    private static bool TryFaces(IQueryCollection query, [NotNullWhen(false)] out Problem? problem)
    {
        problem = query["faces"] switch
        {
            [] or ["whole"] => null,
            ["detect"] => new Problem(
                ProblemKind.DetectorUnavailable,
                "faces=detect needs the face detector, which this version does not have yet. Send a picture of one face with faces=whole."),
            var other => Invalid("faces", other.ToString(), "'whole' or 'detect'"),
        };
        return problem is null;
    }

    private static bool TryNumber<T>(
        IQueryCollection query, string name, T least, T most, out T? number, [NotNullWhen(false)] out Problem? problem)
        where T : struct, INumber<T>
    {
        number = null;
        problem = null;
        var values = query[name];
        if (values.Count == 0)
        {
            return true;
        }

        // NaN is below nothing and above nothing: ask for what is inside, not for what is outside.
        if (values is [var text] && T.TryParse(text, CultureInfo.InvariantCulture, out var parsed) && parsed >= least && parsed <= most)
        {
            number = parsed;
            return true;
        }

        problem = Invalid(name, values.ToString(), string.Create(CultureInfo.InvariantCulture, $"one number from {least} to {most}"));
        return false;
    }

    private static Problem Invalid(string name, string value, string expected) =>
        new(ProblemKind.InvalidParameter, $"The query parameter '{name}' is '{Shortened(value)}'; it must be {expected}.");

    private static string Shortened(string value) => value.Length <= 40 ? value : value[..40] + "…";
}
