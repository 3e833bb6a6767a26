using BenchmarkDotNet.Attributes;
using SmileApi.Imaging;

namespace SmileApi.Benchmarks.Stages;

/// <summary>From a decoded picture of 640x480 to the smile network's input: resampled to 100x100 and normalised.</summary>
public class Crop : IDisposable
{
    private readonly GreyImage _whole = Decoded(Floor.ReductionFor(640, 480));
    private readonly GreyImage _searched = Decoded(1);
    private readonly float[] _face = new float[FaceCrop.Length];

    [Benchmark(Description = "crop, the whole picture")]
    public float Whole()
    {
        FaceCrop.Resample(_whole, FaceSquare.Centred(_whole.Width, _whole.Height), new Normalisation(128, 64), _face);
        return _face[0];
    }

    [Benchmark(Description = "crop, a face of 120 pixels")]
    public float Upright() => Found(roll: 0);

    [Benchmark(Description = "crop, the same turned by 20 degrees")]
    public float Turned() => Found(roll: 20 * MathF.PI / 180);

    [GlobalCleanup]
    public void Dispose()
    {
        _whole.Dispose();
        _searched.Dispose();
        GC.SuppressFinalize(this);
    }

    private float Found(float roll)
    {
        FaceCrop.Resample(_searched, new FaceSquare(311, 150, 120), new Normalisation(128, 64), _face, roll: roll);
        return _face[0];
    }

    private static GreyImage Decoded(int reduction) => Pictures.Decode(new ImageDecoder(new ImageLimits()), Pictures.File("JPEG", Pictures.Small), reduction);
}
