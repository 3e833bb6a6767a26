using System.Numerics;
using System.Runtime.InteropServices;

namespace SmileApi.Imaging;

/// <summary>
/// A picture at several sizes: level 0 is the picture itself or smaller, each further level has half the sides of the one
/// before. It owns the memory of its levels, though not the picture's; dispose it before the picture.
/// </summary>
public sealed class ImagePyramid : IDisposable
{
    private readonly GreyImage[] _levels;
    private readonly GreyImage _picture;

    private ImagePyramid(GreyImage picture, GreyImage[] levels, double scale) => (_picture, _levels, Scale) = (picture, levels, scale);

    /// <summary>Levels, the largest first.</summary>
    public IReadOnlyList<GreyImage> Levels => _levels;

    /// <summary>
    /// Pixels of level 0 for each pixel of the picture along a side, above 0 and at most 1. A place at <c>(x, y)</c> of level
    /// <c>k</c> is at <c>(x, y) * 2^k / Scale</c> of the picture; both have (0, 0) at the outer corner of the first pixel.
    /// </summary>
    public double Scale { get; }

    /// <summary>Makes the levels.</summary>
    /// <param name="picture">The picture. It must outlive the pyramid.</param>
    /// <param name="scale">Pixels of level 0 for each pixel of the picture along a side, above 0 and at most 1.</param>
    /// <param name="levels">How many levels, at least 1.</param>
    public static ImagePyramid Of(GreyImage picture, double scale, int levels)
    {
        ArgumentNullException.ThrowIfNull(picture);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(scale);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(scale, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(levels);
        var made = new GreyImage[levels];
        made[0] = scale == 1 ? picture : Shrink(picture, scale);
        for (var i = 1; i < levels; i++)
        {
            made[i] = Halve(made[i - 1]);
        }

        return new ImagePyramid(picture, made, scale);
    }

    /// <summary>Width and height of level 0.</summary>
    public static (int Width, int Height) SizeAt(int width, int height, double scale) =>
        (Math.Max(1, (int)Math.Round(width * scale)), Math.Max(1, (int)Math.Round(height * scale)));

    /// <summary>Gives the memory of the levels back.</summary>
    public void Dispose()
    {
        foreach (var level in _levels)
        {
            if (level != _picture)
            {
                level.Dispose();
            }
        }
    }

    private static GreyImage Shrink(GreyImage picture, double scale)
    {
        var (width, height) = SizeAt(picture.Width, picture.Height, scale);
        if (scale <= 0.5)
        {
            // Averages of 2x2 pixels first: they take far less time than the filter, which then has a quarter of the pixels.
            using var half = Halve(picture);
            return Shrink(half, 2 * scale, width, height);
        }

        return Shrink(picture, scale, width, height);
    }

    private static GreyImage Shrink(GreyImage picture, double scale, int width, int height)
    {
        var level = Like(picture, width, height);
        using var filter = new TriangleFilter(picture, 0, 0, 1 / scale, width, height);
        var row = Arrays.Rent<float>(width);
        for (var y = 0; y < height; y++)
        {
            filter.Row(y, row.AsSpan(0, width));
            Round(row.AsSpan(0, width), level.Pixels.Slice(y * width, width));
        }

        Arrays.Return(row);
        return level;
    }

    /// <summary>Averages of 2x2 pixels; a last odd row or column counts twice.</summary>
    private static GreyImage Halve(GreyImage finer)
    {
        var (width, height) = ((finer.Width + 1) / 2, (finer.Height + 1) / 2);
        var level = Like(finer, width, height);
        var rented = Arrays.Rent<ushort>(finer.Width + 1);
        var sums = rented.AsSpan(0, finer.Width + 1);
        for (var y = 0; y < height; y++)
        {
            var upper = finer.Pixels.Slice(2 * y * finer.Width, finer.Width);
            var lower = finer.Pixels.Slice(Math.Min(2 * y + 1, finer.Height - 1) * finer.Width, finer.Width);
            AddRows(upper, lower, sums);
            sums[^1] = sums[^2];
            HalveRow(sums, level.Pixels.Slice(y * width, width));
        }

        Arrays.Return(rented);
        return level;
    }

    private static void AddRows(ReadOnlySpan<byte> upper, ReadOnlySpan<byte> lower, Span<ushort> sums)
    {
        var x = 0;
        for (; x <= upper.Length - Vector<byte>.Count; x += Vector<byte>.Count)
        {
            Vector.Widen(new Vector<byte>(upper[x..]), out var first, out var second);
            Vector.Widen(new Vector<byte>(lower[x..]), out var third, out var fourth);
            (first + third).CopyTo(sums[x..]);
            (second + fourth).CopyTo(sums[(x + Vector<ushort>.Count)..]);
        }

        for (; x < upper.Length; x++)
        {
            sums[x] = (ushort)(upper[x] + lower[x]);
        }
    }

    private static void HalveRow(ReadOnlySpan<ushort> sums, Span<byte> row)
    {
        // Two neighbours are the halves of one 32-bit word.
        var pairs = MemoryMarshal.Cast<ushort, uint>(sums[..(2 * row.Length)]);
        for (var x = 0; x < row.Length; x++)
        {
            var pair = pairs[x];
            row[x] = (byte)(((pair & 0xFFFF) + (pair >> 16) + 2) >> 2);
        }
    }

    private static void Round(ReadOnlySpan<float> levels, Span<byte> rounded)
    {
        // Weights add up to 1 only nearly; a level of 255.6 would wrap round.
        var (half, white) = (new Vector<float>(0.5f), new Vector<float>(255));
        var x = 0;
        for (; x <= levels.Length - Vector<byte>.Count; x += Vector<byte>.Count)
        {
            var some = levels.Slice(x, Vector<byte>.Count);
            Vector.Narrow(Vector.Narrow(Four(some, 0), Four(some, 1)), Vector.Narrow(Four(some, 2), Four(some, 3))).CopyTo(rounded[x..]);
        }

        for (; x < levels.Length; x++)
        {
            rounded[x] = (byte)Math.Min((int)(levels[x] + 0.5f), 255);
        }

        Vector<uint> Four(ReadOnlySpan<float> some, int quarter) =>
            Vector.ConvertToUInt32(Vector.Min(new Vector<float>(some[(quarter * Vector<float>.Count)..]) + half, white));
    }

    private static GreyImage Like(GreyImage picture, int width, int height) =>
        new(width, height, picture.Reduction, picture.OriginalWidth, picture.OriginalHeight, picture.Format);
}
