using System.Buffers;
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

        var columns = Taps.For(square.X, square.Side, side, image.Width);
        var rows = Taps.For(square.Y, square.Side, side, image.Height);
        var pixels = image.Pixels;

        // Columns that no tap touches are not worth blending.
        var (left, right) = (columns.First[0], columns.First[side - 1] + columns.Count);
        var width = right - left;
        var buffer = ArrayPool<float>.Shared.Rent(2 * width);
        var blended = buffer.AsSpan(0, width);
        var levels = buffer.AsSpan(width, width);
        for (var y = 0; y < side; y++)
        {
            // First down the columns, whole rows at a time, then along the one blended row.
            blended.Clear();
            for (var tap = 0; tap < rows.Count; tap++)
            {
                var weight = rows.Weights[y * rows.Count + tap];
                if (weight != 0)
                {
                    TensorPrimitives.ConvertTruncating<byte, float>(pixels.Slice((rows.First[y] + tap) * image.Width + left, width), levels);
                    TensorPrimitives.MultiplyAdd(levels, weight, blended, blended);
                }
            }

            var target = face.Slice(y * side, side);
            for (var x = 0; x < side; x++)
            {
                var taps = blended.Slice(columns.First[x] - left, columns.Count);
                var weights = columns.Weights.AsSpan(x * columns.Count, columns.Count);
                var level = 0f;
                for (var tap = 0; tap < taps.Length; tap++)
                {
                    level += taps[tap] * weights[tap];
                }

                target[x] = (level - normalisation.Mean) / normalisation.Deviation;
            }
        }

        ArrayPool<float>.Shared.Return(buffer);
    }

    /// <summary>Which source pixels, with what weights, make each pixel of the result along one axis.</summary>
    /// <param name="First">Index of the first source pixel of each result pixel; <c>First + Count</c> stays inside the picture.</param>
    /// <param name="Count">Source pixels of each result pixel.</param>
    /// <param name="Weights">Shape <c>[side, Count]</c>, each row's sum 1.</param>
    private readonly record struct Taps(int[] First, int Count, float[] Weights)
    {
        public static Taps For(double start, double length, int side, int sourceLength)
        {
            var step = length / side;
            var radius = Math.Max(step, 1);
            var count = Math.Min((int)Math.Ceiling(2 * radius) + 1, sourceLength);
            var first = new int[side];
            var weights = new float[side * count];
            for (var i = 0; i < side; i++)
            {
                var centre = start + (i + 0.5) * step;
                var from = (int)Math.Floor(centre - radius);
                first[i] = Math.Clamp(from, 0, sourceLength - count);
                var sum = 0.0;
                for (var j = from; j <= centre + radius; j++)
                {
                    sum += Triangle(j, centre, radius);
                }

                for (var j = from; j <= centre + radius; j++)
                {
                    // Beyond the edge its last pixel stands in.
                    var inside = Math.Clamp(j, 0, sourceLength - 1) - first[i];
                    weights[i * count + inside] += (float)(Triangle(j, centre, radius) / sum);
                }
            }

            return new Taps(first, count, weights);
        }

        private static double Triangle(int pixel, double centre, double radius) =>
            Math.Max(0, 1 - Math.Abs(pixel + 0.5 - centre) / radius);
    }
}
