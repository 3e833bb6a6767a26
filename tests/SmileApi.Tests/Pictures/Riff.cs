using System.Buffers.Binary;
using System.Text;

namespace SmileApi.Tests.Pictures;

/// <summary>Takes WebP files apart and puts them together (RFC 9649), for animations and metadata, which no encoder here writes.</summary>
internal static class Riff
{
    public static byte[] Chunk(string type, params byte[] payload)
    {
        var chunk = new byte[8 + payload.Length + payload.Length % 2];
        Encoding.ASCII.GetBytes(type, chunk);
        BinaryPrimitives.WriteInt32LittleEndian(chunk.AsSpan(4), payload.Length);
        payload.CopyTo(chunk, 8);
        return chunk;
    }

    public static byte[] File(params byte[][] chunks) => Chunk("RIFF", [.. "WEBP"u8, .. chunks.SelectMany(c => c)]);

    /// <summary>The chunks of a still picture that belong into a frame or behind a <c>VP8X</c>: its data, with its alpha.</summary>
    public static byte[] PictureChunks(byte[] webp)
    {
        var result = new List<byte>();
        for (var position = 12; position + 8 <= webp.Length;)
        {
            var length = 8 + BinaryPrimitives.ReadInt32LittleEndian(webp.AsSpan(position + 4));
            length += length % 2;
            if (Encoding.ASCII.GetString(webp, position, 4) is "VP8 " or "VP8L" or "ALPH")
            {
                result.AddRange(webp.AsSpan(position, length));
            }

            position += length;
        }

        return [.. result];
    }

    /// <summary>The extended header. Flags: 0x02 animation, 0x08 EXIF, 0x10 alpha.</summary>
    public static byte[] Extended(byte flags, int width, int height) =>
        Chunk("VP8X", [flags, 0, 0, 0, .. UInt24(width - 1), .. UInt24(height - 1)]);

    /// <summary>A frame of an animation at an even position; it lasts 100 ms.</summary>
    public static byte[] Frame(byte[] webp, int width, int height, int left = 0, int top = 0) =>
        Chunk("ANMF", [.. UInt24(left / 2), .. UInt24(top / 2), .. UInt24(width - 1), .. UInt24(height - 1), .. UInt24(100), 0, .. PictureChunks(webp)]);

    private static byte[] UInt24(int value) => [(byte)value, (byte)(value >> 8), (byte)(value >> 16)];
}
