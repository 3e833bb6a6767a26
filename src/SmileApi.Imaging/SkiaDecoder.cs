using System.Runtime.InteropServices;
using SkiaSharp;

namespace SmileApi.Imaging;

/// <summary>Reads every accepted format through SkiaSharp: decode to RGBA, lay over white, weigh to grey, average down.</summary>
internal static class SkiaDecoder
{
    /// <summary>Colours of a JPEG that are held at a time, in bytes.</summary>
    private const int StripBytes = 1 << 20;

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
            var isJpeg = header.Format == ImageFormat.Jpeg;
            var decoderReduction = isJpeg ? reduction : 1;
            var info = new SKImageInfo(
                ImageDecoder.Reduced(header.Width, decoderReduction),
                ImageDecoder.Reduced(header.Height, decoderReduction),
                SKColorType.Rgba8888,
                codec.Info.IsOpaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul); // No colour space: stored values, profiles ignored.

            var stored = isJpeg ? InStrips(codec, info, header, reduction) : Whole(codec, info, header, reduction);
            if (stored is null)
            {
                // Even when the codec only misses something: the header's reader has seen the file's end.
                return ImageHeader.Corrupt(header.Format, "its picture data cannot be decoded");
            }

            image = GreyImage.TurnUpright(stored, header.Orientation);
            return null;
        }
    }

    private static unsafe GreyImage? Whole(SKCodec codec, SKImageInfo info, in ImageHeader header, int reduction)
    {
        // Up to 100 MB and gone at once: the system's allocator gives it back, where a pool would keep it.
        var pixels = (byte*)NativeMemory.Alloc((nuint)info.BytesSize64);
        try
        {
            if (codec.GetPixels(info, (nint)pixels) != SKCodecResult.Success)
            {
                return null;
            }

            var stored = new GreyImage(
                ImageDecoder.Reduced(info.Width, reduction), ImageDecoder.Reduced(info.Height, reduction), reduction, header.Width, header.Height, header.Format);
            Grey.FromRgba(new ReadOnlySpan<byte>(pixels, checked((int)info.BytesSize64)), info.Width, info.Height, reduction, stored.Pixels);
            return stored;
        }
        finally
        {
            NativeMemory.Free(pixels);
        }
    }

    /// <summary>A few rows at a time: in colour, a picture has four times the memory that is counted for it.</summary>
    private static unsafe GreyImage? InStrips(SKCodec codec, SKImageInfo info, in ImageHeader header, int reduction)
    {
        if (codec.StartScanlineDecode(info) != SKCodecResult.Success)
        {
            return null;
        }

        var most = Math.Clamp(StripBytes / info.RowBytes, 1, info.Height);
        var strip = (byte*)NativeMemory.Alloc((nuint)most, (nuint)info.RowBytes);
        var stored = new GreyImage(info.Width, info.Height, reduction, header.Width, header.Height, header.Format);
        try
        {
            for (var top = 0; top < info.Height; top += most)
            {
                var rows = Math.Min(most, info.Height - top);
                if (codec.GetScanlines((nint)strip, rows, info.RowBytes) != rows)
                {
                    stored.Dispose();
                    return null;
                }

                Grey.FromRgba(new ReadOnlySpan<byte>(strip, rows * info.RowBytes), info.Width, rows, 1, stored.Pixels.Slice(top * info.Width, rows * info.Width));
            }

            return stored;
        }
        finally
        {
            NativeMemory.Free(strip);
        }
    }
}
