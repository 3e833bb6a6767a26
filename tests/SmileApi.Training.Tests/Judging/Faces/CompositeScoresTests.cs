using SmileApi.Imaging;

namespace SmileApi.Training.Tests;

public sealed class CompositeScoresTests
{
    private static readonly ComposedFace Clear = new(new FaceSquare(10, 10, 40), Roll: 0, IsClear: true);
    private static readonly ComposedFace Unclear = new(new FaceSquare(100, 10, 40), Roll: 0, IsClear: false);

    [Fact]
    public void Faces_are_found_or_missed_and_boxes_are_right_or_false()
    {
        var sum = Nothing.With([Clear], [On(Clear), new FoundBox(new Box(200, 200, 30, 30), 0.7)]).With([Clear], []);
        Assert.Equal((2, 1, 1, 2), (sum.Faces, sum.Found, sum.False, sum.Boxes));
        Assert.Equal((0.5, 0.5), (sum.FoundShare, sum.FalseShare));
    }

    [Fact]
    public void An_unclear_face_counts_neither_found_nor_missed_and_its_box_is_not_false()
    {
        var sum = Nothing.With([Clear, Unclear], [On(Clear), On(Unclear)]).With([Unclear], []);
        Assert.Equal((1, 1, 0, 1), (sum.Faces, sum.Found, sum.False, sum.Boxes));
    }

    [Fact]
    public void A_box_that_fits_a_clear_face_counts_though_it_fits_an_unclear_one_too()
    {
        var near = Unclear with { Box = Clear.Box with { X = Clear.Box.X + 5 } };
        Assert.Equal(1, Nothing.With([near, Clear], [On(near)]).Found);
    }

    [Fact]
    public void Where_nothing_is_composed_and_nothing_found_the_shares_are_zero() => Assert.Equal((0, 0), (Nothing.FoundShare, Nothing.FalseShare));

    private static CompositeScores Nothing => new(Hard: false, 1, 1, 0, 0, 0, 0);

    private static FoundBox On(ComposedFace face) => new(Box.Of(face.Box), 0.9);
}
