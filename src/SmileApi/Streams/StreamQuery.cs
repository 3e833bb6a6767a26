using System.Diagnostics.CodeAnalysis;
using SmileApi.Classify;

namespace SmileApi.Streams;

/// <summary>The options of a stream, from its query.</summary>
/// <param name="Classify">Those of each frame.</param>
/// <param name="Smooth">Time constant of the smoothing, 0 to 60 s; 0 is none.</param>
/// <param name="Start">From which probability on a smile starts, 0..1; null for 0.1 above the threshold.</param>
/// <param name="End">Below which it ends, 0..1, at most <paramref name="Start"/>; null for 0.1 below the threshold.</param>
internal sealed record StreamQuery(ClassifyQuery Classify, TimeSpan Smooth, float? Start, float? End)
{
    private const double MostSmoothSeconds = 60;

    /// <summary>How far the defaults lie from the threshold. The network is sure of most faces, so that few are ever in between.</summary>
    private const float Margin = 0.1f;

    private static readonly string[] s_own = ["smooth", "start", "end"];

    public static bool TryRead(IQueryCollection query, [NotNullWhen(true)] out StreamQuery? options, [NotNullWhen(false)] out Problem? problem)
    {
        options = null;
        if (!ClassifyQuery.TryRead(query, s_own, out var classify, out problem)
            || !ClassifyQuery.TryNumber(query, "smooth", 0, MostSmoothSeconds, out var smooth, out problem)
            || !ClassifyQuery.TryNumber(query, "start", 0f, 1f, out var start, out problem)
            || !ClassifyQuery.TryNumber(query, "end", 0f, 1f, out var end, out problem))
        {
            return false;
        }

        if (end > start)
        {
            problem = ClassifyQuery.Invalid("end", query["end"].ToString(), "at most 'start': a smile that has started at one probability must not end at it");
            return false;
        }

        options = new StreamQuery(classify, TimeSpan.FromSeconds(smooth ?? 0), start, end);
        return true;
    }

    /// <summary>Where a smile starts and where it ends, for a verdict's threshold. What the caller has said moves the default of the other where it must.</summary>
    public (float Start, float End) Hysteresis(float threshold)
    {
        var start = Start ?? Math.Max(Math.Min(1, threshold + Margin), End ?? 0);
        return (start, End ?? Math.Min(Math.Max(0, threshold - Margin), start));
    }
}
