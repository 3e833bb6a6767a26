namespace SmileApi.Training;

/// <summary>A box that a detector has drawn round what it takes for a face.</summary>
/// <param name="Confidence">0..1.</param>
internal readonly record struct FoundBox(Box Box, double Confidence);

/// <summary>Whether a box that was found is round a labelled face that no more confident one has.</summary>
internal readonly record struct JudgedBox(double Confidence, bool IsRight);

/// <summary>Tells which of the boxes that a detector has drawn are right.</summary>
internal static class DetectionMatch
{
    /// <summary>Hand-drawn boxes are loose: from this intersection over union on two boxes are round the same head.</summary>
    public const double LeastOverlap = 0.4;

    /// <summary>
    /// Judges the boxes found in one photograph. The most confident chooses first, and of equally confident ones the one that
    /// fits best: it takes the labelled box that it overlaps most among those that it overlaps enough and nobody has taken.
    /// </summary>
    /// <returns>The boxes in the order in which they chose.</returns>
    public static IReadOnlyList<JudgedBox> Judge(IEnumerable<FoundBox> found, IReadOnlyList<Box> labelled, double leastOverlap = LeastOverlap)
    {
        var free = labelled.ToList();
        return
        [
            .. found.OrderByDescending(box => box.Confidence).ThenByDescending(box => labelled.Select(box.Box.Overlap).DefaultIfEmpty().Max())
                .Select(box => new JudgedBox(box.Confidence, Take(box.Box))),
        ];

        bool Take(Box box)
        {
            var best = free.Count == 0 ? default : free.MaxBy(box.Overlap);
            return free.Count > 0 && box.Overlap(best) >= leastOverlap && free.Remove(best);
        }
    }
}
