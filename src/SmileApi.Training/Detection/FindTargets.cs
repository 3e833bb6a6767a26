namespace SmileApi.Training;

/// <summary>
/// What the first stage is to say of a composed picture, cell by cell, after CenterNet (Zhou et al. 2019): the cell with a face's
/// centre says yes, its neighbours weigh less the nearer they are, and faces that belong to no clear answer weigh nothing.
/// </summary>
internal sealed class FindTargets
{
    private const double SmallestLearned = 13.5;
    private const double LargestLearned = 42;
    private const double LargestIgnored = 56;

    /// <param name="columns">Cells in a row.</param>
    /// <param name="rows">Rows of cells.</param>
    public FindTargets(IReadOnlyList<ComposedFace> faces, int columns, int rows)
    {
        (Positive, Negative, BoxWeight, Box) = (new float[columns * rows], new float[columns * rows], new float[columns * rows], new float[3 * columns * rows]);
        Negative.AsSpan().Fill(1);
        foreach (var face in faces)
        {
            var (x, y) = ((face.Box.X + face.Box.Side / 2) / FindArchitecture.Stride, (face.Box.Y + face.Box.Side / 2) / FindArchitecture.Stride);
            var side = face.Box.Side / FindArchitecture.Stride;
            if (face.IsClear && face.Box.Side is >= (float)SmallestLearned and <= (float)LargestLearned)
            {
                Learn(face, x, y, side, columns, rows);
            }
            else if (!face.IsClear || face.Box.Side <= LargestIgnored)
            {
                Ignore(x, y, face.IsClear ? 0.35f * side : 0.5f * side, columns, rows);
            }
        }
    }

    /// <summary>1 where a face's centre is, else 0; shape <c>[rows, columns]</c>.</summary>
    public float[] Positive { get; }

    /// <summary>How much a cell without a centre counts, 0..1; the same shape.</summary>
    public float[] Negative { get; }

    /// <summary>How much a cell's box counts, 0..1; the same shape.</summary>
    public float[] BoxWeight { get; }

    /// <summary>dx, dy in cells and log(side / 24); shape <c>[3, rows, columns]</c>.</summary>
    public float[] Box { get; }

    private void Learn(ComposedFace face, float x, float y, float side, int columns, int rows)
    {
        var spread = Math.Max(0.65, 0.18 * side);
        for (var row = Math.Max(0, (int)y - 3); row <= Math.Min(rows - 1, (int)y + 3); row++)
        {
            for (var column = Math.Max(0, (int)x - 3); column <= Math.Min(columns - 1, (int)x + 3); column++)
            {
                var (dx, dy) = (x - column - 0.5, y - row - 0.5);
                var near = Math.Exp(-(dx * dx + dy * dy) / (2 * spread * spread));
                var cell = row * columns + column;
                var isCentre = column == (int)x && row == (int)y;
                if (isCentre)
                {
                    (Positive[cell], Negative[cell]) = (1, 0);
                }
                else
                {
                    Negative[cell] *= (float)Math.Pow(1 - near, 4);
                }

                var weight = isCentre ? 1 : near > 0.3 ? (float)near : 0;
                if (weight > BoxWeight[cell])
                {
                    BoxWeight[cell] = weight;
                    Box[cell] = (float)dx;
                    Box[rows * columns + cell] = (float)dy;
                    Box[2 * rows * columns + cell] = MathF.Log(face.Box.Side / FindArchitecture.ReferenceSide);
                }
            }
        }
    }

    private void Ignore(float x, float y, float radius, int columns, int rows)
    {
        for (var row = Math.Max(0, (int)(y - radius)); row <= Math.Min(rows - 1, (int)(y + radius)); row++)
        {
            for (var column = Math.Max(0, (int)(x - radius)); column <= Math.Min(columns - 1, (int)(x + radius)); column++)
            {
                Negative[row * columns + column] = 0;
            }
        }
    }
}
