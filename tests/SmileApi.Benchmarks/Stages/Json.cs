using System.Buffers;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using SmileApi.Classify;

namespace SmileApi.Benchmarks.Stages;

/// <summary>Writing an answer.</summary>
public class Json : IDisposable
{
    private readonly ArrayBufferWriter<byte> _bytes = new(64 << 10);
    private readonly Utf8JsonWriter _writer;
    private Verdict? _verdict;

    public Json() => _writer = new Utf8JsonWriter(_bytes);

    /// <summary>Of the answer.</summary>
    [Params(1, 100)]
    public int Faces { get; set; }

    [GlobalSetup]
    public void Judge()
    {
        FaceVerdict[] faces = [.. Enumerable.Range(0, Faces).Select(i => new FaceVerdict(Smile: true, 0.9731f, new Box(212 + i, 96, 180, 180), 0.998f))];
        _verdict = new Verdict(
            Smile: true, 0.9731f, Threshold: 0.5f, faces, new ImageInfo(640, 480, "jpeg"), new ModelName("smile-cnn20", "1.0.0", new string('a', 64)),
            new Timings(0.712, 1.934, 0.051, 0.432, 3.304), "0HNABCDEFGHIJ:00000001");
    }

    [Benchmark(Description = "JSON")]
    public int Write()
    {
        _bytes.ResetWrittenCount();
        _writer.Reset();
        JsonSerializer.Serialize(_writer, _verdict!, WireJson.Default.Verdict);
        return _bytes.WrittenCount;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _writer.Dispose();
        GC.SuppressFinalize(this);
    }
}
