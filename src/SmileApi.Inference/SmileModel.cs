using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Microsoft.ML.OnnxRuntime;
using SmileApi.Imaging;

namespace SmileApi.Inference;

/// <summary>
/// A loaded and checked smile model. Input <c>image</c> float32 [N, 1, 100, 100]; output <c>probability</c> float32 [N, 1],
/// calibrated. Safe for concurrent use through its <see cref="SmileRunner"/>s.
/// </summary>
public sealed class SmileModel : IDisposable
{
    internal const string InputName = "image";
    internal const string OutputName = "probability";

    private SmileModel(InferenceSession session, ModelMetadata metadata, string path, string sha256)
    {
        (Session, Metadata, Path, Sha256) = (session, metadata, path, sha256);
    }

    /// <summary>What the model says of itself.</summary>
    public ModelMetadata Metadata { get; }

    /// <summary>The file it was read from, absolute.</summary>
    public string Path { get; }

    /// <summary>SHA-256 of the file, lower-case hexadecimal.</summary>
    public string Sha256 { get; }

    /// <summary>What it runs on.</summary>
    [SuppressMessage("Performance", "CA1822", Justification = "Differs by session once there is more than the CPU.")]
    public string Provider => "cpu";

    internal InferenceSession Session { get; }

    /// <summary>Loads a model and checks that it is one of ours and works.</summary>
    /// <param name="path">An ONNX file.</param>
    /// <param name="model">The model, when the result is true; the caller disposes it.</param>
    /// <param name="reason">When the result is false: one line that names the file and what is wrong with it.</param>
    public static bool TryLoad(string path, [NotNullWhen(true)] out SmileModel? model, [NotNullWhen(false)] out string? reason)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        path = System.IO.Path.GetFullPath(path);
        model = null;
        byte[] file;
        try
        {
            file = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reason = File.Exists(path) || Directory.Exists(path)
                ? $"The model {path} cannot be read: {e.Message}"
                : $"There is no model at {path}.";
            return false;
        }

        InferenceSession? session = null;
        try
        {
            using var options = CpuOptions();
            session = new InferenceSession(file, options);
            var wrong = Check(session, out var metadata);
            if (wrong is null)
            {
                model = new SmileModel(session, metadata!, path, Convert.ToHexStringLower(SHA256.HashData(file)));
                wrong = model.ProbeOnce();
            }

            reason = wrong is null ? null : $"The model {path} does not fit this version of SmileApi: {wrong}.";
        }
        catch (OnnxRuntimeException e)
        {
            reason = $"The model {path} is not a readable ONNX file: {FirstLine(e.Message)}";
        }

        if (reason is not null)
        {
            session?.Dispose();
            model = null;
        }

        return reason is null;
    }

    /// <summary>Makes a runner with tensors of its own; each runner is used by one thread at a time.</summary>
    /// <param name="maxBatch">Most faces of one run, at least 1.</param>
    public SmileRunner CreateRunner(int maxBatch) => new(Session, maxBatch);

    /// <summary>Frees the session. All runners must have been disposed before.</summary>
    public void Dispose() => Session.Dispose();

    private static SessionOptions CpuOptions()
    {
        // Many small runs side by side: threads inside one run would only wait for each other, and spinning ones would
        // take the processor from the decoders (measured elsewhere at 60 % of a busy server's throughput).
        var options = new SessionOptions
        {
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, // Failures come back as exceptions; no second copy on stderr.
        };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        options.AddSessionConfigEntry("session.inter_op.allow_spinning", "0");
        return options;
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

        return null;
    }

    private string? ProbeOnce()
    {
        using var runner = CreateRunner(1);
        var probability = new float[1];
        runner.Run([new float[FaceCrop.Length]], probability);
        return probability[0] is >= 0 and <= 1 ? null : $"a grey face gives {probability[0]}, which is no probability";
    }

    private static string FirstLine(string message) => message.Split('\n', 2)[0].Trim();
}
