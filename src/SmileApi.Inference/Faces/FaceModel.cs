using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.OnnxRuntime;

namespace SmileApi.Inference;

/// <summary>
/// One stage of the face detector, loaded and checked. First stage: input <c>image</c> float32 [N, 1, H, W] with sides of
/// multiples of 8; outputs <c>face</c> float32 [N, 1, H/8, W/8] and <c>box</c> float32 [N, 3, H/8, W/8]. Second stage: input
/// <c>image</c> float32 [N, 1, 40, 40]; outputs <c>face</c> float32 [N, 1] and <c>box</c> float32 [N, 4]. Safe for concurrent
/// use through its <see cref="FaceRunner"/>s.
/// </summary>
public sealed class FaceModel : IDisposable
{
    internal const string InputName = "image";
    internal const string FaceName = "face";
    internal const string BoxName = "box";

    /// <summary>Values about the box beside the probability, in each cell of the first stage's map: dx, dy, log side.</summary>
    internal const int FindBoxValues = 3;

    /// <summary>Values about the box beside the probability, of the second stage: dx, dy, log scale, roll.</summary>
    internal const int CheckBoxValues = 4;

    private readonly OnnxFile _file;

    private FaceModel(OnnxFile file, FaceModelMetadata metadata)
    {
        (_file, Metadata) = (file, metadata);
    }

    /// <summary>What the network says of itself.</summary>
    public FaceModelMetadata Metadata { get; }

    /// <summary>The file it was read from, absolute.</summary>
    public string Path => _file.Path;

    /// <summary>SHA-256 of the file, lower-case hexadecimal.</summary>
    public string Sha256 => _file.Sha256;

    /// <summary>What runs it.</summary>
    public Device Device => _file.Device;

    /// <summary>Loads a network for the CPU and checks that it is one of ours, of this stage, and works.</summary>
    /// <inheritdoc cref="TryLoad(string, string, Device, out FaceModel?, out string?)"/>
    public static bool TryLoad(string path, string stage, [NotNullWhen(true)] out FaceModel? model, [NotNullWhen(false)] out string? reason) =>
        TryLoad(path, stage, Device.Cpu, out model, out reason);

    /// <summary>Loads a network and checks that it is one of ours, of this stage, and works.</summary>
    /// <param name="path">An ONNX file.</param>
    /// <param name="stage"><see cref="FaceModelMetadata.FindStage"/> or <see cref="FaceModelMetadata.CheckStage"/>.</param>
    /// <param name="device">What is to run it.</param>
    /// <param name="model">The network, when the result is true; the caller disposes it.</param>
    /// <param name="reason">When the result is false: one line that names the file and what is wrong with it.</param>
    public static bool TryLoad(
        string path, string stage, Device device, [NotNullWhen(true)] out FaceModel? model, [NotNullWhen(false)] out string? reason)
    {
        if (stage is not (FaceModelMetadata.FindStage or FaceModelMetadata.CheckStage))
        {
            throw new ArgumentOutOfRangeException(nameof(stage), stage, "There is no such stage.");
        }

        return OnnxFile.TryLoad(path, device, file => Fit(file, stage), out model, out reason);
    }

    /// <summary>The same network in a new session, for when this one's no longer works; this one may have been disposed.</summary>
    /// <exception cref="OnnxRuntimeException">It cannot be opened now.</exception>
    public FaceModel Reopen() => Reopen(Device);

    /// <summary>The same network in a new session on a device.</summary>
    /// <exception cref="OnnxRuntimeException">It cannot be opened there now.</exception>
    public FaceModel Reopen(Device device) => new(_file.Reopen(device), Metadata);

    /// <summary>Makes a runner with tensors of its own; each runner is used by one thread at a time.</summary>
    /// <param name="maxPixels">Most pixels of all pictures of one run together.</param>
    public FaceRunner CreateRunner(int maxPixels) => new(_file.Session, Metadata.Stage, maxPixels, Device.FixedShapes);

    /// <summary>Frees the session. All runners must have been disposed before.</summary>
    public void Dispose() => _file.Session.Dispose();

    private static (FaceModel? Model, string? Wrong) Fit(OnnxFile file, string stage)
    {
        if (!file.Session.ModelMetadata.CustomMetadataMap.TryGetValue(FaceModelMetadata.Key, out var json))
        {
            return (null, $"it has no '{FaceModelMetadata.Key}' metadata, so it is no face detector made by the smile trainer");
        }

        var wrong = FaceModelMetadata.Read(json, stage, out var metadata) ?? WrongShape(file.Session, stage);
        if (wrong is not null)
        {
            return (null, wrong);
        }

        var model = new FaceModel(file, metadata!);
        return (model, model.ProbeOnce());
    }

    private static string? WrongShape(InferenceSession session, string stage)
    {
        var find = stage == FaceModelMetadata.FindStage;
        var sides = find ? "H, W" : $"{FaceModelMetadata.CandidateSide}, {FaceModelMetadata.CandidateSide}";
        if (!session.InputMetadata.TryGetValue(InputName, out var input) || session.InputMetadata.Count != 1)
        {
            return $"its input must be one tensor called '{InputName}'";
        }

        if (input.ElementType != typeof(float)
            || !(find ? input.Dimensions is [-1, 1, -1, -1] : input.Dimensions is [-1, 1, FaceModelMetadata.CandidateSide, FaceModelMetadata.CandidateSide]))
        {
            return $"its input '{InputName}' must be float32 [N, 1, {sides}]";
        }

        var (rank, boxValues) = find ? (4, FindBoxValues) : (2, CheckBoxValues);
        foreach (var (name, channels) in new[] { (FaceName, 1), (BoxName, boxValues) })
        {
            if (!session.OutputMetadata.TryGetValue(name, out var output) || output.ElementType != typeof(float)
                || output.Dimensions.Length != rank || output.Dimensions[1] != channels)
            {
                return $"its output '{name}' must be float32 [N, {channels}{(find ? ", H/8, W/8" : "")}]";
            }
        }

        return null;
    }

    private string? ProbeOnce()
    {
        var (width, height) = Metadata.Stage == FaceModelMetadata.FindStage ? (64, 128) : (FaceModelMetadata.CandidateSide, FaceModelMetadata.CandidateSide);
        using var runner = CreateRunner(width * height);
        var answers = new float[1][];
        runner.Run([new float[width * height]], width, height, answers);
        return FaceRunner.IsSound(answers[0], Metadata.Stage, width, height) ? null : "a grey picture gives values that are no probabilities";
    }
}
