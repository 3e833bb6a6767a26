using SkiaSharp;

namespace SmileApi.Browser.Tests;

/// <summary>Pictures as a telephone held on its side saves them.</summary>
internal static class Exif
{
    /// <summary>The same picture stored a quarter turn anticlockwise, with the note (orientation 6) that it is to be turned clockwise.</summary>
    public static byte[] Turned(byte[] upright)
    {
        using var picture = SKImage.FromEncodedData(upright);
        using var surface = SKSurface.Create(new SKImageInfo(picture.Height, picture.Width));
        surface.Canvas.Translate(0, picture.Width);
        surface.Canvas.RotateDegrees(-90);
        surface.Canvas.DrawImage(picture, SKRect.Create(picture.Width, picture.Height), SKSamplingOptions.Default);
        using var image = surface.Snapshot();
        using var jpeg = image.Encode(SKEncodedImageFormat.Jpeg, 92);

        // APP1, 34 bytes: "Exif", a big-endian TIFF header, one entry (0x0112, short, one value, 6), no further directory.
        byte[] app1 = [0xff, 0xe1, 0, 34, .. "Exif\0\0MM"u8, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
        var bytes = jpeg.ToArray();
        return [.. bytes[..2], .. app1, .. bytes[2..]];
    }
}
