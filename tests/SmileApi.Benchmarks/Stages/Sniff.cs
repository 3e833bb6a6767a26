using BenchmarkDotNet.Attributes;
using SmileApi.Imaging;

namespace SmileApi.Benchmarks.Stages;

/// <summary>Knowing a picture by its first bytes, reading its header and comparing it with the limits, before a pixel is decoded.</summary>
public class Sniff
{
    private readonly ImageDecoder _decoder = new(new ImageLimits());
    private byte[] _file = [];

    [Params("JPEG", "PNG", "WebP")]
    public string Format { get; set; } = "";

    [GlobalSetup]
    public void Draw() => _file = Pictures.File(Format, Pictures.Small);

    [Benchmark(Description = "sniff")]
    public int Header() =>
        _decoder.TryInspect(_file, out var header, out var rejection) ? header.Width : throw new InvalidOperationException(rejection.Detail);
}
