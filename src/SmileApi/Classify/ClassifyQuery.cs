using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace SmileApi.Classify;

/// <summary>The options of one request, from its query.</summary>
/// <param name="Detect">Find the faces; false when the picture is one face.</param>
/// <param name="Threshold">Probabilities from here on count as a smile, 0..1; null for the model's own.</param>
/// <param name="Confidence">Least confidence of a face, 0..1; null for the detector's own.</param>
/// <param name="MinFace">Side of the smallest box to find, in pixels of the upright picture, 1..65535; null for what suits the picture.</param>
/// <param name="Limit">Most faces of the answer, 1..1000; the largest stay.</param>
internal sealed record ClassifyQuery(bool Detect, float? Threshold = null, float? Confidence = null, int? MinFace = null, int Limit = ClassifyQuery.DefaultLimit)
{
    public const int DefaultLimit = 100;

    private const int MostKept = 64;
    private const int LongestKept = 128;

    private static readonly string[] s_known = ["faces", "threshold", "confidence", "minFace", "limit"];

    /// <summary>Queries that have been read. Callers ask in few ways, and to take one apart anew costs half a kilobyte.</summary>
    private static readonly ConcurrentDictionary<string, ClassifyQuery> s_read = [];
    private static int s_kept; // About; to ask the dictionary would lock all of it.

    public static bool TryRead(HttpRequest request, [NotNullWhen(true)] out ClassifyQuery? options, [NotNullWhen(false)] out Problem? problem)
    {
        problem = null;
        var text = request.QueryString.Value ?? "";
        if (s_read.TryGetValue(text, out options))
        {
            return true;
        }

        if (!TryRead(request.Query, [], out options, out problem))
        {
            return false;
        }

        if (text.Length <= LongestKept)
        {
            if (Interlocked.Increment(ref s_kept) > MostKept)
            {
                // Somebody asks in many ways; what others ask in will soon be back.
                s_read.Clear();
                s_kept = 1;
            }

            s_read.TryAdd(text, options);
        }

        return true;
    }

    /// <param name="others">Names of parameters that the endpoint has besides, and reads itself.</param>
    public static bool TryRead(
        IQueryCollection query, ReadOnlySpan<string> others, [NotNullWhen(true)] out ClassifyQuery? options, [NotNullWhen(false)] out Problem? problem)
    {
        options = null;
        if (Unknown(query, others) is { } unknown)
        {
            // A misspelt option that is passed over would be worse than one that is refused.
            problem = new Problem(
                ProblemKind.InvalidParameter, $"There is no query parameter '{Shortened(unknown)}'; there are {string.Join(", ", [.. s_known, .. others])}.");
            return false;
        }

        if (!TryFaces(query, out var detect, out problem)
            || !TryNumber(query, "threshold", 0f, 1f, out var threshold, out problem)
            || !TryNumber(query, "confidence", 0f, 1f, out var confidence, out problem)
            || !TryNumber(query, "minFace", 1, 65535, out var minFace, out problem)
            || !TryNumber(query, "limit", 1, 1000, out var limit, out problem))
        {
            return false;
        }

        options = new ClassifyQuery(detect, threshold, confidence, minFace, limit ?? DefaultLimit);
        return true;
    }

    /// <returns>The name of a parameter that there is not.</returns>
    private static string? Unknown(IQueryCollection query, ReadOnlySpan<string> others)
    {
        foreach (var (name, _) in query)
        {
            if (!s_known.AsSpan().Contains(name, StringComparer.OrdinalIgnoreCase) && !others.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                return name;
            }
        }

        return null;
    }

    private static bool TryFaces(IQueryCollection query, out bool detect, [NotNullWhen(false)] out Problem? problem)
    {
        var faces = query["faces"];
        detect = faces is not ["whole"];
        problem = faces is [] or ["whole"] or ["detect"] ? null : Invalid("faces", faces.ToString(), "'detect' or 'whole'");
        return problem is null;
    }

    public static bool TryNumber<T>(
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

        // Said, or "0,5" would be 5: by itself .NET passes over the commas between thousands.
        var style = typeof(T) == typeof(int) ? NumberStyles.Integer : NumberStyles.Float;

        // NaN is below nothing and above nothing: ask for what is inside, not for what is outside.
        if (values is [var text] && T.TryParse(text, style, CultureInfo.InvariantCulture, out var parsed) && parsed >= least && parsed <= most)
        {
            number = parsed;
            return true;
        }

        problem = Invalid(name, values.ToString(), string.Create(CultureInfo.InvariantCulture, $"one number from {least} to {most}"));
        return false;
    }

    public static Problem Invalid(string name, string value, string expected) =>
        new(ProblemKind.InvalidParameter, $"The query parameter '{name}' is '{Shortened(value)}'; it must be {expected}.");

    private static string Shortened(string value) => value.Length <= 40 ? value : value[..40] + "…";
}
