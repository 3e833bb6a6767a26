using System.Buffers.Binary;

namespace SmileApi.Imaging;

/// <summary>Reads the first chunk of a WebP file (RFC 9649), simple lossy, simple lossless or extended, and looks for EXIF.</summary>
internal static class WebPHeader
{
    private const int FirstChunk = 12;
    private const int FirstPayload = 20;
    private const int ChunkHeader = 8;

    public static ImageRejection? Read(ReadOnlySpan<byte> bytes, out ImageHeader header)
    {
        header = default;
        if (bytes.Length < FirstPayload)
        {
            return ImageHeader.Truncated(ImageFormat.WebP);
        }

        // The RIFF size counts what follows it; bytes behind that end are tolerated, missing ones are not.
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) > (uint)(bytes.Length - 8))
        {
            return ImageHeader.Truncated(ImageFormat.WebP);
        }

        // A lossless picture of one colour may be as short as 28 bytes, whatever its size.
        var payload = bytes[FirstPayload..];
        if (payload.Length < (bytes[FirstChunk + 3] == (byte)'L' ? 5 : 10))
        {
            return ImageHeader.Truncated(ImageFormat.WebP);
        }

        int width, height;
        switch (bytes.Slice(FirstChunk, 4))
        {
            case [(byte)'V', (byte)'P', (byte)'8', (byte)' ']:
                if (!payload[3..6].SequenceEqual((ReadOnlySpan<byte>)[0x9D, 0x01, 0x2A]))
                {
                    return ImageHeader.Corrupt(ImageFormat.WebP, "its key frame does not begin as it must");
                }

                width = BinaryPrimitives.ReadUInt16LittleEndian(payload[6..]) & 0x3FFF;
                height = BinaryPrimitives.ReadUInt16LittleEndian(payload[8..]) & 0x3FFF;
                break;

            case [(byte)'V', (byte)'P', (byte)'8', (byte)'L']:
                if (payload[0] != 0x2F)
                {
                    return ImageHeader.Corrupt(ImageFormat.WebP, "its lossless data does not begin as it must");
                }

                var packed = BinaryPrimitives.ReadUInt32LittleEndian(payload[1..]);
                width = (int)(packed & 0x3FFF) + 1;
                height = (int)((packed >> 14) & 0x3FFF) + 1;
                break;

            case [(byte)'V', (byte)'P', (byte)'8', (byte)'X']:
                width = ReadUInt24(payload[4..]) + 1;
                height = ReadUInt24(payload[7..]) + 1;
                break;

            default:
                return ImageHeader.Corrupt(ImageFormat.WebP, "its first chunk is of no known kind");
        }

        if (width == 0 || height == 0)
        {
            return ImageHeader.Corrupt(ImageFormat.WebP, "it declares a side of zero pixels");
        }

        // RGBA; and the decoder's own copy of a lossless picture, which an extended file may hold as well.
        var heldBytesPerPixel = bytes[FirstChunk + 3] == (byte)' ' ? 4 : 8;
        header = new ImageHeader(ImageFormat.WebP, width, height, heldBytesPerPixel, Orientation: ReadOrientation(bytes));
        return null;
    }

    private static Orientation ReadOrientation(ReadOnlySpan<byte> bytes)
    {
        // Only the extended kind has metadata, most often behind the picture.
        if (bytes[FirstChunk + 3] != (byte)'X')
        {
            return Orientation.Upright;
        }

        var rest = bytes[FirstChunk..];
        while (rest.Length >= ChunkHeader)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]);
            if (length > (uint)(rest.Length - ChunkHeader))
            {
                break;
            }

            if (rest.StartsWith("EXIF"u8))
            {
                return Exif.ReadOrientation(rest.Slice(ChunkHeader, (int)length));
            }

            // Chunks of odd length are padded.
            rest = rest[Math.Min(rest.Length, ChunkHeader + (int)length + ((int)length & 1))..];
        }

        return Orientation.Upright;
    }

    private static int ReadUInt24(ReadOnlySpan<byte> bytes) => bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
}
