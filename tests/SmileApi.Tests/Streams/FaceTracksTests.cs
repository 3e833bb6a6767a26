using Microsoft.Extensions.Time.Testing;
using SmileApi.Classify;
using SmileApi.Streams;

namespace SmileApi.Tests.Streams;

public sealed class FaceTracksTests
{
    private static readonly Box s_left = new(100, 100, 100, 100);
    private static readonly Box s_right = new(400, 100, 80, 80);

    private readonly FakeTimeProvider _time = new();
    private int _frame;

    [Fact]
    public void A_face_keeps_its_number_while_it_overlaps_with_where_it_was_whatever_its_place_in_the_answer()
    {
        var tracks = Tracks();

        Assert.Equal([1, 2], Ids(Follow(tracks, (s_left, 0.5f), (s_right, 0.5f))));
        Assert.Equal([2, 1], Ids(Follow(tracks, (s_right with { X = 420, Width = 120, Height = 120 }, 0.5f), (s_left with { X = 130 }, 0.5f))));
        Assert.Equal([1, 3], Ids(Follow(tracks, (s_left with { X = 160 }, 0.5f), (new Box(600, 100, 70, 70), 0.5f))));

        // Two where one was: the first takes its number.
        Assert.Equal([1, 4], Ids(Follow(tracks, (s_left with { X = 160 }, 0.5f), (s_left with { X = 165 }, 0.5f))));
    }

    [Fact]
    public void A_smile_starts_and_ends_at_two_thresholds_and_in_between_nothing_changes()
    {
        var tracks = Tracks();
        var events = new[] { 0.5f, 0.59f, 0.6f, 0.45f, 0.4f, 0.39f, 0.55f, 0.9f }.Select(probability => Follow(tracks, (s_left, probability)).Events).ToArray();

        Assert.Equal([2, 5, 7], Enumerable.Range(0, events.Length).Where(i => events[i] is not null));
        Assert.Equal(
            [new SmileEvent("smile-started", 1, 0.6f), new SmileEvent("smile-ended", 1, 0.39f), new SmileEvent("smile-started", 1, 0.9f)],
            events.Where(each => each is not null).Select(each => each!.Single()));
    }

    [Theory]
    [InlineData(null, null, 0.5f, 0.6f, 0.4f)]
    [InlineData(null, null, 0.95f, 1, 0.85f)]
    [InlineData(null, null, 0.05f, 0.15f, 0)]
    [InlineData(0.3f, null, 0.5f, 0.3f, 0.3f)]
    [InlineData(null, 0.8f, 0.5f, 0.8f, 0.8f)]
    [InlineData(0.9f, 0.1f, 0.5f, 0.9f, 0.1f)]
    public void The_thresholds_lie_round_the_one_of_the_verdict_unless_they_are_given(float? givenStart, float? givenEnd, float threshold, float start, float end)
    {
        var (actualStart, actualEnd) = new StreamQuery(new ClassifyQuery(Detect: true), TimeSpan.Zero, givenStart, givenEnd).Hysteresis(threshold);

        Assert.Equal((start, end), (actualStart, actualEnd), (one, other) => Math.Abs(one.Item1 - other.Item1) < 1e-6 && Math.Abs(one.Item2 - other.Item2) < 1e-6);
    }

    [Fact]
    public void A_face_that_is_gone_for_a_second_ends_its_smile_and_comes_back_as_another()
    {
        var tracks = Tracks();
        Follow(tracks, (s_left, 0.9f), (s_right, 0.1f));

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(Follow(tracks).Events);
        Assert.Equal([1], Ids(Follow(tracks, (s_left, 0.9f))));
        _time.Advance(TimeSpan.FromSeconds(1.1));
        var gone = Follow(tracks);
        Assert.Equal([new SmileEvent("smile-ended", 1, 0.9f)], gone.Events);
        Assert.Null(gone.Verdict.Smile);
        Assert.Null(gone.Verdict.Probability);
        var back = Follow(tracks, (s_left, 0.9f));
        Assert.Equal([3], Ids(back));
        Assert.Equal([new SmileEvent("smile-started", 3, 0.9f)], back.Events);
    }

    [Fact]
    public void Smoothing_goes_by_the_time_between_frames_and_by_face_and_decides_what_is_a_smile()
    {
        var tracks = Tracks(smooth: 0.5);
        Follow(tracks, (s_left, 0f), (s_right, 1f));
        var expected = (Left: 0.0, Right: 1.0);
        foreach (var milliseconds in new[] { 33, 33, 200, 5, 400 })
        {
            _time.Advance(TimeSpan.FromMilliseconds(milliseconds));
            var left = Math.Exp(-milliseconds / 500.0);
            expected = (1 + (expected.Left - 1) * left, expected.Right * left);
            var (verdict, _) = Follow(tracks, (s_left, 1f), (s_right, 0f));

            Assert.Equal(expected.Left, verdict.Faces[0].Probability, 1e-5);
            Assert.Equal(expected.Right, verdict.Faces[1].Probability, 1e-5);
            Assert.Equal(verdict.Faces[0].Probability, verdict.Probability);
            Assert.Equal(expected.Left >= 0.5, verdict.Smile);
            Assert.Equal(expected.Right >= 0.5, verdict.Faces[1].Smile);
        }
    }

    [Fact]
    public void However_many_faces_come_and_go_only_so_many_are_remembered()
    {
        var tracks = Tracks();
        var crowd = Enumerable.Range(0, 1000).Select(i => (new Box(50 * (i % 40), 50 * (i / 40), 40, 40), 0.9f)).ToArray();
        var elsewhere = crowd.Select(face => (face.Item1 with { X = face.Item1.X + 10_000 }, 0.1f)).ToArray();

        Follow(tracks, crowd);
        var ended = Follow(tracks, elsewhere).Events!;

        Assert.Equal(1000, ended.Count);
        Assert.Equal(2001, Ids(Follow(tracks, crowd)).First());
    }

    private FaceTracks Tracks(double smooth = 0) => new(new StreamQuery(new ClassifyQuery(Detect: true), TimeSpan.FromSeconds(smooth), null, null), _time);

    private (Verdict Verdict, IReadOnlyList<SmileEvent>? Events) Follow(FaceTracks tracks, params (Box Box, float Probability)[] faces) => tracks.Follow(
        ++_frame,
        new Verdict(
            faces.Length > 0 ? faces[0].Probability >= 0.5f : null, faces.Length > 0 ? faces[0].Probability : null, 0.5f,
            [.. faces.Select(face => new FaceVerdict(face.Probability >= 0.5f, face.Probability, face.Box, 1))],
            new ImageInfo(640, 480, "jpeg"), new ModelName("m", "1.0.0", ""), new Timings(0, 0, 0, 0, 0), ""),
        _time.GetTimestamp());

    private static IEnumerable<int> Ids((Verdict Verdict, IReadOnlyList<SmileEvent>? Events) followed) => followed.Verdict.Faces.Select(face => face.Id!.Value);
}
