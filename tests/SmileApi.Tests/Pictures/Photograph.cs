using SkiaSharp;
using SmileApi.Imaging;

namespace SmileApi.Tests.Pictures;

/// <summary>
/// A drawn scene with people in it who do not exist: the mean faces of <c>samples/</c>, which go from the brow to below the
/// lower lip, with a drawn head round each.
/// </summary>
internal sealed class Photograph : IDisposable
{
    private readonly SKBitmap _bitmap;
    private readonly SKCanvas _canvas;

    /// <param name="seed">Of the scene; one seed is one scene.</param>
    public Photograph(int width, int height, int seed = 1)
    {
        _bitmap = new SKBitmap(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        _canvas = new SKCanvas(_bitmap);
        var scene = Make.Rgba(64, 48, seed);
        using var small = new SKBitmap(64, 48, SKColorType.Rgba8888, SKAlphaType.Opaque);
        scene.CopyTo(small.GetPixelSpan());
        using var image = SKImage.FromBitmap(small);
        _canvas.DrawImage(image, new SKRect(0, 0, width, height), new SKSamplingOptions(SKCubicResampler.Mitchell));
    }

    public int Width => _bitmap.Width;

    public int Height => _bitmap.Height;

    /// <summary>Adds a face.</summary>
    /// <param name="box">What a person would draw round the head.</param>
    /// <param name="smile">Which mean face.</param>
    /// <param name="degrees">How far the head is turned clockwise.</param>
    public Photograph With(FaceSquare box, bool smile = true, float degrees = 0)
    {
        var crop = box.ToCrop();
        var (x, y, side) = (crop.X + crop.Side / 2, crop.Y + crop.Side / 2, crop.Side);
        _canvas.Save();
        _canvas.RotateDegrees(degrees, box.X + box.Side / 2, box.Y + box.Side / 2);
        Blur(new SKColor(70, 60, 55), 0.04f, new SKRect(x - 0.66f * side, y - 0.92f * side, x + 0.66f * side, y + 0.5f * side)); // Hair.
        Blur(new SKColor(110, 95, 88), 0.03f, new SKRect(x - 0.28f * side, y + 0.3f * side, x + 0.28f * side, y + 1.1f * side)); // Neck.
        Blur(new SKColor(158, 148, 142), 0.03f, new SKRect(x - 0.54f * side, y - 0.76f * side, x + 0.54f * side, y + 0.72f * side)); // Skin.
        DrawFace(smile ? "mean-smile.png" : "mean-neutral.png", new SKRect(x - side / 2, y - side / 2, x + side / 2, y + side / 2));
        _canvas.Restore();
        return this;

        void Blur(SKColor colour, float softness, SKRect oval)
        {
            using var filter = SKMaskFilter.CreateBlur(SKBlurStyle.Normal, softness * side);
            using var paint = new SKPaint { Color = colour, IsAntialias = true, MaskFilter = filter };
            _canvas.DrawOval(oval, paint);
        }
    }

    public byte[] Png() => Encode(SKEncodedImageFormat.Png);

    public byte[] Jpeg(int quality = 92) => Encode(SKEncodedImageFormat.Jpeg, quality);

    /// <summary>Pixels, four bytes each.</summary>
    public byte[] Rgba() => _bitmap.GetPixelSpan().ToArray();

    public void Dispose()
    {
        _canvas.Dispose();
        _bitmap.Dispose();
    }

    private void DrawFace(string sample, SKRect square)
    {
        using var face = SKImage.FromEncodedData(Repository.Sample(sample));
        using var mask = SKShader.CreateRadialGradient(
            new SKPoint(square.MidX, square.MidY), square.Width * 0.54f, [SKColors.Black, SKColors.Black, SKColors.Transparent], [0, 0.6f, 1], SKShaderTileMode.Clamp);
        using var oval = new SKPaint { Shader = mask, BlendMode = SKBlendMode.DstIn };
        using var layer = new SKPaint();
        _canvas.SaveLayer(layer);
        _canvas.DrawImage(face, square, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));
        _canvas.DrawPaint(oval);
        _canvas.Restore();
    }

    private byte[] Encode(SKEncodedImageFormat format, int quality = 100)
    {
        using var data = _bitmap.Encode(format, quality);
        return data.ToArray();
    }
}
