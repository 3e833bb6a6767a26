using SkiaSharp;

namespace SmileApi.Benchmarks;

/// <summary>Photographs made in code: a mean face, which is nobody's, on a drawn head in a drawn room with the grain of a camera.</summary>
internal static class Photo
{
    /// <returns>A JPEG of quality 90.</returns>
    public static byte[] WithOneFace(int width, int height) => As(SKEncodedImageFormat.Jpeg, width, height);

    /// <returns>A file of this format, of quality 90 where that means something.</returns>
    public static byte[] As(SKEncodedImageFormat format, int width, int height)
    {
        using var bitmap = new SKBitmap(width, height);
        using (var canvas = new SKCanvas(bitmap))
        {
            Draw(canvas, width, height);
        }

        AddGrain(bitmap);
        using var file = bitmap.Encode(format, 90);
        return file.ToArray();
    }

    private static void Draw(SKCanvas canvas, int width, int height)
    {
        var unit = height / 480f;
        canvas.Clear(new SKColor(176, 170, 158));
        using var paint = new SKPaint { IsAntialias = true };
        paint.Color = new SKColor(120, 108, 92);
        canvas.DrawRect(0, 360 * unit, width, 120 * unit, paint);
        paint.Color = new SKColor(90, 110, 130);
        canvas.DrawRect(40 * unit, 40 * unit, 130 * unit, 180 * unit, paint);

        // Shoulders, hair, head, and the mean face in it, its edge softened.
        var (x, y, side) = (width * 0.58f, 210 * unit, 120 * unit);
        paint.Color = new SKColor(60, 66, 84);
        canvas.DrawOval(x, y + 1.65f * side, 1.15f * side, 0.95f * side, paint);
        paint.Color = new SKColor(52, 42, 36);
        canvas.DrawOval(x, y - 0.12f * side, 0.72f * side, 0.86f * side, paint);
        paint.Color = new SKColor(150, 150, 150);
        canvas.DrawOval(x, y + 0.05f * side, 0.58f * side, 0.8f * side, paint);
        using var face = SKBitmap.Decode(Path.Combine(AppContext.BaseDirectory, "samples", "mean-smile.png")) ?? throw new InvalidOperationException("There is no samples/mean-smile.png.");
        using var image = SKImage.FromBitmap(face);
        using var picture = image.ToShader(SKShaderTileMode.Clamp, SKShaderTileMode.Clamp, new SKSamplingOptions(SKCubicResampler.Mitchell), SKMatrix.CreateScale(side / face.Width, side / face.Height).PostConcat(SKMatrix.CreateTranslation(x - side / 2, y - side / 2)));
        using var fade = SKShader.CreateRadialGradient(new SKPoint(x, y), 0.62f * side, [SKColors.White, SKColors.White, SKColors.Transparent], [0, 0.72f, 1], SKShaderTileMode.Clamp);
        using var soft = SKShader.CreateCompose(picture, fade, SKBlendMode.DstIn);
        paint.Shader = soft;
        canvas.DrawRect(x - side, y - side, 2 * side, 2 * side, paint);
    }

    /// <summary>Without it a drawn picture is far smaller than a camera's, and decoded far faster.</summary>
    private static unsafe void AddGrain(SKBitmap bitmap)
    {
        var random = new Random(1);
        var noise = new byte[bitmap.Width];
        for (var y = 0; y < bitmap.Height; y++)
        {
            random.NextBytes(noise);
            var row = (byte*)bitmap.GetPixels() + (long)y * bitmap.RowBytes;
            for (var x = 0; x < bitmap.Width; x++)
            {
                var grain = noise[x] / 16 - 8;
                for (var channel = 0; channel < 3; channel++)
                {
                    row[4 * x + channel] = (byte)Math.Clamp(row[4 * x + channel] + grain, 0, 255);
                }
            }
        }
    }
}
