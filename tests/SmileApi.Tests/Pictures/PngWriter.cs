using System.Buffers.Binary;
using System.IO.Compression;

namespace SmileApi.Tests.Pictures;

/// <summary>PNG colour types (W3C PNG, table 12).</summary>
internal enum PngColour
{
    Grey = 0,
    Rgb = 2,
    Palette = 3,
    GreyAlpha = 4,
    Rgba = 6,
}

/// <summary>A plain PNG encoder that writes every colour type and depth: no filters, one chunk of data.</summary>
/// <param name="Sample">Value of one channel: <c>(x, y, channel)</c>, 0 to 2^depth - 1.</param>
internal sealed record PngWriter(int Width, int Height, PngColour Colour, int Depth, Func<int, int, int, int> Sample)
{
    public bool Interlaced { get; init; }

    /// <summary>RGB triples.</summary>
    public byte[] Palette { get; init; } = [];

    /// <summary>The payload of the transparency chunk; none written when empty.</summary>
    public byte[] Transparency { get; init; } = [];

    /// <summary>Chunks to stand between header and data, each already whole.</summary>
    public byte[] Extra { get; init; } = [];

    public byte[] Encode()
    {
        byte[] signature = [0x89, .. "PNG\r\n"u8, 0x1A, (byte)'\n'];
        return
        [
            .. signature,
            .. Header(Width, Height, Depth, (int)Colour, Interlaced),
            .. Extra,
            .. Palette.Length > 0 ? Chunk("PLTE", Palette) : [],
            .. Transparency.Length > 0 ? Chunk("tRNS", Transparency) : [],
            .. Chunk("IDAT", Compress(Interlaced ? InterlacedRows() : Rows(0, 0, 1, 1))),
            .. Chunk("IEND", []),
        ];
    }

    public static byte[] Header(int width, int height, int depth, int colour, bool interlaced)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)depth, (byte)colour, (byte)(interlaced ? 1 : 0));
        return Chunk("IHDR", header);
    }

    public static byte[] Chunk(string type, byte[] payload)
    {
        var chunk = new byte[payload.Length + 12];
        BinaryPrimitives.WriteInt32BigEndian(chunk, payload.Length);
        System.Text.Encoding.ASCII.GetBytes(type, chunk.AsSpan(4));
        payload.CopyTo(chunk, 8);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + payload.Length), Crc(chunk.AsSpan(4, payload.Length + 4)));
        return chunk;
    }

    /// <summary>The same file with the checksum of every chunk made right; what is no PNG comes back as it is.</summary>
    public static byte[] WithChecksums(byte[] png)
    {
        if (!png.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G']))
        {
            return png;
        }

        byte[] result = [.. png];
        for (var at = 8; at + 12 <= result.Length;)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(result.AsSpan(at));
            if (length > (uint)(result.Length - at - 12))
            {
                break;
            }

            BinaryPrimitives.WriteUInt32BigEndian(result.AsSpan(at + 8 + (int)length), Crc(result.AsSpan(at + 4, (int)length + 4)));
            at += 12 + (int)length;
        }

        return result;
    }

    public static byte[] Compress(ReadOnlySpan<byte> bytes)
    {
        using var memory = new MemoryStream();
        using (var zlib = new ZLibStream(memory, CompressionLevel.SmallestSize))
        {
            zlib.Write(bytes);
        }

        return memory.ToArray();
    }

    private int Channels => Colour switch
    {
        PngColour.GreyAlpha => 2,
        PngColour.Rgb => 3,
        PngColour.Rgba => 4,
        _ => 1,
    };

    private byte[] InterlacedRows() =>
        [
            .. Rows(0, 0, 8, 8), .. Rows(4, 0, 8, 8), .. Rows(0, 4, 4, 8), .. Rows(2, 0, 4, 4), .. Rows(0, 2, 2, 4),
            .. Rows(1, 0, 2, 2), .. Rows(0, 1, 1, 2),
        ];

    private byte[] Rows(int left, int top, int stepX, int stepY)
    {
        var output = new List<byte>();
        for (var y = top; y < Height && left < Width; y += stepY)
        {
            output.Add(0); // Filter: none.
            var (bits, count) = (0, 0);
            for (var x = left; x < Width; x += stepX)
            {
                for (var channel = 0; channel < Channels; channel++)
                {
                    var value = Sample(x, y, channel);
                    if (Depth == 16)
                    {
                        output.AddRange([(byte)(value >> 8), (byte)value]);
                        continue;
                    }

                    bits = bits << Depth | value;
                    count += Depth;
                    if (count == 8)
                    {
                        output.Add((byte)bits);
                        (bits, count) = (0, 0);
                    }
                }
            }

            if (count > 0)
            {
                output.Add((byte)(bits << (8 - count)));
            }
        }

        return [.. output];
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
            }
        }

        return ~crc;
    }
}
