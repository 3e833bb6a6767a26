using SmileApi.Imaging;

namespace SmileApi.Inference;

/// <summary>Non-maximum suppression: of boxes that show the same face, the most confident stays.</summary>
internal static class Suppression
{
    /// <summary>
    /// Share of the smaller square that lies inside the larger one, 0..1, if the smaller has at least 0.4 of the larger's side;
    /// 0 otherwise. A box that is much smaller is no second look at the same face.
    /// </summary>
    public static float Containment(in FaceSquare a, in FaceSquare b)
    {
        var (smaller, larger) = (Math.Min(a.Side, b.Side), Math.Max(a.Side, b.Side));
        return smaller >= 0.4f * larger ? a.Common(b) / (smaller * smaller) : 0;
    }

    /// <summary>Keeps each face unless a more confident one that is kept is the same.</summary>
    /// <param name="faces">In any order.</param>
    /// <param name="same">Whether two boxes show one face.</param>
    /// <param name="most">No more than this many are kept.</param>
    /// <returns>The most confident first; of equally confident ones, the order stays.</returns>
    public static List<DetectedFace> Suppress(IEnumerable<DetectedFace> faces, Func<FaceSquare, FaceSquare, bool> same, int most)
    {
        var kept = new List<DetectedFace>();
        foreach (var face in faces.OrderByDescending(face => face.Confidence))
        {
            if (kept.Count == most)
            {
                break;
            }

            if (!kept.Exists(better => same(better.Box, face.Box)))
            {
                kept.Add(face);
            }
        }

        return kept;
    }
}
