using System.Buffers.Binary;

namespace SmileApi.Imaging;

/// <summary>How the stored picture must be turned to stand upright; the values are those of EXIF tag 0x0112.</summary>
public enum Orientation
{
    /// <summary>As stored.</summary>
    Upright = 1,

    /// <summary>Mirrored left to right.</summary>
    MirroredHorizontally = 2,

    /// <summary>Turned by 180 degrees.</summary>
    UpsideDown = 3,

    /// <summary>Mirrored top to bottom.</summary>
    MirroredVertically = 4,

    /// <summary>Mirrored along the main diagonal.</summary>
    Transposed = 5,

    /// <summary>To be turned by 90 degrees clockwise.</summary>
    NeedsClockwise = 6,

    /// <summary>Mirrored along the other diagonal.</summary>
    Transversed = 7,

    /// <summary>To be turned by 90 degrees counter-clockwise.</summary>
    NeedsCounterClockwise = 8,
}

internal static class Orientations
{
    /// <summary>True when upright width and height are the stored height and width.</summary>
    public static bool SwapsSides(this Orientation orientation) => orientation >= Orientation.Transposed;

    /// <summary>Copies stored pixels to where they stand upright.</summary>
    /// <param name="stored">Shape <c>[height, width]</c>, row-major.</param>
    /// <param name="width">Stored width.</param>
    /// <param name="height">Stored height.</param>
    /// <param name="upright">As many pixels; shape <c>[width, height]</c> when the orientation swaps sides.</param>
    public static void Apply(this Orientation orientation, ReadOnlySpan<byte> stored, int width, int height, Span<byte> upright)
    {
        // Where stored (0, 0) goes, and how far one step right and one step down move in the result.
        var (start, right, down) = orientation switch
        {
            Orientation.MirroredHorizontally => (width - 1, -1, width),
            Orientation.UpsideDown => (width * height - 1, -1, -width),
            Orientation.MirroredVertically => (width * (height - 1), 1, -width),
            Orientation.Transposed => (0, height, 1),
            Orientation.NeedsClockwise => (height - 1, height, -1),
            Orientation.Transversed => (width * height - 1, -height, -1),
            Orientation.NeedsCounterClockwise => (height * (width - 1), -height, 1),
            _ => (0, 1, width),
        };
        for (var y = 0; y < height; y++)
        {
            var row = stored.Slice(y * width, width);
            var target = start + y * down;
            for (var x = 0; x < row.Length; x++, target += right)
            {
                upright[target] = row[x];
            }
        }
    }
}

/// <summary>Finds the one EXIF tag that matters here (EXIF 2.32, tag 0x0112 of the first directory).</summary>
internal static class Exif
{
    private const ushort OrientationTag = 0x0112;

    /// <param name="block">
    /// The payload of a JPEG APP1 segment, a PNG eXIf chunk or a WebP EXIF chunk; the last two seldom have the name in front.
    /// </param>
    /// <returns>The orientation; upright when the block is not EXIF, has no such tag, or is damaged.</returns>
    public static Orientation ReadOrientation(ReadOnlySpan<byte> block)
    {
        var tiff = block.StartsWith("Exif\0\0"u8) ? block[6..] : block;
        if (tiff.Length < 8 || !(tiff.StartsWith("II"u8) || tiff.StartsWith("MM"u8)))
        {
            return Orientation.Upright;
        }

        var littleEndian = tiff[0] == (byte)'I';
        var directory = UInt32(tiff, 4, littleEndian);
        if (directory > (uint)tiff.Length - 2)
        {
            return Orientation.Upright;
        }

        var entries = UInt16(tiff, (int)directory, littleEndian);
        for (var i = 0; i < entries; i++)
        {
            var entry = (int)directory + 2 + 12 * i;
            if (entry + 12 > tiff.Length)
            {
                break;
            }

            if (UInt16(tiff, entry, littleEndian) == OrientationTag)
            {
                var value = UInt16(tiff, entry + 8, littleEndian);
                return value is >= 1 and <= 8 ? (Orientation)value : Orientation.Upright;
            }
        }

        return Orientation.Upright;
    }

    private static ushort UInt16(ReadOnlySpan<byte> bytes, int at, bool littleEndian) => littleEndian
        ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..])
        : BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]);

    private static uint UInt32(ReadOnlySpan<byte> bytes, int at, bool littleEndian) => littleEndian
        ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..])
        : BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);
}
