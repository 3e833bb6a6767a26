using System.Numerics.Tensors;
using SmileApi.Imaging;

namespace SmileApi.Inference;

/// <summary>
/// A part of a pyramid's level that the first stage sees at once. Tiles overlap, and each cell of the level belongs to one of
/// them: to the one in which it lies farther from an inner edge, so that no face is found twice or half.
/// </summary>
/// <param name="X">Left edge in the level, a multiple of 16.</param>
/// <param name="Y">Upper edge in the level, a multiple of 16.</param>
/// <param name="Width">A multiple of 16; what lies beyond the level is padding.</param>
/// <param name="Height">A multiple of 16.</param>
/// <param name="Left">Columns of the tile, in pixels, from here on are its own.</param>
/// <param name="Top">Rows from here on are its own.</param>
/// <param name="Right">Columns before this one are its own.</param>
/// <param name="Bottom">Rows before this one are its own.</param>
internal readonly record struct Tile(int X, int Y, int Width, int Height, int Left, int Top, int Right, int Bottom)
{
    // Coarse enough for equal sizes to meet in a run, fine enough to waste little of it.
    private const int Multiple = 16;
    private const int Overlap = 64;

    /// <summary>Covers a level.</summary>
    public static IEnumerable<Tile> Cover(int width, int height) =>
        from y in Spans(height)
        from x in Spans(width)
        select new Tile(x.Start, y.Start, x.Length, y.Length, x.OwnFrom, y.OwnFrom, x.OwnTo, y.OwnTo);

    /// <summary>The tile's levels, normalised, 0 where it lies beyond the level.</summary>
    /// <returns>Rented from <see cref="Arrays"/>; shape <c>[Height, Width]</c>.</returns>
    public float[] Cut(GreyImage level, FaceModelMetadata find)
    {
        var rented = Arrays.Rent<float>(Width * Height);
        var (width, height) = (Math.Min(Width, level.Width - X), Math.Min(Height, level.Height - Y));
        for (var y = 0; y < height; y++)
        {
            var row = rented.AsSpan(y * Width, Width);
            var levels = row[..width];
            TensorPrimitives.ConvertTruncating<byte, float>(level.Pixels.Slice((Y + y) * level.Width + X, width), levels);
            TensorPrimitives.Subtract(levels, find.Mean, levels);
            TensorPrimitives.Divide(levels, find.Deviation, levels);
            row[width..].Clear();
        }

        rented.AsSpan(height * Width, (Height - height) * Width).Clear();
        return rented;
    }

    private static IEnumerable<(int Start, int Length, int OwnFrom, int OwnTo)> Spans(int length)
    {
        for (var start = 0; ; start += FaceSearch.MaxTileSide - Overlap)
        {
            var last = start + FaceSearch.MaxTileSide >= length;
            var tile = last ? (length - start + Multiple - 1) / Multiple * Multiple : FaceSearch.MaxTileSide;
            yield return (start, tile, start == 0 ? 0 : Overlap / 2, last ? tile : tile - Overlap / 2);
            if (last)
            {
                yield break;
            }
        }
    }
}
