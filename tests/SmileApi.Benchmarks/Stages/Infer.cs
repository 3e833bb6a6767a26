using BenchmarkDotNet.Attributes;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Benchmarks.Stages;

/// <summary>One run of the smile network on the CPU.</summary>
public class Infer : IDisposable
{
    private readonly SmileModel _model =
        SmileModel.TryLoad(Path.Combine(AppContext.BaseDirectory, "models", "smile.onnx"), out var model, out var reason) ? model : throw new InvalidOperationException(reason);
    private SmileRunner? _runner;
    private float[][] _images = [];
    private float[] _probabilities = [];

    /// <summary>Faces of the run.</summary>
    [Params(1, 2, 4, 8, 16, 32)]
    public int Batch { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _runner = _model.CreateRunner(Batch);
        _images = [.. Enumerable.Range(0, Batch).Select(_ => new float[FaceCrop.Length])];
        _probabilities = new float[Batch];
    }

    [Benchmark(Description = "infer")]
    public float Run()
    {
        _runner!.Run(_images, _probabilities);
        return _probabilities[0];
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _runner?.Dispose();
        _model.Dispose();
        GC.SuppressFinalize(this);
    }
}
