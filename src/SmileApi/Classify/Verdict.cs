using System.Text.Json.Serialization;
using SmileApi.Batches;
using SmileApi.Explain;
using SmileApi.Faces;
using SmileApi.Imaging;
using SmileApi.Inference;
using SmileApi.Models;

namespace SmileApi.Classify;

/// <summary>The answer of <c>POST /classify</c>.</summary>
/// <param name="Smile">Whether the largest face smiles; null when there is no face.</param>
/// <param name="Probability">Calibrated probability that the largest face smiles, 0..1; null when there is no face.</param>
/// <param name="Threshold">Probabilities from here on count as a smile.</param>
/// <param name="Faces">The faces, largest first.</param>
/// <param name="Image">The picture as it was understood.</param>
/// <param name="Model">The model that judged.</param>
/// <param name="Timings">Where the time went.</param>
/// <param name="RequestId">Quote it when you report a problem; it stands in the service's log.</param>
internal sealed record Verdict(
    bool? Smile, float? Probability, float Threshold, IReadOnlyList<FaceVerdict> Faces, ImageInfo Image, ModelName Model, Timings Timings, string RequestId)
{
    public static Verdict Of(
        IReadOnlyList<FaceVerdict> faces, float threshold, GreyImage photo, SmileModel model, Timings timings, string requestId)
    {
        var largest = faces.Count > 0 ? faces[0] : null;
        return new Verdict(
            largest?.Smile, largest?.Probability, threshold, faces,
            new ImageInfo(photo.OriginalWidth, photo.OriginalHeight, photo.Format.Name()),
            new ModelName(model.Metadata.Name, model.Metadata.Version, model.Sha256),
            timings, requestId);
    }
}

/// <summary>One face of the answer.</summary>
/// <param name="Smile">Whether it smiles: the probability is at least the threshold.</param>
/// <param name="Probability">Calibrated probability that it smiles, 0..1.</param>
/// <param name="Box">Where the face is: the part in the picture of a square that a person would draw round it. The whole picture with <c>faces=whole</c>.</param>
/// <param name="Confidence">How sure the detector is that this is a face, 0..1; null when the caller said so (<c>faces=whole</c>).</param>
internal sealed record FaceVerdict(bool Smile, float Probability, Box Box, float? Confidence)
{
    public static FaceVerdict Of(FoundFace face, float probability, float threshold) => new(probability >= threshold, probability, face.Box, face.Confidence);
}

/// <summary>A rectangle in pixels of the upright picture; (0, 0) is its upper left corner.</summary>
internal sealed record Box(int X, int Y, int Width, int Height);

/// <summary>The picture as it was understood: upright size in pixels, and format (<c>jpeg</c>, <c>png</c>, <c>webp</c>).</summary>
internal sealed record ImageInfo(int Width, int Height, string Format);

/// <summary>The model that judged: its name, version, and the SHA-256 of its file.</summary>
internal sealed record ModelName(string Name, string Version, string Sha256);

/// <summary>Where the time went, in milliseconds.</summary>
/// <param name="DecodeMs">Decoding the picture.</param>
/// <param name="DetectMs">Finding the faces, waiting for runners included; 0 with <c>faces=whole</c>.</param>
/// <param name="QueueMs">Waiting: for a decoder, and the longest of a face for a runner of the smile network.</param>
/// <param name="InferMs">The longest run of the smile network that judged one of the faces; it may have judged others' faces, too.</param>
/// <param name="TotalMs">From the start of the request, its upload included, to its answer.</param>
internal sealed record Timings(double DecodeMs, double DetectMs, double QueueMs, double InferMs, double TotalMs);

/// <summary>An error: RFC 9457 problem details.</summary>
/// <param name="Type"><c>urn:smileapi:problem:</c> and the kind's name.</param>
/// <param name="Title">The same short sentence for every problem of this kind.</param>
/// <param name="Status">HTTP status code.</param>
/// <param name="Detail">What is wrong with this request and what to do.</param>
/// <param name="RequestId">Quote it when you report a problem; it stands in the service's log.</param>
internal sealed record ProblemDocument(string Type, string Title, int Status, string Detail, string RequestId)
{
    public static ProblemDocument Of(Problem problem, string requestId) =>
        new(problem.Kind.Type, problem.Kind.Title, problem.Kind.Status, problem.Detail, requestId);
}

/// <summary>JSON as the API writes it.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Verdict))]
[JsonSerializable(typeof(ProblemDocument))]
[JsonSerializable(typeof(BatchResult))]
[JsonSerializable(typeof(Explanation))]
[JsonSerializable(typeof(BatchEnd))]
[JsonSerializable(typeof(ModelCard))]
[JsonSerializable(typeof(ReloadRequest))]
internal sealed partial class WireJson : JsonSerializerContext;
