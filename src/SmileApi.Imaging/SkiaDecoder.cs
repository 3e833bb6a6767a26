using System.Runtime.InteropServices;
using SkiaSharp;

namespace SmileApi.Imaging;

/// <summary>Reads every accepted format through SkiaSharp: decode to RGBA, lay over white, weigh to grey, average down.</summary>
internal static class SkiaDecoder
{
    public static unsafe ImageRejection? Decode(ReadOnlySpan<byte> bytes, in ImageHeader header, int reduction, out GreyImage? image)
    {
        image = null;
        fixed (byte* start = bytes)
        {
            using var data = SKData.Create((nint)start, bytes.Length);
            using var codec = SKCodec.Create(data);
            if (codec is null)
            {
                return ImageHeader.Corrupt(header.Format, "the decoder does not recognise it");
            }

            if (codec.Info.Width != header.Width || codec.Info.Height != header.Height)
            {
                return ImageHeader.Corrupt(header.Format, "it declares two different sizes");
            }

            // JPEG is reduced by the decoder, at less cost than decoding in full; the others afterwards.
            var decoderReduction = header.Format == ImageFormat.Jpeg ? reduction : 1;
            var info = new SKImageInfo(
                ImageDecoder.Reduced(header.Width, decoderReduction),
                ImageDecoder.Reduced(header.Height, decoderReduction),
                SKColorType.Rgba8888,
                codec.Info.IsOpaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul); // No colour space: stored values, profiles ignored.

            // Up to 100 MB and gone at once: the system's allocator gives it back, where a pool would keep it.
            var pixels = (byte*)NativeMemory.Alloc((nuint)info.BytesSize64);
            try
            {
                var result = codec.GetPixels(info, (nint)pixels);
                if (result != SKCodecResult.Success)
                {
                    // Even when the codec misses something: the header's reader has seen the file's end.
                    return ImageHeader.Corrupt(header.Format, "its picture data cannot be decoded");
                }

                var remaining = reduction / decoderReduction;
                var stored = new GreyImage(
                    ImageDecoder.Reduced(info.Width, remaining), ImageDecoder.Reduced(info.Height, remaining),
                    reduction, header.Width, header.Height, header.Format);
                Grey.FromRgba(new ReadOnlySpan<byte>(pixels, checked((int)info.BytesSize64)), info.Width, info.Height, remaining, stored.Pixels);
                image = GreyImage.TurnUpright(stored, header.Orientation);
                return null;
            }
            finally
            {
                NativeMemory.Free(pixels);
            }
        }
    }
}
