namespace SmileApi.Training.Tests;

public sealed class BoxTests
{
    [Fact]
    public void Overlap_is_what_counting_pixels_says()
    {
        var random = new SplitMix(3);
        for (var trial = 0; trial < 300; trial++)
        {
            var (one, other) = (Draw(ref random), Draw(ref random));
            var (both, either) = (0, 0);
            for (var pixel = 0; pixel < 20 * 20; pixel++)
            {
                var (inOne, inOther) = (Holds(one, pixel % 20, pixel / 20), Holds(other, pixel % 20, pixel / 20));
                both += inOne && inOther ? 1 : 0;
                either += inOne || inOther ? 1 : 0;
            }

            Assert.Equal((double)both / either, one.Overlap(other), 9);
            Assert.Equal(one.Overlap(other), other.Overlap(one), 9);
        }

        static Box Draw(ref SplitMix random) => new((int)random.Uniform(0, 10), (int)random.Uniform(0, 10), (int)random.Uniform(1, 11), (int)random.Uniform(1, 11));

        static bool Holds(Box box, int x, int y) => x >= box.X && x < box.X + box.Width && y >= box.Y && y < box.Y + box.Height;
    }

    [Fact]
    public void A_box_overlaps_itself_wholly_and_its_neighbour_not_at_all()
    {
        var box = new Box(3.5f, -2, 7, 9);
        Assert.Equal(1, box.Overlap(box));
        Assert.Equal(0, box.Overlap(box with { X = box.X + box.Width }));
    }
}
