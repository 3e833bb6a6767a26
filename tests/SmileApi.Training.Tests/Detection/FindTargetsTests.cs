using SmileApi.Imaging;

namespace SmileApi.Training.Tests;

public sealed class FindTargetsTests
{
    private const int Columns = 14;
    private const int Rows = 10;

    [Fact]
    public void The_cell_with_a_faces_centre_says_yes_and_its_neighbours_weigh_less_the_nearer()
    {
        var targets = Of(Clear(60, 44, 24)); // The middle of column 7 and row 5.
        Assert.Equal(Cell(7, 5), Array.IndexOf(targets.Positive, 1));
        Assert.Equal(1, targets.Positive.Sum());
        Assert.Equal(0, targets.Negative[Cell(7, 5)]);

        float[] along = [.. Enumerable.Range(0, 8).Select(column => targets.Negative[Cell(7 - column, 5)])];
        Assert.Equal(along.Order(), along);
        Assert.InRange(along[1], 0.01f, 0.9f);
        Assert.Equal(1, along[^1]);
        Assert.True(targets.Negative[Cell(6, 4)] > targets.Negative[Cell(6, 5)]);
        Assert.Equal(targets.Negative[Cell(6, 5)], targets.Negative[Cell(8, 5)], 1e-6f);
    }

    [Theory]
    [InlineData(60.5f, 44.5f, 24f)]
    [InlineData(57f, 41f, 16f)]
    [InlineData(63.9f, 47.9f, 40f)]
    [InlineData(3f, 2f, 30f)]
    public void Cells_whose_box_counts_tell_the_box(float x, float y, float side)
    {
        var (targets, cells) = (Of(Clear(x, y, side)), Columns * Rows);
        var centre = Cell((int)(x / 8), (int)(y / 8));
        Assert.Equal(1, targets.BoxWeight[centre]);
        Assert.Equal(centre, Array.IndexOf(targets.BoxWeight, targets.BoxWeight.Max()));
        Assert.InRange(targets.BoxWeight.Count(weight => weight > 0), 1, 25);
        for (var cell = 0; cell < cells; cell++)
        {
            if (targets.BoxWeight[cell] > 0)
            {
                // As the search reads them.
                Assert.Equal(x, (cell % Columns + 0.5f + targets.Box[cell]) * FindArchitecture.Stride, 1e-3f);
                Assert.Equal(y, (cell / Columns + 0.5f + targets.Box[cells + cell]) * FindArchitecture.Stride, 1e-3f);
                Assert.Equal(side, FindArchitecture.ReferenceSide * MathF.Exp(targets.Box[2 * cells + cell]), 1e-3f);
            }
        }
    }

    [Fact]
    public void Of_two_faces_a_cells_box_is_the_nearer_ones()
    {
        var targets = Of(Clear(52, 44, 32), Clear(76, 44, 32)); // Columns 6 and 9.
        Assert.Equal(2, targets.Positive.Sum());
        Assert.True(targets.BoxWeight[Cell(7, 5)] > 0 && targets.BoxWeight[Cell(8, 5)] > 0);
        Assert.Equal(-1, targets.Box[Cell(7, 5)], 1e-3f);
        Assert.Equal(1, targets.Box[Cell(8, 5)], 1e-3f);
    }

    [Theory]
    [InlineData(12f, true)] // Smaller than is learned.
    [InlineData(50f, true)] // Larger; a little smaller it would be.
    [InlineData(70f, true, true)] // So large that to name it here is a mistake: another size of the picture is for it.
    [InlineData(24f, false)] // Not clear.
    [InlineData(300f, false)]
    public void Faces_without_a_clear_answer_weigh_nothing_and_far_larger_ones_are_no_faces(float side, bool isClear, bool isMistake = false)
    {
        var targets = Of(new ComposedFace(new FaceSquare(60 - side / 2, 44 - side / 2, side), 0, isClear));
        Assert.Equal(0, targets.Positive.Sum() + targets.BoxWeight.Sum());
        Assert.Equal(isMistake ? 1 : 0, targets.Negative[Cell(7, 5)]);
        if (side == 300)
        {
            Assert.Equal(0, targets.Negative.Sum());
        }
        else
        {
            Assert.Equal(1, targets.Negative[Cell(0, 0)]);
            Assert.Equal(isMistake, targets.Negative.All(weight => weight == 1));
        }
    }

    [Fact]
    public void Without_faces_every_cell_is_to_say_no()
    {
        var targets = Of();
        Assert.All(targets.Negative, weight => Assert.Equal(1, weight));
        Assert.Equal(0, targets.Positive.Sum() + targets.BoxWeight.Sum());
    }

    private static FindTargets Of(params ComposedFace[] faces) => new(faces, Columns, Rows);

    private static ComposedFace Clear(float x, float y, float side) => new(new FaceSquare(x - side / 2, y - side / 2, side), Roll: 0, IsClear: true);

    private static int Cell(int column, int row) => row * Columns + column;
}
