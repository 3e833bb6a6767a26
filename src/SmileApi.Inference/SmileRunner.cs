using System.Numerics;
using Microsoft.ML.OnnxRuntime;
using SmileApi.Imaging;

namespace SmileApi.Inference;

/// <summary>
/// Runs a model on batches through tensors allocated once. Runners of one model share its weights; each is used by one
/// thread at a time.
/// </summary>
public sealed class SmileRunner : IDisposable
{
    private static readonly string[] s_inputNames = [SmileModel.InputName];
    private static readonly string[] s_outputNames = [SmileModel.OutputName];

    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();

    // Pinned for good, so that ONNX Runtime reads and writes them in place.
    private readonly float[] _images;
    private readonly float[] _probabilities;

    // One binding a batch size, all over the same memory: element n - 1 is for n faces. None with fixed shapes: what is bound is
    // copied to a GPU once, when it is bound, and never again (https://github.com/microsoft/onnxruntime/issues/5857).
    private readonly OrtIoBinding[] _bindings = [];
    private readonly List<OrtValue> _tensors = [];

    // With fixed shapes: element k is for 2^k faces.
    private readonly OrtValue[]? _inputs;
    private readonly OrtValue[]? _outputs;

    internal SmileRunner(InferenceSession session, int maxBatch, bool fixedShapes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatch, 1);
        MaxBatch = maxBatch;
        _session = session;
        var padded = fixedShapes ? FixedShapes.Batch(maxBatch) : maxBatch;
        _images = GC.AllocateArray<float>(padded * FaceCrop.Length, pinned: true);
        _probabilities = GC.AllocateArray<float>(padded, pinned: true);
        if (fixedShapes)
        {
            _inputs = [.. FixedShapes.Batches(maxBatch).Select(Images)];
            _outputs = [.. FixedShapes.Batches(maxBatch).Select(Probabilities)];
        }
        else
        {
            _bindings = [.. Enumerable.Range(1, maxBatch).Select(Bind)];
        }
    }

    /// <summary>Most faces of one run.</summary>
    public int MaxBatch { get; }

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

        if (_inputs is null)
        {
            _session.RunWithBinding(_options, _bindings[faces.Length - 1]);
        }
        else
        {
            // What follows the faces is from earlier runs; its probabilities are nobody's.
            var k = BitOperations.Log2((uint)FixedShapes.Batch(faces.Length));
            _session.Run(_options, s_inputNames, [_inputs[k]], s_outputNames, [_outputs![k]]);
        }

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
        var binding = _session.CreateIoBinding();
        binding.BindInput(SmileModel.InputName, Images(count));
        binding.BindOutput(SmileModel.OutputName, Probabilities(count));
        return binding;
    }

    private OrtValue Images(int count) => Tensor(_images.AsMemory(0, count * FaceCrop.Length), count, 1, FaceCrop.Side, FaceCrop.Side);

    private OrtValue Probabilities(int count) => Tensor(_probabilities.AsMemory(0, count), count, 1);

    private OrtValue Tensor(Memory<float> memory, params long[] shape)
    {
        var tensor = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, memory, shape);
        _tensors.Add(tensor);
        return tensor;
    }
}
