using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SmileApi.Imaging;

/// <summary>
/// Resamples a rectangle of a picture, row by row, with a triangle filter as wide as one pixel of the coarser grid: bilinear
/// when enlarging, an antialiased average when shrinking. What lies outside the picture continues its edge.
/// </summary>
internal ref struct TriangleFilter : IDisposable
{
    private readonly ReadOnlySpan<byte> _pixels;
    private readonly int _stride;
    private readonly Taps _columns;
    private readonly Taps _rows;

    // Columns that no tap touches are not worth blending.
    private readonly int _left;
    private readonly Span<float> _blended;
    private readonly Span<float> _levels;
    private float[]? _rented;

    /// <param name="image">The picture; it must outlive the filter.</param>
    /// <param name="x">Left edge of the rectangle, in pixels of the picture.</param>
    /// <param name="y">Upper edge.</param>
    /// <param name="step">Pixels of the picture that one pixel of the result stands for along each side, above 0.</param>
    /// <param name="width">Width of the result, in its own pixels.</param>
    /// <param name="height">Height of the result.</param>
    public TriangleFilter(GreyImage image, double x, double y, double step, int width, int height)
    {
        _pixels = image.Pixels;
        _stride = image.Width;
        _columns = Taps.For(x, step, width, image.Width);
        _rows = Taps.For(y, step, height, image.Height);
        _left = _columns.First[0];
        var touched = _columns.First[width - 1] + _columns.Count - _left;
        _rented = ArrayPool<float>.Shared.Rent(2 * touched);
        _blended = _rented.AsSpan(0, touched);
        _levels = _rented.AsSpan(touched, touched);
    }

    /// <summary>Writes one row of the result.</summary>
    /// <param name="y">Which row, from 0.</param>
    /// <param name="levels">Grey levels 0..255, as many as the result is wide.</param>
    public readonly void Row(int y, Span<float> levels)
    {
        // First down the columns, whole rows at a time, then along the one blended row.
        _blended.Clear();
        for (var tap = 0; tap < _rows.Count; tap++)
        {
            var weight = _rows.Weights[y * _rows.Count + tap];
            if (weight != 0)
            {
                TensorPrimitives.ConvertTruncating<byte, float>(_pixels.Slice((_rows.First[y] + tap) * _stride + _left, _levels.Length), _levels);
                TensorPrimitives.MultiplyAdd(_levels, weight, _blended, _blended);
            }
        }

        var count = _columns.Count;
        ref var weights = ref MemoryMarshal.GetArrayDataReference(_columns.Weights);
        ref var blended = ref MemoryMarshal.GetReference(_blended);
        for (var x = 0; x < levels.Length; x++)
        {
            // Taps are made so that they stay inside; without a check of each, this loop takes half of the time.
            ref var source = ref Unsafe.Add(ref blended, _columns.First[x] - _left);
            var level = 0f;
            for (var tap = 0; tap < count; tap++)
            {
                level += Unsafe.Add(ref source, tap) * Unsafe.Add(ref weights, tap);
            }

            weights = ref Unsafe.Add(ref weights, count);
            levels[x] = level;
        }
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (_rented is { } rented)
        {
            _rented = null;
            ArrayPool<float>.Shared.Return(rented);
            _columns.Return();
            _rows.Return();
        }
    }

    /// <summary>Which source pixels, with what weights, make each pixel of the result along one axis.</summary>
    /// <param name="First">Index of the first source pixel of each result pixel; <c>First + Count</c> stays inside the picture.</param>
    /// <param name="Count">Source pixels of each result pixel.</param>
    /// <param name="Weights">Shape <c>[length, Count]</c>, each row's sum 1; both arrays are rented, and may be longer.</param>
    private readonly record struct Taps(int[] First, int Count, float[] Weights)
    {
        public static Taps For(double start, double step, int length, int sourceLength)
        {
            var radius = Math.Max(step, 1);
            var count = Math.Min((int)Math.Ceiling(2 * radius) + 1, sourceLength);
            var first = ArrayPool<int>.Shared.Rent(length);
            var weights = ArrayPool<float>.Shared.Rent(length * count);
            weights.AsSpan(0, length * count).Clear();
            for (var i = 0; i < length; i++)
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

        public void Return()
        {
            ArrayPool<int>.Shared.Return(First);
            ArrayPool<float>.Shared.Return(Weights);
        }

        private static double Triangle(int pixel, double centre, double radius) =>
            Math.Max(0, 1 - Math.Abs(pixel + 0.5 - centre) / radius);
    }
}
