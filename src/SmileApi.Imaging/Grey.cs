namespace SmileApi.Imaging;

/// <summary>The one definition of grey: 0.299 R + 0.587 G + 0.114 B of the stored values, transparency over white.</summary>
internal static class Grey
{
    /// <summary>Converts RGBA to grey and averages blocks of <paramref name="reduction"/> x <paramref name="reduction"/> pixels.</summary>
    /// <param name="rgba">Four bytes a pixel, alpha not premultiplied, shape <c>[height, width, 4]</c>.</param>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    /// <param name="reduction">Side of a block, 1 to 8; blocks at the right and lower edge may be partial.</param>
    /// <param name="grey">Shape <c>[ceil(height / reduction), ceil(width / reduction)]</c>.</param>
    public static void FromRgba(ReadOnlySpan<byte> rgba, int width, int height, int reduction, Span<byte> grey)
    {
        var reducedWidth = ImageDecoder.Reduced(width, reduction);
        if (reduction == 1)
        {
            for (var i = 0; i < width * height; i++)
            {
                grey[i] = (byte)Level(rgba.Slice(4 * i, 4));
            }

            return;
        }

        Span<int> sums = reducedWidth <= 4096 ? stackalloc int[reducedWidth] : new int[reducedWidth];
        for (var top = 0; top < height; top += reduction)
        {
            var rows = Math.Min(reduction, height - top);
            sums.Clear();
            for (var y = top; y < top + rows; y++)
            {
                var row = rgba.Slice(4 * y * width, 4 * width);
                for (var x = 0; x < width; x++)
                {
                    sums[x / reduction] += Level(row.Slice(4 * x, 4));
                }
            }

            var target = grey.Slice(top / reduction * reducedWidth, reducedWidth);
            for (var x = 0; x < reducedWidth; x++)
            {
                var count = rows * Math.Min(reduction, width - x * reduction);
                target[x] = (byte)((sums[x] + count / 2) / count);
            }
        }
    }

    /// <summary>Grey level of one pixel, 0..255.</summary>
    private static int Level(ReadOnlySpan<byte> rgba)
    {
        // The weights in 16-bit fixed point, as libjpeg uses them, so that both decoders round alike.
        var level = (19595 * rgba[0] + 38470 * rgba[1] + 7471 * rgba[2] + 32768) >> 16;
        int alpha = rgba[3];
        return alpha == 255 ? level : (level * alpha + 255 * (255 - alpha) + 127) / 255;
    }
}
