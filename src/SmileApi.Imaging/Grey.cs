using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SmileApi.Imaging;

/// <summary>The one definition of grey: 0.299 R + 0.587 G + 0.114 B of the stored values, transparency over white.</summary>
internal static class Grey
{
    // The weights in 16-bit fixed point, as libjpeg uses them, so that both decoders round alike.
    private const int Red = 19595;
    private const int Green = 38470;
    private const int Blue = 7471;
    private const int Half = 1 << 15;

    /// <summary>Converts RGBA to grey and averages blocks of <paramref name="reduction"/> x <paramref name="reduction"/> pixels.</summary>
    /// <param name="rgba">Four bytes a pixel, alpha not premultiplied, shape <c>[height, width, 4]</c>.</param>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    /// <param name="reduction">Side of a block, 1 to 8; blocks at the right and lower edge may be partial.</param>
    /// <param name="grey">Shape <c>[ceil(height / reduction), ceil(width / reduction)]</c>.</param>
    public static void FromRgba(ReadOnlySpan<byte> rgba, int width, int height, int reduction, Span<byte> grey)
    {
        if (reduction == 1)
        {
            Levels(rgba[..(4 * width * height)], grey);
            return;
        }

        var reducedWidth = ImageDecoder.Reduced(width, reduction);
        var levels = ArrayPool<byte>.Shared.Rent(width);
        var sums = ArrayPool<ushort>.Shared.Rent(width); // Of at most 8 levels.
        var row = levels.AsSpan(0, width);
        var columns = sums.AsSpan(0, width);
        for (var top = 0; top < height; top += reduction)
        {
            var rows = Math.Min(reduction, height - top);
            columns.Clear();
            for (var y = top; y < top + rows; y++)
            {
                Levels(rgba.Slice(4 * y * width, 4 * width), row);
                Add(row, columns);
            }

            var target = grey.Slice(top / reduction * reducedWidth, reducedWidth);
            for (var x = 0; x < reducedWidth; x++)
            {
                var block = columns.Slice(x * reduction, Math.Min(reduction, width - x * reduction));
                var (sum, count) = (0, rows * block.Length);
                foreach (var column in block)
                {
                    sum += column;
                }

                target[x] = (byte)((sum + count / 2) / count);
            }
        }

        ArrayPool<byte>.Shared.Return(levels);
        ArrayPool<ushort>.Shared.Return(sums);
    }

    /// <summary>Grey levels of pixels, 0..255.</summary>
    private static void Levels(ReadOnlySpan<byte> rgba, Span<byte> grey)
    {
        var pixels = MemoryMarshal.Cast<byte, uint>(rgba);
        var x = 0;
        if (BitConverter.IsLittleEndian && Vector256.IsHardwareAccelerated)
        {
            for (; x <= pixels.Length - 32; x += 32)
            {
                var (a, b, c, d) = (Load(pixels, x), Load(pixels, x + 8), Load(pixels, x + 16), Load(pixels, x + 24));
                if (Vector256.LessThanAny(a & b & c & d, Vector256.Create(0xFF000000)))
                {
                    ScalarLevels(pixels.Slice(x, 32), grey.Slice(x, 32)); // Some of them are transparent.
                    continue;
                }

                var narrow = Vector256.Narrow(Vector256.Narrow(Level(a), Level(b)), Vector256.Narrow(Level(c), Level(d)));
                narrow.CopyTo(grey[x..]);
            }
        }

        ScalarLevels(pixels[x..], grey[x..]);

        static Vector256<uint> Load(ReadOnlySpan<uint> pixels, int at) => Vector256.Create(pixels.Slice(at, 8));

        static Vector256<uint> Level(Vector256<uint> pixel)
        {
            var channel = Vector256.Create(0xFFu);
            return ((pixel & channel) * Red + ((pixel >>> 8) & channel) * Green + ((pixel >>> 16) & channel) * Blue + Vector256.Create((uint)Half)) >>> 16;
        }
    }

    private static void ScalarLevels(ReadOnlySpan<uint> pixels, Span<byte> grey)
    {
        for (var x = 0; x < pixels.Length; x++)
        {
            var pixel = MemoryMarshal.AsBytes(pixels.Slice(x, 1));
            var level = (Red * pixel[0] + Green * pixel[1] + Blue * pixel[2] + Half) >> 16;
            int alpha = pixel[3];
            grey[x] = (byte)(alpha == 255 ? level : (level * alpha + 255 * (255 - alpha) + 127) / 255);
        }
    }

    private static void Add(ReadOnlySpan<byte> row, Span<ushort> columns)
    {
        var x = 0;
        for (; x <= row.Length - Vector128<byte>.Count; x += Vector128<byte>.Count)
        {
            var (low, high) = Vector128.Widen(Vector128.Create(row.Slice(x, Vector128<byte>.Count)));
            var target = columns.Slice(x, Vector128<byte>.Count);
            (Vector128.Create<ushort>(target) + low).CopyTo(target);
            (Vector128.Create<ushort>(target[8..]) + high).CopyTo(target[8..]);
        }

        for (; x < row.Length; x++)
        {
            columns[x] += row[x];
        }
    }
}
