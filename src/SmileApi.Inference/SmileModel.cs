using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.OnnxRuntime;
using SmileApi.Imaging;

namespace SmileApi.Inference;

/// <summary>
/// A loaded and checked smile model. Input <c>image</c> float32 [N, 1, 100, 100]; output <c>probability</c> float32 [N, 1],
/// calibrated, and perhaps output <c>activation</c> float32 [N, 1, h, w], the class activation map. Safe for concurrent use through its <see cref="SmileRunner"/>s.
/// </summary>
public sealed class SmileModel : IDisposable
{
    internal const string InputName = "image";
    internal const string OutputName = "probability";
    internal const string ActivationName = "activation";

    private readonly OnnxFile _file;

    private SmileModel(OnnxFile file, ModelMetadata metadata)
    {
        (_file, Metadata) = (file, metadata);
        ActivationSize = SizeOfActivation(file.Session);
    }

    /// <summary>What the model says of itself.</summary>
    public ModelMetadata Metadata { get; }

    /// <summary>The file it was read from, absolute.</summary>
    public string Path => _file.Path;

    /// <summary>SHA-256 of the file, lower-case hexadecimal.</summary>
    public string Sha256 => _file.Sha256;

    /// <summary>What runs it.</summary>
    public Device Device => _file.Device;

    /// <summary>Rows and columns of the class activation map; 0 of a model that has none.</summary>
    public (int Height, int Width) ActivationSize { get; }

    internal InferenceSession Session => _file.Session;

    /// <summary>Loads a model for the CPU and checks that it is one of ours and works.</summary>
    /// <inheritdoc cref="TryLoad(string, Device, out SmileModel?, out string?)"/>
    public static bool TryLoad(string path, [NotNullWhen(true)] out SmileModel? model, [NotNullWhen(false)] out string? reason) =>
        TryLoad(path, Device.Cpu, out model, out reason);

    /// <summary>Loads a model and checks that it is one of ours and works.</summary>
    /// <param name="path">An ONNX file.</param>
    /// <param name="device">What is to run it.</param>
    /// <param name="model">The model, when the result is true; the caller disposes it.</param>
    /// <param name="reason">When the result is false: one line that names the file and what is wrong with it.</param>
    public static bool TryLoad(string path, Device device, [NotNullWhen(true)] out SmileModel? model, [NotNullWhen(false)] out string? reason) =>
        OnnxFile.TryLoad(path, device, Fit, out model, out reason);

    /// <summary>The same model in a new session, for when this one's no longer works; this one may have been disposed.</summary>
    /// <exception cref="OnnxRuntimeException">It cannot be opened now.</exception>
    public SmileModel Reopen() => Reopen(Device);

    /// <summary>The same model in a new session on a device.</summary>
    /// <exception cref="OnnxRuntimeException">It cannot be opened there now.</exception>
    public SmileModel Reopen(Device device) => new(_file.Reopen(device), Metadata);

    /// <summary>Makes a runner with tensors of its own; each runner is used by one thread at a time.</summary>
    /// <param name="maxBatch">Most faces of one run, at least 1.</param>
    public SmileRunner CreateRunner(int maxBatch) => new(Session, maxBatch, ActivationSize, Device.FixedShapes);

    /// <summary>Frees the session. All runners must have been disposed before.</summary>
    public void Dispose() => Session.Dispose();

    private static (SmileModel? Model, string? Wrong) Fit(OnnxFile file)
    {
        var wrong = Check(file.Session, out var metadata);
        if (wrong is not null)
        {
            return (null, wrong);
        }

        var model = new SmileModel(file, metadata!);
        return (model, model.ProbeOnce());
    }

    private static string? Check(InferenceSession session, out ModelMetadata? metadata)
    {
        metadata = null;
        if (!session.ModelMetadata.CustomMetadataMap.TryGetValue(ModelMetadata.Key, out var json))
        {
            return $"it has no '{ModelMetadata.Key}' metadata, so it was not made by the smile trainer";
        }

        var wrong = ModelMetadata.Read(json, out metadata);
        if (wrong is not null)
        {
            return wrong;
        }

        if (!session.InputMetadata.TryGetValue(InputName, out var input) || session.InputMetadata.Count != 1)
        {
            return $"its input must be one tensor called '{InputName}'";
        }

        if (input.ElementType != typeof(float) || input.Dimensions is not [-1, 1, FaceCrop.Side, FaceCrop.Side])
        {
            return $"its input '{InputName}' must be float32 [N, 1, {FaceCrop.Side}, {FaceCrop.Side}]";
        }

        if (!session.OutputMetadata.TryGetValue(OutputName, out var output) || output.ElementType != typeof(float) || output.Dimensions is not [-1, 1])
        {
            return $"its output '{OutputName}' must be float32 [N, 1]";
        }

        if (session.OutputMetadata.TryGetValue(ActivationName, out var activation)
            && (activation.ElementType != typeof(float) || activation.Dimensions is not [-1, 1, > 0 and <= FaceCrop.Side, > 0 and <= FaceCrop.Side]))
        {
            return $"its output '{ActivationName}' must be float32 [N, 1, height, width]";
        }

        return null;
    }

    private static (int Height, int Width) SizeOfActivation(InferenceSession session) =>
        session.OutputMetadata.TryGetValue(ActivationName, out var activation) ? (activation.Dimensions[2], activation.Dimensions[3]) : (0, 0);

    private string? ProbeOnce()
    {
        using var runner = CreateRunner(1);
        var probability = new float[1];
        runner.Run([new float[FaceCrop.Length]], probability);
        return probability[0] is >= 0 and <= 1 ? null : $"a grey face gives {probability[0]}, which is no probability";
    }
}
