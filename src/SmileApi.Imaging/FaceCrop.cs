using System.Numerics.Tensors;

namespace SmileApi.Imaging;

/// <summary>How grey levels become the network's input: <c>(level - Mean) / Deviation</c>.</summary>
/// <param name="Mean">Grey levels, 0..255.</param>
/// <param name="Deviation">Grey levels, above 0.</param>
public readonly record struct Normalisation(float Mean, float Deviation);

/// <summary>Cuts a square out of a picture and brings it to the network's size.</summary>
public static class FaceCrop
{
    /// <summary>Side of the network's input, in pixels.</summary>
    public const int Side = 100;

    /// <summary>Values of one face: <see cref="Side"/> squared.</summary>
    public const int Length = Side * Side;

    /// <summary>
    /// Resamples a square with a triangle filter as wide as one pixel of the coarser grid (bilinear when enlarging, an
    /// antialiased average when shrinking). What lies outside the picture continues its edge.
    /// </summary>
    /// <param name="image">The picture. Not kept after the call.</param>
    /// <param name="square">In pixels of <paramref name="image"/> (not of its original).</param>
    /// <param name="normalisation">Applied to the resampled levels.</param>
    /// <param name="face">Row-major, shape <c>[side, side]</c>; written in full.</param>
    /// <param name="side">Side of the result in pixels; the network's is <see cref="Side"/>.</param>
    /// <param name="roll">
    /// Radians by which the face is turned clockwise in the picture: the square is turned as far about its centre, and the
    /// result stands upright.
    /// </param>
    public static void Resample(GreyImage image, FaceSquare square, Normalisation normalisation, Span<float> face, int side = Side, float roll = 0)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfNotEqual(face.Length, side * side);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(square.Side);

        if (roll == 0)
        {
            Resample(image, square.X, square.Y, (double)square.Side / side, side, face);
        }
        else
        {
            ResampleTurned(image, square, face, side, roll);
        }

        TensorPrimitives.Subtract(face, normalisation.Mean, face);
        TensorPrimitives.Divide(face, normalisation.Deviation, face);
    }

    private static void Resample(GreyImage image, double x, double y, double step, int side, Span<float> levels)
    {
        using var filter = new TriangleFilter(image, x, y, step, side, side);
        for (var row = 0; row < side; row++)
        {
            filter.Row(row, levels.Slice(row * side, side));
        }
    }

    /// <summary>
    /// First the straight square that encloses the turned one, at the result's resolution, so that what is turned has been
    /// filtered already; then, bilinearly, the turned one from that.
    /// </summary>
    private static void ResampleTurned(GreyImage image, FaceSquare square, Span<float> face, int side, float roll)
    {
        var (sine, cosine) = Math.SinCos(roll);
        var step = (double)square.Side / side;
        var enclosing = (int)Math.Ceiling(side * (Math.Abs(sine) + Math.Abs(cosine))) + 2; // A pixel on each side to blend with.
        var margin = (enclosing - side) / 2.0 * step;
        var rented = Arrays.Rent<float>(enclosing * enclosing);
        var straight = rented.AsSpan(0, enclosing * enclosing);
        Resample(image, square.X - margin, square.Y - margin, step, enclosing, straight);

        for (var y = 0; y < side; y++)
        {
            for (var x = 0; x < side; x++)
            {
                var (right, down) = (x + 0.5 - side / 2.0, y + 0.5 - side / 2.0);
                var fromX = (float)(right * cosine - down * sine + enclosing / 2.0 - 0.5);
                var fromY = (float)(right * sine + down * cosine + enclosing / 2.0 - 0.5);
                var (column, row) = ((int)fromX, (int)fromY);
                var (alongX, alongY) = (fromX - column, fromY - row);
                var upper = straight.Slice(row * enclosing + column, 2);
                var lower = straight.Slice((row + 1) * enclosing + column, 2);
                face[y * side + x] =
                    (upper[0] * (1 - alongX) + upper[1] * alongX) * (1 - alongY) + (lower[0] * (1 - alongX) + lower[1] * alongX) * alongY;
            }
        }

        Arrays.Return(rented);
    }
}
