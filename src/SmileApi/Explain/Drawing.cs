using SkiaSharp;
using SmileApi.Classify;
using SmileApi.Imaging;

namespace SmileApi.Explain;

/// <summary>
/// Draws what the network saw over the picture as the network saw it, in grey: orange speaks for a smile, blue against one. A face's
/// box is orange or blue as it was judged, with its probability as a bar along its lower edge.
/// </summary>
internal static class Drawing
{
    /// <summary>Longer side of a drawing, in pixels. A larger picture is shrunk to the one, a smaller one enlarged to the other.</summary>
    public const int LongestSide = 1024;
    private const int ShortestSide = 512;

    /// <summary>Side of the map as it is coloured; drawn over the face it is stretched once more.</summary>
    private const int FineSide = 64;

    /// <summary>The strongest share of a picture has the full colour; if even that is weak, less of it.</summary>
    private const float LeastScale = 0.1f;
    private const float Opacity = 0.65f;

    // Told apart by everybody, those who are colour-blind included (Okabe and Ito 2008).
    private static readonly SKColor s_for = new(230, 159, 0);
    private static readonly SKColor s_against = new(0, 114, 178);

    /// <summary>What a drawing holds at most, in bytes: its pixels, and as much again for its file.</summary>
    public static long MemoryOf(ImageInfo picture)
    {
        var (width, height, _) = SizeOf(picture.Width, picture.Height);
        return 2 * sizeof(uint) * (long)width * height;
    }

    /// <param name="photo">The picture; of any reduction.</param>
    /// <param name="faces">Its faces.</param>
    /// <param name="maps">What the network saw in them, in the same order.</param>
    /// <param name="asWebP">Else as PNG.</param>
    /// <param name="aborted">Nobody waits for it any more; it is asked about before each face.</param>
    /// <returns>The encoded drawing, which the caller disposes.</returns>
    public static unsafe SKData Draw(GreyImage photo, IReadOnlyList<FaceVerdict> faces, IReadOnlyList<FaceMap> maps, bool asWebP, CancellationToken aborted)
    {
        var (width, height, scale) = SizeOf(photo.OriginalWidth, photo.OriginalHeight);
        using var bitmap = new SKBitmap(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        using (var canvas = new SKCanvas(bitmap))
        {
            fixed (byte* pixels = photo.Pixels)
            {
                using var grey = SKImage.FromPixels(new SKImageInfo(photo.Width, photo.Height, SKColorType.Gray8), (nint)pixels);
                var sampling = photo.Width > width ? new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear) : new SKSamplingOptions(SKCubicResampler.Mitchell);
                canvas.DrawImage(grey, new SKRect(0, 0, width, height), sampling);
            }

            var strongest = maps.SelectMany(map => map.Shares).Select(Math.Abs).Append(LeastScale).Max();
            foreach (var map in maps)
            {
                aborted.ThrowIfCancellationRequested();
                DrawMap(canvas, map, scale, strongest);
            }

            foreach (var face in faces)
            {
                DrawBox(canvas, face, scale, unit: Math.Max(width, height) / (float)ShortestSide);
            }
        }

        using var drawn = bitmap.PeekPixels();
        return (asWebP ? drawn.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossy, 85)) : drawn.Encode(new SKPngEncoderOptions(SKPngEncoderFilterFlags.Sub, 5)))
            ?? throw new InvalidOperationException("The drawing cannot be encoded.");
    }

    /// <summary>Of the drawing of a picture of this size, and how much larger than the picture it is.</summary>
    private static (int Width, int Height, float Scale) SizeOf(int width, int height)
    {
        var longer = Math.Max(width, height);
        var scale = Math.Clamp(longer, ShortestSide, LongestSide) / (float)longer;
        return (Math.Max(1, (int)MathF.Round(width * scale)), Math.Max(1, (int)MathF.Round(height * scale)), scale);
    }

    private static void DrawMap(SKCanvas canvas, FaceMap map, float scale, float strongest)
    {
        var colours = new SKColor[FineSide * FineSide];
        for (var y = 0; y < FineSide; y++)
        {
            for (var x = 0; x < FineSide; x++)
            {
                colours[y * FineSide + x] = ColourOf(At(map, x, y) / strongest);
            }
        }

        // All at once: to set a single pixel, SkiaSharp makes a canvas.
        using var heat = new SKBitmap(FineSide, FineSide, SKColorType.Rgba8888, SKAlphaType.Unpremul) { Pixels = colours };

        var side = map.Crop.Side * scale;
        using var image = SKImage.FromBitmap(heat);
        canvas.Save();
        canvas.Translate(map.Crop.X * scale + side / 2, map.Crop.Y * scale + side / 2);
        canvas.RotateRadians(map.Roll);
        canvas.DrawImage(image, new SKRect(-side / 2, -side / 2, side / 2, side / 2), new SKSamplingOptions(SKFilterMode.Linear));
        canvas.Restore();
    }

    /// <summary>The map between its places, bilinearly; beyond the outermost it stays as there.</summary>
    private static float At(FaceMap map, int x, int y)
    {
        var (left, alongX) = Between(x, map.Width);
        var (top, alongY) = Between(y, map.Height);
        var (right, bottom) = (Math.Min(left + 1, map.Width - 1), Math.Min(top + 1, map.Height - 1));
        return float.Lerp(
            float.Lerp(map.Shares[top * map.Width + left], map.Shares[top * map.Width + right], alongX),
            float.Lerp(map.Shares[bottom * map.Width + left], map.Shares[bottom * map.Width + right], alongX),
            alongY);

        static (int Before, float Along) Between(int fine, int length)
        {
            var at = Math.Clamp((fine + 0.5f) / FineSide * length - 0.5f, 0, length - 1);
            return ((int)at, at - (int)at);
        }
    }

    /// <param name="share">Of the strongest: -1 wholly against a smile, 1 wholly for it.</param>
    private static SKColor ColourOf(float share) =>
        (share > 0 ? s_for : s_against).WithAlpha((byte)MathF.Round(255 * Opacity * Math.Min(1, Math.Abs(share))));

    private static void DrawBox(SKCanvas canvas, FaceVerdict face, float scale, float unit)
    {
        var box = new SKRect(face.Box.X * scale, face.Box.Y * scale, (face.Box.X + face.Box.Width) * scale, (face.Box.Y + face.Box.Height) * scale);
        var bar = new SKRect(box.Left, box.Bottom - 6 * unit, box.Right, box.Bottom);
        using var paint = new SKPaint { IsAntialias = true, Color = new SKColor(0, 0, 0, 150) };
        canvas.DrawRect(bar, paint);
        paint.Color = face.Smile ? s_for : s_against;
        canvas.DrawRect(new SKRect(bar.Left, bar.Top, bar.Left + bar.Width * face.Probability, bar.Bottom), paint);
        paint.Style = SKPaintStyle.Stroke;
        paint.StrokeWidth = 2 * unit;
        canvas.DrawRect(SKRect.Inflate(box, -unit, -unit), paint);
    }
}
