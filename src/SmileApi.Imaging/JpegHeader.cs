using System.Buffers.Binary;

namespace SmileApi.Imaging;

/// <summary>Reads the markers of a JPEG (ITU T.81, annex B) up to its first scan, then counts its scans to the end of the image.</summary>
internal static class JpegHeader
{
    private const byte StartOfScan = 0xDA;
    private const byte EndOfImage = 0xD9;

    // Longer than any encoder writes, short enough that counting stays cheap; ImageLimits decides what is too many.
    private const int MaxScansCounted = 2000;

    public static ImageRejection? Read(ReadOnlySpan<byte> bytes, out ImageHeader header)
    {
        header = default;
        int width = 0, height = 0, components = 0;
        var progressive = false;
        var samplesPerPixel = 0.0;
        var orientation = Orientation.Upright;

        var position = 2;
        while (true)
        {
            if (!TryNextMarker(bytes, ref position, out var marker))
            {
                return Truncated();
            }

            if (marker == EndOfImage)
            {
                return Corrupt("it holds no picture data");
            }

            if (marker is 0x01 or (>= 0xD0 and <= 0xD8))
            {
                continue; // Stand-alone markers carry no segment.
            }

            if (marker < 0xC0)
            {
                return Corrupt("it holds a marker of no known kind");
            }

            if (!TrySegment(bytes, ref position, out var segment))
            {
                return Truncated();
            }

            switch (marker)
            {
                case 0xC0 or 0xC1 or 0xC2:
                    if (width != 0)
                    {
                        return Corrupt("it declares its size twice");
                    }

                    if (segment.Length < 6)
                    {
                        return Corrupt("its frame header is too short");
                    }

                    if (segment[0] != 8)
                    {
                        return Variant($"{segment[0]} bits a sample; only 8 are read");
                    }

                    height = BinaryPrimitives.ReadUInt16BigEndian(segment[1..]);
                    width = BinaryPrimitives.ReadUInt16BigEndian(segment[3..]);
                    components = segment[5];
                    progressive = marker == 0xC2;
                    if (width == 0 || height == 0)
                    {
                        return Corrupt("it declares a side of zero pixels");
                    }

                    if (components is not (1 or 3 or 4))
                    {
                        return Variant($"{components} colour components");
                    }

                    if (!TrySamplesPerPixel(segment[6..], components, out samplesPerPixel))
                    {
                        return Corrupt("its frame header contradicts itself");
                    }

                    break;

                case >= 0xC3 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC):
                    return Variant("lossless, hierarchical or arithmetic coding");

                case 0xE1 when orientation == Orientation.Upright:
                    orientation = Exif.ReadOrientation(segment);
                    break;

                case StartOfScan:
                    if (width == 0)
                    {
                        return Corrupt("its picture data comes before its size");
                    }

                    if (segment.IsEmpty)
                    {
                        return Corrupt("its scan header is too short");
                    }

                    // A baseline file that codes its components one after the other is buffered whole, too.
                    var buffered = progressive || segment[0] < components;
                    if (!TryCountScans(bytes, position, out var scans))
                    {
                        return Truncated();
                    }

                    // Every coefficient, two bytes each, waits for the last scan.
                    header = new ImageHeader(ImageFormat.Jpeg, width, height, buffered ? 2 * samplesPerPixel : 0, scans, components, orientation);
                    return null;
            }
        }
    }

    /// <summary>How many samples all components have together for each pixel: 3 without subsampling, 1.5 with 4:2:0.</summary>
    /// <returns>False when sampling factors are missing or outside 1..4.</returns>
    private static bool TrySamplesPerPixel(ReadOnlySpan<byte> frame, int components, out double samples)
    {
        samples = 0;
        if (frame.Length < 3 * components)
        {
            return false;
        }

        var (widest, tallest) = (0, 0);
        for (var i = 0; i < components; i++)
        {
            var (horizontal, vertical) = (frame[3 * i + 1] >> 4, frame[3 * i + 1] & 15);
            if (horizontal is 0 or > 4 || vertical is 0 or > 4)
            {
                return false;
            }

            samples += horizontal * vertical;
            (widest, tallest) = (Math.Max(widest, horizontal), Math.Max(tallest, vertical));
        }

        samples /= widest * tallest;
        return true;
    }

    /// <summary>
    /// Counts the scans from the entropy-coded data at <paramref name="position"/> on, the current one included. It steps
    /// over exactly what libjpeg steps over: a scan hidden from this count would cost decoding time all the same.
    /// </summary>
    /// <returns>False when the file ends before the end of its image, which not every decoder notices.</returns>
    private static bool TryCountScans(ReadOnlySpan<byte> bytes, int position, out int scans)
    {
        scans = 1;
        while (scans < MaxScansCounted)
        {
            var next = bytes[position..].IndexOf((byte)0xFF);
            if (next < 0 || position + next + 1 >= bytes.Length)
            {
                return false;
            }

            position += next + 1;
            switch (bytes[position])
            {
                case 0xFF: // A fill byte: the marker's code is still to come.
                    break;
                case < 0xC0 or (>= 0xD0 and <= 0xD7): // A stuffed 0xFF of the data, a restart, or a code without a segment.
                    position++;
                    break;
                case EndOfImage:
                    return true;
                case var marker:
                    position++;
                    if (!TrySegment(bytes, ref position, out _))
                    {
                        return false;
                    }

                    scans += marker == StartOfScan ? 1 : 0;
                    break;
            }
        }

        return true;
    }

    /// <summary>Finds the next marker; stray bytes before it are passed over, as libjpeg does, since cameras write them.</summary>
    private static bool TryNextMarker(ReadOnlySpan<byte> bytes, ref int position, out byte marker)
    {
        marker = 0;
        while (marker == 0)
        {
            var next = bytes[position..].IndexOf((byte)0xFF);
            if (next < 0)
            {
                return false;
            }

            position += next;
            while (position < bytes.Length && bytes[position] == 0xFF)
            {
                position++;
            }

            if (position == bytes.Length)
            {
                return false;
            }

            marker = bytes[position++];
        }

        return true;
    }

    private static bool TrySegment(ReadOnlySpan<byte> bytes, ref int position, out ReadOnlySpan<byte> segment)
    {
        segment = default;
        if (position + 2 > bytes.Length)
        {
            return false;
        }

        // The length counts its own two bytes; libjpeg takes a smaller one for an empty segment.
        var length = Math.Max(2, (int)BinaryPrimitives.ReadUInt16BigEndian(bytes[position..]));
        if (position + length > bytes.Length)
        {
            return false;
        }

        segment = bytes[(position + 2)..(position + length)];
        position += length;
        return true;
    }

    private static ImageRejection Truncated() => ImageHeader.Truncated(ImageFormat.Jpeg);

    private static ImageRejection Corrupt(string what) => ImageHeader.Corrupt(ImageFormat.Jpeg, what);

    private static ImageRejection Variant(string what) =>
        new(ImageProblem.UnsupportedVariant, $"The JPEG is of a rare kind that is not read ({what}). Save it as an ordinary JPEG.");
}
