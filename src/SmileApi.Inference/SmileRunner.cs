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

    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();

    // Pinned for good, so that ONNX Runtime reads and writes them in place.
    private readonly float[] _images;
    private readonly float[] _probabilities;
    private readonly float[] _activations;
    private readonly (int Height, int Width) _activationSize;

    // One binding a batch size, all over the same memory: element n - 1 is for n faces. None with fixed shapes: what is bound is
    // copied to a GPU once, when it is bound, and never again (https://github.com/microsoft/onnxruntime/issues/5857).
    private readonly OrtIoBinding[] _bindings = [];
    private readonly List<OrtValue> _tensors = [];

    // With fixed shapes: element k is for 2^k faces.
    private readonly OrtValue[]? _inputs;
    private readonly OrtValue[][]? _outputs;
    private readonly string[] _outputNames;

    internal SmileRunner(InferenceSession session, int maxBatch, (int Height, int Width) activationSize, bool fixedShapes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatch, 1);
        MaxBatch = maxBatch;
        (_session, _activationSize) = (session, activationSize);

        // The map is computed whether it is asked for or not.
        _outputNames = ActivationLength > 0 ? [SmileModel.OutputName, SmileModel.ActivationName] : [SmileModel.OutputName];
        var padded = fixedShapes ? FixedShapes.Batch(maxBatch) : maxBatch;
        _images = GC.AllocateArray<float>(padded * FaceCrop.Length, pinned: true);
        _probabilities = GC.AllocateArray<float>(padded, pinned: true);
        _activations = GC.AllocateArray<float>(padded * ActivationLength, pinned: true);
        if (fixedShapes)
        {
            _inputs = [.. FixedShapes.Batches(maxBatch).Select(Images)];
            _outputs = [.. FixedShapes.Batches(maxBatch).Select(Outputs)];
        }
        else
        {
            _bindings = [.. Enumerable.Range(1, maxBatch).Select(Bind)];
        }
    }

    /// <summary>Most faces of one run.</summary>
    public int MaxBatch { get; }

    /// <summary>Values of a face's class activation map; 0 when the model has none.</summary>
    public int ActivationLength => _activationSize.Height * _activationSize.Width;

    /// <summary>
    /// What each place of a face of the last run speaks for a smile (above 0) or against one: the class activation map (Zhou et al. 2016).
    /// Its mean and the network's bias add up to the logit of the probability.
    /// </summary>
    /// <param name="face">Which one of the run.</param>
    /// <returns>Shape <see cref="SmileModel.ActivationSize"/>, row-major, of the upright crop; the next run overwrites it.</returns>
    public ReadOnlySpan<float> Activation(int face) => _activations.AsSpan(face * ActivationLength, ActivationLength);

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
            _session.Run(_options, s_inputNames, [_inputs[k]], _outputNames, _outputs![k]);
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
        var outputs = Outputs(count);
        for (var i = 0; i < outputs.Length; i++)
        {
            binding.BindOutput(_outputNames[i], outputs[i]);
        }

        return binding;
    }

    private OrtValue Images(int count) => Tensor(_images.AsMemory(0, count * FaceCrop.Length), count, 1, FaceCrop.Side, FaceCrop.Side);

    /// <returns>One for each of the names.</returns>
    private OrtValue[] Outputs(int count)
    {
        var probabilities = Tensor(_probabilities.AsMemory(0, count), count, 1);
        return ActivationLength == 0
            ? [probabilities]
            : [probabilities, Tensor(_activations.AsMemory(0, count * ActivationLength), count, 1, _activationSize.Height, _activationSize.Width)];
    }

    private OrtValue Tensor(Memory<float> memory, params long[] shape)
    {
        var tensor = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, memory, shape);
        _tensors.Add(tensor);
        return tensor;
    }
}
