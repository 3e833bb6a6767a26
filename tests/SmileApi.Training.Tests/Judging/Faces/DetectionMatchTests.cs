namespace SmileApi.Training.Tests;

public sealed class DetectionMatchTests
{
    private static readonly Box Head = new(10, 10, 20, 20);

    [Fact]
    public void A_labelled_box_is_found_once_and_by_the_most_confident() =>
        Assert.Equal([new JudgedBox(0.9, true), new JudgedBox(0.6, false)], DetectionMatch.Judge([new(Head, 0.6), new(Head with { X = 12 }, 0.9)], [Head]));

    [Fact]
    public void Of_equally_confident_boxes_the_one_that_fits_best_is_right() =>
        Assert.Equal([true, false], DetectionMatch.Judge([new(Head with { X = 14 }, 1), new(Head, 1)], [Head]).Select(judged => judged.IsRight));

    [Theory]
    [InlineData(8, true)] // 12 of 28 columns in common: 0.43.
    [InlineData(9, false)] // 11 of 29: 0.38.
    public void Loose_boxes_must_overlap_by_two_fifths(float moved, bool right) =>
        Assert.Equal(right, Assert.Single(DetectionMatch.Judge([new(Head with { X = Head.X + moved }, 0.5)], [Head])).IsRight);

    [Fact]
    public void Where_nothing_is_labelled_every_box_is_false_and_where_nothing_is_found_there_is_nothing_to_judge()
    {
        Assert.False(Assert.Single(DetectionMatch.Judge([new(Head, 0.5)], [])).IsRight);
        Assert.Empty(DetectionMatch.Judge([], [Head]));
    }

    [Fact]
    public void Every_match_is_the_one_that_slow_and_obvious_code_makes()
    {
        for (var trial = 0; trial < 200; trial++)
        {
            var random = new SplitMix(5, trial);
            var labelled = Enumerable.Range(0, 6).Select(_ => Draw(ref random)).ToArray();
            // Confidences differ, so that the order is certain.
            var found = Enumerable.Range(0, 12).Select(i => new FoundBox(Draw(ref random), 0.05 * (i * 5 % 12))).ToArray();

            var taken = new bool[labelled.Length];
            var expected = new List<JudgedBox>();
            for (var step = 11; step >= 0; step--)
            {
                var box = found.Single(one => one.Confidence == 0.05 * step);
                var best = -1;
                for (var i = 0; i < labelled.Length; i++)
                {
                    if (!taken[i] && box.Box.Overlap(labelled[i]) >= 0.4 && (best < 0 || box.Box.Overlap(labelled[i]) > box.Box.Overlap(labelled[best])))
                    {
                        best = i;
                    }
                }

                if (best >= 0)
                {
                    taken[best] = true;
                }

                expected.Add(new JudgedBox(box.Confidence, best >= 0));
            }

            Assert.Equal(expected, DetectionMatch.Judge(found, labelled));
        }

        static Box Draw(ref SplitMix random) => new((float)random.Uniform(0, 20), (float)random.Uniform(0, 20), (float)random.Uniform(10, 20), (float)random.Uniform(10, 20));
    }
}
