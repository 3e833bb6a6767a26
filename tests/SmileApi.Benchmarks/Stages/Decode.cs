using BenchmarkDotNet.Attributes;
using SmileApi.Imaging;

namespace SmileApi.Benchmarks.Stages;

/// <summary>From a file to grey pixels: JPEG through libturbojpeg where the system has it, PNG and WebP through SkiaSharp.</summary>
public class Decode
{
    private readonly ImageDecoder _decoder = new(new ImageLimits());
    private byte[] _file = [];
    private int _reduction;

    [Params("JPEG", "PNG", "WebP")]
    public string Format { get; set; } = "";

    [Params(Pictures.Small, Pictures.Large)]
    public string Size { get; set; } = "";

    /// <summary>What is wanted of the picture, which says how far it may be reduced on the way.</summary>
    [Params("whole", "detect")]
    public string Faces { get; set; } = "";

    [GlobalSetup]
    public void Draw()
    {
        _file = Pictures.File(Format, Size);
        var (width, height) = (Pictures.WidthOf(Size), Pictures.HeightOf(Size));
        _reduction = Faces == "whole" ? Floor.ReductionFor(width, height) : Detect.ReductionFor(width, height);
    }

    [Benchmark(Description = "decode")]
    public int Pixels()
    {
        using var image = Pictures.Decode(_decoder, _file, _reduction);
        return image.Width;
    }
}
