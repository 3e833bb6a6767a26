using Microsoft.ML.OnnxRuntime;
using SmileApi.Imaging;

namespace SmileApi.Inference;

/// <summary>
/// Runs a model on batches through tensors allocated once. Runners of one model share its weights; each is used by one
/// thread at a time.
/// </summary>
public sealed class SmileRunner : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();

    // Pinned for good, so that ONNX Runtime reads and writes them in place.
    private readonly float[] _images;
    private readonly float[] _probabilities;

    // One binding a batch size, all over the same memory: element n - 1 is for n faces.
    private readonly OrtIoBinding[] _bindings;
    private readonly List<OrtValue> _tensors = [];

    internal SmileRunner(InferenceSession session, int maxBatch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatch, 1);
        _session = session;
        _images = GC.AllocateArray<float>(maxBatch * FaceCrop.Length, pinned: true);
        _probabilities = GC.AllocateArray<float>(maxBatch, pinned: true);
        _bindings = [.. Enumerable.Range(1, maxBatch).Select(Bind)];
    }

    /// <summary>Most faces of one run.</summary>
    public int MaxBatch => _bindings.Length;

    /// <summary>Judges a batch of faces.</summary>
    /// <param name="faces">1 to <see cref="MaxBatch"/> normalised faces, each at least <see cref="FaceCrop.Length"/> values (rented arrays may be longer), shape <c>[100, 100]</c>.</param>
    /// <param name="probabilities">As many calibrated probabilities of a smile, 0..1, in the same order.</param>
    /// <exception cref="OnnxRuntimeException">The run failed; nothing is known about any face.</exception>
    public void Run(ReadOnlySpan<float[]> faces, Span<float> probabilities)
    {
        ArgumentOutOfRangeException.ThrowIfZero(faces.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(faces.Length, MaxBatch);
        for (var i = 0; i < faces.Length; i++)
        {
            faces[i].AsSpan(0, FaceCrop.Length).CopyTo(_images.AsSpan(i * FaceCrop.Length));
        }

        _session.RunWithBinding(_options, _bindings[faces.Length - 1]);
        _probabilities.AsSpan(0, faces.Length).CopyTo(probabilities);
    }

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        foreach (var binding in _bindings)
        {
            binding.Dispose();
        }

        foreach (var tensor in _tensors)
        {
            tensor.Dispose();
        }

        _options.Dispose();
    }

    private OrtIoBinding Bind(int count)
    {
        var images = Tensor(_images.AsMemory(0, count * FaceCrop.Length), count, 1, FaceCrop.Side, FaceCrop.Side);
        var probabilities = Tensor(_probabilities.AsMemory(0, count), count, 1);
        var binding = _session.CreateIoBinding();
        binding.BindInput(SmileModel.InputName, images);
        binding.BindOutput(SmileModel.OutputName, probabilities);
        return binding;
    }

    private OrtValue Tensor(Memory<float> memory, params long[] shape)
    {
        var tensor = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, memory, shape);
        _tensors.Add(tensor);
        return tensor;
    }
}
