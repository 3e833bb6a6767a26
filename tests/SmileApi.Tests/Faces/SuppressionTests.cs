using CsCheck;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Tests.Faces;

public sealed class SuppressionTests
{
    private static readonly Gen<FaceSquare> s_box =
        Gen.Select(Gen.Int[0, 60], Gen.Int[0, 60], Gen.Int[1, 50]).Select((x, y, side) => new FaceSquare(x, y, side));

    [Fact]
    public void Overlaps_equal_the_count_of_common_pixels() =>
        Gen.Select(s_box, s_box).Sample((one, other) =>
        {
            var (a, b) = (Pixels(one), Pixels(other));
            var common = a.Intersect(b).Count();

            Assert.Equal((double)common / a.Union(b).Count(), one.IoU(other), 1e-5);
            var similar = Math.Min(one.Side, other.Side) >= 0.4f * Math.Max(one.Side, other.Side);
            Assert.Equal(similar ? (double)common / Math.Min(a.Count, b.Count) : 0, Suppression.Containment(one, other), 1e-5);
        }, iter: 300, threads: 1);

    [Fact]
    public void What_is_kept_is_what_the_definition_says() =>
        Gen.Select(Gen.Select(s_box, Gen.Int[0, 20]).List[0, 40], Gen.Int[1, 30]).Sample((drawn, most) =>
        {
            var faces = drawn.Select(face => new DetectedFace(face.Item1, face.Item2 / 20f, 0)).ToList();

            var kept = Suppression.Suppress(faces, Same, most);

            Assert.Equal(Obvious(faces).Take(most), kept);
        }, iter: 500, threads: 1);

    private static bool Same(FaceSquare one, FaceSquare other) => one.IoU(other) >= 0.35f;

    /// <summary>The most confident face stays and takes all that are the same with it; and so on with the rest.</summary>
    private static IEnumerable<DetectedFace> Obvious(List<DetectedFace> faces)
    {
        if (faces.Count == 0)
        {
            return [];
        }

        var best = faces.First(face => face.Confidence == faces.Max(other => other.Confidence));
        var index = faces.IndexOf(best);
        return [best, .. Obvious([.. faces.Where((face, i) => i != index && !Same(best.Box, face.Box))])];
    }

    private static HashSet<(int, int)> Pixels(FaceSquare box) =>
    [
        .. from y in Enumerable.Range((int)box.Y, (int)box.Side)
           from x in Enumerable.Range((int)box.X, (int)box.Side)
           select (x, y),
    ];
}
