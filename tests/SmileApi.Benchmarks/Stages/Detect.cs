using BenchmarkDotNet.Attributes;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Benchmarks.Stages;

/// <summary>Finding the face of a decoded picture of 640x480, both networks on the calling thread.</summary>
public class Detect : IDisposable
{
    private const int Width = 640;
    private const int Height = 480;

    private readonly FaceModel _find = Load("faces.onnx", FaceModelMetadata.FindStage);
    private readonly FaceModel _check = Load("faces-check.onnx", FaceModelMetadata.CheckStage);
    private readonly DirectFaceNetworks _networks;
    private readonly GreyImage _photo;

    public Detect()
    {
        _networks = new DirectFaceNetworks(_find, _check);
        _photo = Pictures.Decode(new ImageDecoder(new ImageLimits()), Pictures.File("JPEG", Pictures.Small), ReductionFor(Width, Height));
    }

    /// <summary>As the service reads a picture to search it for what it looks for by default.</summary>
    public static int ReductionFor(int width, int height) =>
        FaceRules.ReductionFor(FaceRules.DefaultMinFace(width, height));

    [Benchmark(Description = "detect")]
    public async Task<int> Faces()
    {
        var options = new FaceSearchOptions((float)FaceRules.DefaultMinFace(Width, Height) / _photo.Reduction, _check.Metadata.Threshold);
        var faces = await FaceSearch.FindAsync(_photo, options, _networks, CancellationToken.None);
        return faces.Count == 1 ? 1 : throw new InvalidOperationException($"The detector finds {faces.Count} faces where one is, so that its time says nothing.");
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _photo.Dispose();
        _networks.Dispose();
        _find.Dispose();
        _check.Dispose();
        GC.SuppressFinalize(this);
    }

    private static FaceModel Load(string file, string stage) =>
        FaceModel.TryLoad(Path.Combine(AppContext.BaseDirectory, "models", file), stage, out var model, out var reason) ? model : throw new InvalidOperationException(reason);
}
