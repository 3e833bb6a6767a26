using SkiaSharp;
using SmileApi.Tests;

namespace SmileApi.Browser.Tests;

/// <summary>Pictures of nobody: the mean faces of <c>samples/</c>, with a head drawn round them.</summary>
internal static class Drawn
{
    private static readonly SKImage s_smile = SKImage.FromEncodedData(Repository.Sample("mean-smile.png"));
    private static readonly SKImage s_neutral = SKImage.FromEncodedData(Repository.Sample("mean-neutral.png"));

    private static readonly SKColor[] s_hair = [new(0xff5b4636), new(0xff2f2a2d), new(0xff8a6a45), new(0xff77706c), new(0xff4a3328)];
    private static readonly SKColor[] s_cloth = [new(0xffd9822b), new(0xff3b6ea5), new(0xff4f8a5b), new(0xff8c5b8f), new(0xffb5483f)];

    /// <summary>A person in a picture.</summary>
    /// <param name="X">Centre of the face, as a share of the width.</param>
    /// <param name="Y">Centre of the face, as a share of the height.</param>
    /// <param name="Size">Side of the face from the brow to below the lower lip, as a share of the height.</param>
    /// <param name="Smile">0: the mean of those who do not smile, 1: of those who do; between them, both laid over one another.</param>
    public sealed record Person(double X, double Y, double Size, double Smile);

    /// <summary>One person in the middle.</summary>
    public static byte[] Portrait(double smile, SKEncodedImageFormat format = SKEncodedImageFormat.Jpeg, int width = 480, int height = 480) =>
        Picture(width, height, format, new Person(0.5, 0.46, 0.36, smile));

    /// <summary>Three persons beside one another.</summary>
    public static byte[] Group(double left, double middle, double right) =>
        Picture(960, 600, SKEncodedImageFormat.Jpeg, new(0.2, 0.52, 0.22, left), new(0.5, 0.43, 0.25, middle), new(0.8, 0.52, 0.22, right));

    public static byte[] Picture(int width, int height, SKEncodedImageFormat format, params Person[] people)
    {
        using var surface = SKSurface.Create(new SKImageInfo(width, height));
        using var paint = new SKPaint();
        using var sky = SKShader.CreateLinearGradient(
            default, new SKPoint(0, height), [new SKColor(0xffe9dcc2), new SKColor(0xffc9b896)], SKShaderTileMode.Clamp);
        paint.Shader = sky;
        surface.Canvas.DrawPaint(paint);
        for (var index = 0; index < people.Length; index++)
        {
            Draw(surface.Canvas, people[index], index, width, height);
        }

        using var image = surface.Snapshot();
        using var data = image.Encode(format, 90);
        return data.ToArray();
    }

    /// <summary>A file for Chromium's fake camera: JPEG after JPEG, shown again and again.</summary>
    public static byte[] Film(params (double Smile, int Frames)[] scenes) =>
        [.. scenes.SelectMany(scene => Enumerable.Repeat(Portrait(scene.Smile, width: 640, height: 480), scene.Frames)).SelectMany(frame => frame)];

    private static void Draw(SKCanvas canvas, Person person, int index, int width, int height)
    {
        var size = (float)(person.Size * height);
        var (x, y) = ((float)(person.X * width), (float)(person.Y * height));
        using var paint = new SKPaint { IsAntialias = true };

        paint.Color = s_cloth[index % s_cloth.Length];
        canvas.DrawRoundRect(x - size, y + (0.95f * size), 2 * size, height, 0.7f * size, 0.7f * size, paint);
        paint.Color = new SKColor(0xffb0a59a);
        canvas.DrawRoundRect(x - (0.24f * size), y + (0.4f * size), 0.48f * size, 0.72f * size, 0.2f * size, 0.2f * size, paint);
        paint.Color = s_hair[index % s_hair.Length];
        canvas.DrawOval(x, y - (0.14f * size), 0.66f * size, 0.84f * size, paint);
        paint.Color = new SKColor(0xffbdb2a7);
        canvas.DrawOval(x, y + (0.02f * size), 0.55f * size, 0.73f * size, paint);

        canvas.SaveLayer();
        var square = SKRect.Create(x - (size / 2), y - (size / 2), size, size);
        var sampling = new SKSamplingOptions(SKCubicResampler.Mitchell);

        // Grey levels to those of warm skin; the service sees grey again.
        using var warm = SKColorFilter.CreateColorMatrix([1.06f, 0, 0, 0, 0.02f, 0, 0.98f, 0, 0, 0, 0, 0, 0.9f, 0, 0, 0, 0, 0, 1, 0]);
        paint.ColorFilter = warm;
        paint.Color = SKColors.Black;
        canvas.DrawImage(s_neutral, square, sampling, paint);
        paint.Color = SKColors.Black.WithAlpha((byte)Math.Round(255 * person.Smile));
        canvas.DrawImage(s_smile, square, sampling, paint);
        using var soft = SKShader.CreateRadialGradient(
            default, 1, [SKColors.Black, SKColors.Black, SKColors.Transparent], [0, 0.72f, 1], SKShaderTileMode.Clamp,
            SKMatrix.CreateScaleTranslation(0.52f * size, 0.53f * size, x, y));
        using var mask = new SKPaint { BlendMode = SKBlendMode.DstIn, Shader = soft };
        canvas.DrawRect(SKRect.Inflate(square, 2, 2), mask);
        canvas.Restore();
    }
}
