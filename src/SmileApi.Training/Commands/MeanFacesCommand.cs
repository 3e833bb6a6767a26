using System.CommandLine;
using System.Numerics.Tensors;
using SkiaSharp;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary><c>smile mean-faces</c>: the average of many faces of a class shows nobody, so it can be shown to everybody.</summary>
internal static class MeanFacesCommand
{
    /// <summary>Fewer pictures could still show someone.</summary>
    public const int LeastPerClass = 500;

    public static Command Make()
    {
        var data = CommonOptions.Archive();
        var target = CommonOptions.Out("samples");
        var command = new Command("mean-faces", "Write the mean smiling and the mean not-smiling face of the training pictures.") { data, target };
        command.SetAction(parsed =>
        {
            var faces = Lfw160.Open(parsed.GetValue(data)).Faces("train", LeastPerClass);
            foreach (var (name, smile) in new[] { ("mean-smile.png", true), ("mean-neutral.png", false) })
            {
                var crops = faces.Where(face => face.IsSmile == smile).Select(face => face.Crop(new Normalisation(0, 1))).ToArray();
                var path = Path.Combine(parsed.GetValue(target)!, name);
                AtomicFile.Write(path, GreyPng.Encode(Mean(crops), FaceCrop.Side, FaceCrop.Side));
                Console.WriteLine($"{path}: the mean of {crops.Length} faces");
            }
        });
        return command;
    }

    /// <summary>The mean, with the contrast of a single picture: where faces differ, averaging leaves less than half of it.</summary>
    private static byte[] Mean(float[][] crops)
    {
        var mean = new float[FaceCrop.Length];
        foreach (var crop in crops)
        {
            TensorPrimitives.Add(mean, crop, mean);
        }

        TensorPrimitives.Divide(mean, crops.Length, mean);
        var contrast = crops.Average(crop => TensorPrimitives.StdDev(crop)) / TensorPrimitives.StdDev(mean);
        var middle = mean.Average();
        return [.. mean.Select(level => (byte)Math.Clamp(Math.Round(middle + (level - middle) * contrast), 0, 255))];
    }
}

/// <summary>Grey pixels as PNG.</summary>
internal static class GreyPng
{
    /// <param name="pixels">Grey levels, row-major, shape <c>[height, width]</c>.</param>
    public static byte[] Encode(ReadOnlySpan<byte> pixels, int width, int height)
    {
        using var bitmap = Bitmap(pixels, width, height);
        using var png = bitmap.Encode(SKEncodedImageFormat.Png, quality: 100);
        return png.ToArray();
    }

    /// <param name="pixels">Grey levels, row-major, shape <c>[height, width]</c>.</param>
    /// <returns>The caller's to dispose.</returns>
    public static SKBitmap Bitmap(ReadOnlySpan<byte> pixels, int width, int height)
    {
        var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Gray8, SKAlphaType.Opaque));
        for (var y = 0; y < height; y++)
        {
            pixels.Slice(y * width, width).CopyTo(bitmap.GetPixelSpan()[(y * bitmap.RowBytes)..]);
        }

        return bitmap;
    }
}
