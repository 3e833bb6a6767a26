using SkiaSharp;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Benchmarks;

/// <summary>What nobody can avoid of a request's work, each by itself in a loop: CPU time of this process, in milliseconds.</summary>
internal static class Floor
{
    /// <summary>How many pixels of a side the service makes one of when the picture is one face.</summary>
    public static int ReductionFor(int width, int height) => ImageDecoder.ReductionFor(Math.Min(width, height), FaceCrop.Side);

    /// <summary>The fastest decode: the one that the service uses, reduced as far as the network allows, and nothing around it.</summary>
    public static double Decode(byte[] file, int reduction, int times)
    {
        var decoder = new ImageDecoder(new ImageLimits());
        return CpuOf(times, () =>
        {
            if (!decoder.TryInspect(file, out var header, out var rejection) || !decoder.TryDecodeReduced(file, header, reduction, out var image, out rejection))
            {
                throw new InvalidOperationException(rejection.Detail);
            }

            image.Dispose();
        });
    }

    /// <summary>SkiaSharp's own decode, to the pixels that it decodes to by itself.</summary>
    public static double SkiaDecode(byte[] file, int times)
    {
        using var data = SKData.CreateCopy(file);
        return CpuOf(times, () =>
        {
            using var bitmap = SKBitmap.Decode(data) ?? throw new InvalidOperationException("SkiaSharp does not read the picture.");
        });
    }

    /// <summary>The network on one face of a batch.</summary>
    public static double Network(SmileModel model, int batch, int faces)
    {
        using var runner = model.CreateRunner(batch);
        float[][] images = [.. Enumerable.Range(0, batch).Select(_ => new float[FaceCrop.Length])];
        var answers = new float[batch];
        runner.Run(images, answers);
        return CpuOf(faces / batch, () => runner.Run(images, answers)) / batch;
    }

    private static double CpuOf(int times, Action what)
    {
        var before = Environment.CpuUsage.TotalTime;
        for (var i = 0; i < times; i++)
        {
            what();
        }

        return (Environment.CpuUsage.TotalTime - before).TotalMilliseconds / times;
    }
}
