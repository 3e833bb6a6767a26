using System.Buffers.Binary;

namespace SmileApi.Imaging;

/// <summary>Walks the chunks of a PNG (W3C PNG, third edition, section 5): its size, and whether all of it is there.</summary>
internal static class PngHeader
{
    private const int SignatureLength = 8;
    private const int ChunkOverhead = 12; // Length, type and checksum, four bytes each.

    public static ImageRejection? Read(ReadOnlySpan<byte> bytes, out ImageHeader header)
    {
        header = default;
        var position = SignatureLength;
        var hasData = false;
        while (true)
        {
            if (bytes.Length - position < ChunkOverhead)
            {
                return ImageHeader.Truncated(ImageFormat.Png);
            }

            var length = BinaryPrimitives.ReadUInt32BigEndian(bytes[position..]);
            if (length > (uint)(bytes.Length - position - ChunkOverhead))
            {
                return ImageHeader.Truncated(ImageFormat.Png);
            }

            var type = bytes.Slice(position + 4, 4);
            var data = bytes.Slice(position + 8, (int)length);
            if (position == SignatureLength)
            {
                if (!type.SequenceEqual("IHDR"u8) || data.Length != 13)
                {
                    return ImageHeader.Corrupt(ImageFormat.Png, "it does not begin with its header");
                }

                var width = BinaryPrimitives.ReadUInt32BigEndian(data);
                var height = BinaryPrimitives.ReadUInt32BigEndian(data[4..]);
                if (width is 0 or > int.MaxValue || height is 0 or > int.MaxValue)
                {
                    return ImageHeader.Corrupt(ImageFormat.Png, "it declares a side of no pixels or of more than the format allows");
                }

                if (!IsColour(colour: data[9], depth: data[8]))
                {
                    return ImageHeader.Corrupt(ImageFormat.Png, "it declares colours of no known kind");
                }

                header = new ImageHeader(ImageFormat.Png, (int)width, (int)height, HeldBytesPerPixel(data));
            }
            else if (type.SequenceEqual("IDAT"u8))
            {
                hasData = true;
            }
            else if (type.SequenceEqual("eXIf"u8))
            {
                header = header with { Orientation = Exif.ReadOrientation(data) };
            }
            else if (type.SequenceEqual("IEND"u8))
            {
                return hasData ? null : ImageHeader.Corrupt(ImageFormat.Png, "it holds no picture data");
            }

            position += ChunkOverhead + (int)length;
        }
    }

    /// <summary>The colour types and their depths (table 8).</summary>
    private static bool IsColour(byte colour, byte depth) => colour switch
    {
        0 => depth is 1 or 2 or 4 or 8 or 16,
        2 or 4 or 6 => depth is 8 or 16,
        3 => depth is 1 or 2 or 4 or 8,
        _ => false,
    };

    /// <summary>RGBA, and for an interlaced picture the stored samples of all passes besides.</summary>
    private static double HeldBytesPerPixel(ReadOnlySpan<byte> header)
    {
        var (depth, colour, interlaced) = (header[8], header[9], header[12] != 0);
        var channels = colour switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        return 4 + (interlaced ? channels * depth / 8.0 : 0);
    }
}
