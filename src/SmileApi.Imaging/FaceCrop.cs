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
    public static void Resample(GreyImage image, FaceSquare square, Normalisation normalisation, Span<float> face, int side = Side)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfNotEqual(face.Length, side * side);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(square.Side);

        using var filter = new TriangleFilter(image, square.X, square.Y, (double)square.Side / side, side, side);
        for (var y = 0; y < side; y++)
        {
            filter.Row(y, face.Slice(y * side, side));
        }

        TensorPrimitives.Subtract(face, normalisation.Mean, face);
        TensorPrimitives.Divide(face, normalisation.Deviation, face);
    }
}
