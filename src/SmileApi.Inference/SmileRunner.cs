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
    private readonly float[] _activations;
    private readonly (int Height, int Width) _activationSize;

    // One binding a batch size, all over the same memory: element n - 1 is for n faces.
    private readonly OrtIoBinding[] _bindings;
    private readonly List<OrtValue> _tensors = [];

    internal SmileRunner(InferenceSession session, int maxBatch, (int Height, int Width) activationSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatch, 1);
        (_session, _activationSize) = (session, activationSize);
        _images = GC.AllocateArray<float>(maxBatch * FaceCrop.Length, pinned: true);
        _probabilities = GC.AllocateArray<float>(maxBatch, pinned: true);
        _activations = GC.AllocateArray<float>(maxBatch * ActivationLength, pinned: true);
        _bindings = [.. Enumerable.Range(1, maxBatch).Select(Bind)];
    }

    /// <summary>Most faces of one run.</summary>
    public int MaxBatch => _bindings.Length;

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
        if (ActivationLength > 0)
        {
            // It is computed whether it is asked for or not.
            binding.BindOutput(SmileModel.ActivationName, Tensor(_activations.AsMemory(0, count * ActivationLength), count, 1, _activationSize.Height, _activationSize.Width));
        }

        return binding;
    }

    private OrtValue Tensor(Memory<float> memory, params long[] shape)
    {
        var tensor = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, memory, shape);
        _tensors.Add(tensor);
        return tensor;
    }
}
