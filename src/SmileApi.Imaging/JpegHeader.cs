using System.Buffers.Binary;

namespace SmileApi.Imaging;

/// <summary>Reads the markers of a JPEG (ITU T.81, annex B) up to its first scan, then weighs its scans to the end of the image.</summary>
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
        ReadOnlySpan<byte> frame = default;
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

                    frame = segment[6..];
                    if (!TrySamplesPerPixel(frame, components, out samplesPerPixel))
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
                    if (!TryWeighScans(bytes, position, segment, frame[..(3 * components)], out var scans, out var passes))
                    {
                        return Truncated();
                    }

                    // Every coefficient, two bytes each, waits for the last scan.
                    header = new ImageHeader(ImageFormat.Jpeg, width, height, buffered ? 2 * samplesPerPixel : 0, scans, components, orientation, passes);
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
    /// Counts the scans from the entropy-coded data at <paramref name="position"/> on, the current one included, and adds up what
    /// each of them costs. It steps over exactly what libjpeg steps over: a scan hidden from this count would cost decoding time
    /// all the same.
    /// </summary>
    /// <param name="scan">The current scan's header.</param>
    /// <param name="frame">The components of the frame header, three bytes each.</param>
    /// <param name="passes">How often all scans together pass over all coefficients.</param>
    /// <returns>False when the file ends before the end of its image, which not every decoder notices.</returns>
    private static bool TryWeighScans(
        ReadOnlySpan<byte> bytes, int position, ReadOnlySpan<byte> scan, ReadOnlySpan<byte> frame, out int scans, out double passes)
    {
        scans = 1;
        passes = PassesOf(scan, frame);
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
                    if (!TrySegment(bytes, ref position, out var segment))
                    {
                        return false;
                    }

                    if (marker == StartOfScan)
                    {
                        scans++;
                        passes += PassesOf(segment, frame);
                    }

                    break;
            }
        }

        return true;
    }

    /// <summary>
    /// The part of a picture's coefficients that a scan passes over: of its components those of its band, and never less than a
    /// quarter of them, for each block costs something whatever is done to it. A scan of a few dozen bytes passes over all of them.
    /// </summary>
    private static double PassesOf(ReadOnlySpan<byte> scan, ReadOnlySpan<byte> frame)
    {
        var count = scan.IsEmpty ? 0 : scan[0];
        if (scan.Length < 1 + 2 * count + 2)
        {
            return 1; // No decoder reads on from here.
        }

        var (all, inScan) = (0, 0);
        for (var at = 0; at < frame.Length; at += 3)
        {
            var samples = (frame[at + 1] >> 4) * (frame[at + 1] & 15);
            all += samples;
            for (var i = 0; i < count; i++)
            {
                inScan += scan[1 + 2 * i] == frame[at] ? samples : 0;
            }
        }

        var (first, last) = (scan[1 + 2 * count], scan[2 + 2 * count]);
        return (double)inScan / all * Math.Clamp(last - first + 1, 16, 64) / 64;
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

    private static bool TrySegment(ReadOnlySpan<byte> bytes, scoped ref int position, out ReadOnlySpan<byte> segment)
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
