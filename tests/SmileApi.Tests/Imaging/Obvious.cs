using SkiaSharp;
using SmileApi.Imaging;

namespace SmileApi.Tests.Imaging;

/// <summary>The same results as the fast code, by the shortest way from the definition.</summary>
internal static class Obvious
{
    /// <summary>0.299 R + 0.587 G + 0.114 B, over white.</summary>
    public static double[] Grey(byte[] rgba) =>
        [.. rgba.Chunk(4).Select(p => (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]) * p[3] / 255 + 255 - p[3])];

    /// <summary>The same of a scene that is given by formula.</summary>
    public static double[] Grey(Func<int, int, int, double> scene, int width, int height) =>
        [.. Enumerable.Range(0, width * height).Select(i => (i % width, i / width)).Select(p =>
            0.299 * scene(p.Item1, p.Item2, 0) + 0.587 * scene(p.Item1, p.Item2, 1) + 0.114 * scene(p.Item1, p.Item2, 2))];

    /// <summary>Grey of a full decode by SkiaSharp, stored values.</summary>
    public static double[] GreyOfFullDecode(byte[] encoded)
    {
        using var codec = SKCodec.Create(new SKMemoryStream(encoded));
        using var bitmap = SKBitmap.Decode(codec, new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        return Grey(bitmap.Bytes);
    }

    /// <summary>Averages of blocks of <paramref name="side"/> x <paramref name="side"/> pixels, the last ones partial.</summary>
    public static double[] Average(double[] grey, int width, int side)
    {
        var (acrossAll, height) = ((width + side - 1) / side, grey.Length / width);
        return
        [
            .. Enumerable.Range(0, acrossAll * ((height + side - 1) / side)).Select(i => (
                from y in Enumerable.Range(i / acrossAll * side, side)
                from x in Enumerable.Range(i % acrossAll * side, side)
                where x < width && y < height
                select grey[y * width + x]).Average()),
        ];
    }

    /// <summary>Turns stored pixels upright (EXIF 2.32, tag 0x0112: which corner the first row and column show).</summary>
    public static T[] Upright<T>(T[] stored, int width, int height, int orientation)
    {
        var (uprightWidth, uprightHeight) = orientation >= 5 ? (height, width) : (width, height);
        var result = new T[stored.Length];
        for (var y = 0; y < uprightHeight; y++)
        {
            for (var x = 0; x < uprightWidth; x++)
            {
                var (fromX, fromY) = orientation switch
                {
                    2 => (width - 1 - x, y),
                    3 => (width - 1 - x, height - 1 - y),
                    4 => (x, height - 1 - y),
                    5 => (y, x),
                    6 => (y, height - 1 - x),
                    7 => (width - 1 - y, height - 1 - x),
                    8 => (width - 1 - y, x),
                    _ => (x, y),
                };
                result[y * uprightWidth + x] = stored[fromY * width + fromX];
            }
        }

        return result;
    }

    /// <summary>
    /// A square resampled: each result pixel is the mean of all source pixels, weighted by a triangle round its centre in
    /// both directions, the picture's edge going on for ever.
    /// </summary>
    public static double[] Resample(byte[] grey, int width, int height, FaceSquare square, int side) =>
        Resample(grey, width, height, square.X, square.Y, (double)square.Side / side, side, side);

    /// <summary>The same for a rectangle whose upper left corner is given; one pixel of the result is <paramref name="step"/> of the source.</summary>
    public static double[] Resample(byte[] grey, int width, int height, double left, double top, double step, int columns, int rows)
    {
        var radius = Math.Max(1, step);
        var result = new double[columns * rows];
        for (var i = 0; i < result.Length; i++)
        {
            var centreX = left + (i % columns + 0.5) * step;
            var centreY = top + (i / columns + 0.5) * step;
            var (sum, weights) = (0.0, 0.0);
            for (var y = (int)Math.Floor(centreY - radius) - 1; y <= centreY + radius + 1; y++)
            {
                for (var x = (int)Math.Floor(centreX - radius) - 1; x <= centreX + radius + 1; x++)
                {
                    var weight = Triangle((x + 0.5 - centreX) / radius) * Triangle((y + 0.5 - centreY) / radius);
                    sum += weight * grey[Math.Clamp(y, 0, height - 1) * width + Math.Clamp(x, 0, width - 1)];
                    weights += weight;
                }
            }

            result[i] = sum / weights;
        }

        return result;

    }

    /// <summary>
    /// A square turned clockwise about its centre: the straight picture of all that is round it, at the result's resolution,
    /// of which each result pixel is the mean of all, weighted by a triangle round its place in both directions.
    /// </summary>
    public static double[] ResampleTurned(byte[] grey, int width, int height, FaceSquare square, int side, double roll)
    {
        var step = (double)square.Side / side;
        var all = (int)Math.Ceiling(side * (Math.Abs(Math.Sin(roll)) + Math.Abs(Math.Cos(roll)))) + 2;
        var margin = (all - side) / 2.0 * step;
        var straight = Resample(grey, width, height, square.X - margin, square.Y - margin, step, all, all);
        var result = new double[side * side];
        for (var i = 0; i < result.Length; i++)
        {
            var (right, down) = (i % side + 0.5 - side / 2.0, i / side + 0.5 - side / 2.0);
            var x = all / 2.0 + right * Math.Cos(roll) - down * Math.Sin(roll);
            var y = all / 2.0 + right * Math.Sin(roll) + down * Math.Cos(roll);
            result[i] = straight.Select((level, at) => level * Triangle(at % all + 0.5 - x) * Triangle(at / all + 0.5 - y)).Sum();
        }

        return result;
    }

    private static double Triangle(double distance) => Math.Max(0, 1 - Math.Abs(distance));
}
