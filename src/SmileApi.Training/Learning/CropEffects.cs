using SkiaSharp;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>
/// What cameras, lenses, light and files do to a face. Each works in place on a crop: grey levels 0..255, row-major, shape
/// <c>[100, 100]</c>; those that take a width, on any picture. Training and evaluation spoil faces by the same code.
/// </summary>
internal static class CropEffects
{
    private const int Side = FaceCrop.Side;

    // SkiaSharp on every system, so that every system trains on the same pixels.
    private static readonly ImageDecoder Decoder = new(new ImageLimits(), useTurboJpeg: false);

    /// <summary>From right to left.</summary>
    public static void Mirror(Span<float> crop)
    {
        for (var y = 0; y < Side; y++)
        {
            crop.Slice(y * Side, Side).Reverse();
        }
    }

    /// <summary>Changes light and film: <c>255 (level / 255)^gamma</c>, then contrast about middle grey, then brightness and a light from one side.</summary>
    /// <param name="gamma">Above 0; 1 changes nothing, less brightens.</param>
    /// <param name="contrast">Above 0; 1 changes nothing.</param>
    /// <param name="brightness">Grey levels.</param>
    /// <param name="across">Grey levels that the light adds at the right edge and takes at the left.</param>
    /// <param name="down">The same at the bottom and the top.</param>
    public static void Light(Span<float> crop, double gamma, double contrast, double brightness, double across, double down, int width = Side)
    {
        var height = crop.Length / width;
        Span<float> table = stackalloc float[256];
        for (var level = 0; level < 256; level++)
        {
            table[level] = (float)((255 * Math.Pow(level / 255.0, gamma) - 128) * contrast + 128 + brightness);
        }

        for (var y = 0; y < height; y++)
        {
            var row = crop.Slice(y * width, width);
            var light = (float)(down * (2 * y - height + 1) / Math.Max(1, height - 1) - across);
            var step = (float)(2 * across / Math.Max(1, width - 1));
            for (var x = 0; x < width; x++)
            {
                var level = Math.Clamp(row[x], 0, 254.999f);
                var lower = table[(int)level];
                row[x] = lower + (table[(int)level + 1] - lower) * (level - (int)level) + light + step * x;
            }
        }
    }

    /// <summary>Lays an ellipse or a rectangle of one grey level over the crop: a hand, a microphone, a black bar.</summary>
    /// <param name="centreX">Pixels; may lie outside.</param>
    /// <param name="halfWidth">Pixels, above 0.</param>
    /// <param name="level">Grey level.</param>
    public static void Occlude(Span<float> crop, double centreX, double centreY, double halfWidth, double halfHeight, bool round, float level)
    {
        for (var y = Math.Max(0, (int)(centreY - halfHeight)); y < Math.Min(Side, centreY + halfHeight); y++)
        {
            for (var x = Math.Max(0, (int)(centreX - halfWidth)); x < Math.Min(Side, centreX + halfWidth); x++)
            {
                var (u, v) = ((x - centreX) / halfWidth, (y - centreY) / halfHeight);
                if (!round || u * u + v * v < 1)
                {
                    crop[y * Side + x] = level;
                }
            }
        }
    }

    /// <summary>Gaussian blur along rows and columns.</summary>
    /// <param name="deviation">In pixels of the crop; up to 0.3 does not reach the neighbouring pixel and changes nothing.</param>
    public static void Blur(Span<float> crop, double deviation, int width = Side)
    {
        if (deviation <= 0.3)
        {
            return;
        }

        var radius = (int)Math.Ceiling(2.5 * deviation);
        Span<float> kernel = stackalloc float[2 * radius + 1];
        var sum = 0f;
        for (var i = -radius; i <= radius; i++)
        {
            sum += kernel[radius + i] = (float)Math.Exp(-i * i / (2 * deviation * deviation));
        }

        var height = crop.Length / width;
        Span<float> whole = stackalloc float[Math.Max(width, height) + 2 * radius];
        foreach (var (lines, length, step, stride) in new[] { (height, width, 1, width), (width, height, width, 1) })
        {
            var line = whole[..(length + 2 * radius)];
            for (var i = 0; i < lines; i++)
            {
                // The edge goes on beyond the edge.
                for (var j = 0; j < line.Length; j++)
                {
                    line[j] = crop[i * stride + Math.Clamp(j - radius, 0, length - 1) * step];
                }

                for (var j = 0; j < length; j++)
                {
                    var level = 0f;
                    for (var tap = 0; tap < kernel.Length; tap++)
                    {
                        level += kernel[tap] * line[j + tap];
                    }

                    crop[i * stride + j * step] = level / sum;
                }
            }
        }
    }

    /// <summary>Adds noise that is independent from pixel to pixel.</summary>
    /// <param name="deviation">Grey levels.</param>
    public static void Noise(Span<float> crop, double deviation, ref SplitMix random)
    {
        foreach (ref var level in crop)
        {
            // The sum of three uniform numbers is normal enough, and five times cheaper.
            level += (float)(deviation * 2 * (random.Uniform() + random.Uniform() + random.Uniform() - 1.5));
        }
    }

    /// <summary>Brings the face down to a small picture, through a JPEG file if asked, and blows it up again.</summary>
    /// <param name="side">Of the small picture, 1..100 pixels.</param>
    /// <param name="quality">Of the JPEG, 1..100; null for none.</param>
    public static void Store(Span<float> crop, int side, int? quality)
    {
        var image = Quantised(crop, Side);
        if (side != Side)
        {
            var levels = new float[side * side];
            using (image)
            {
                FaceCrop.Resample(image, FaceSquare.Centred(Side, Side), new Normalisation(0, 1), levels, side);
            }

            image = Quantised(levels, side);
        }

        if (quality is { } jpegQuality)
        {
            image = ThroughJpeg(image, jpegQuality);
        }

        using (image)
        {
            FaceCrop.Resample(image, FaceSquare.Centred(image.Width, image.Height), new Normalisation(0, 1), crop);
        }
    }

    private static GreyImage Quantised(ReadOnlySpan<float> levels, int side)
    {
        var image = new GreyImage(side, side, 1, side, side, ImageFormat.Png);
        for (var i = 0; i < levels.Length; i++)
        {
            image.Pixels[i] = (byte)Math.Clamp(MathF.Round(levels[i]), 0, 255);
        }

        return image;
    }

    /// <summary>Stores a picture as JPEG and reads it again; owns and disposes the given one.</summary>
    /// <param name="quality">1..100.</param>
    public static GreyImage ThroughJpeg(GreyImage image, int quality)
    {
        using (image)
        {
            using var bitmap = GreyPng.Bitmap(image.Pixels, image.Width, image.Height);
            using var jpeg = bitmap.Encode(SKEncodedImageFormat.Jpeg, quality);
            return Decoder.TryDecode(jpeg.AsSpan(), int.MaxValue, out var decoded, out var rejection)
                ? decoded
                : throw new InvalidOperationException(rejection.Detail);
        }
    }
}
