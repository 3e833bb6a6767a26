using System.Text.Json.Serialization;

namespace SmileApi.Client;

/// <summary>What the service says of a picture.</summary>
/// <param name="Smile">Whether the largest face smiles; null when there is no face.</param>
/// <param name="Probability">Calibrated probability that the largest face smiles, 0..1; null when there is no face.</param>
/// <param name="Threshold">Probabilities from here on count as a smile.</param>
/// <param name="Faces">The faces, largest first.</param>
/// <param name="Image">The picture as it was understood.</param>
/// <param name="Model">The model that judged.</param>
/// <param name="Timings">Where the time went.</param>
/// <param name="RequestId">Quote it when you report a problem; it stands in the service's log.</param>
public sealed record SmileVerdict(
    bool? Smile, float? Probability, float Threshold, IReadOnlyList<SmileFace> Faces, ImageInfo Image, ModelName Model, Timings Timings, string RequestId);

/// <summary>One face.</summary>
/// <param name="Smile">Whether it smiles: the probability is at least the threshold.</param>
/// <param name="Probability">Calibrated probability that it smiles, 0..1.</param>
/// <param name="Box">Where it is.</param>
/// <param name="Confidence">How sure the detector is that this is a face, 0..1; null when you said so (<see cref="FaceMode.Whole"/>).</param>
public sealed record SmileFace(bool Smile, float Probability, FaceBox Box, float? Confidence);

/// <summary>A rectangle in pixels of the upright picture; (0, 0) is its upper left corner.</summary>
/// <param name="X">Left edge.</param>
/// <param name="Y">Upper edge.</param>
/// <param name="Width">Width, at least 1.</param>
/// <param name="Height">Height, at least 1.</param>
public sealed record FaceBox(int X, int Y, int Width, int Height);

/// <summary>A picture as it was understood.</summary>
/// <param name="Width">Upright, in pixels.</param>
/// <param name="Height">Upright, in pixels.</param>
/// <param name="Format"><c>jpeg</c>, <c>png</c> or <c>webp</c>.</param>
public sealed record ImageInfo(int Width, int Height, string Format);

/// <summary>The model that judged.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its version, semantic.</param>
/// <param name="Sha256">SHA-256 of its file.</param>
public sealed record ModelName(string Name, string Version, string Sha256);

/// <summary>Where the service's time went, in milliseconds.</summary>
/// <param name="DecodeMs">Decoding the picture.</param>
/// <param name="DetectMs">Finding the faces.</param>
/// <param name="QueueMs">Waiting for a decoder and for a runner of the network.</param>
/// <param name="InferMs">The longest run of the network that judged one of the faces.</param>
/// <param name="TotalMs">From the start of the request, its upload included, to its answer.</param>
public sealed record Timings(double DecodeMs, double DetectMs, double QueueMs, double InferMs, double TotalMs);

/// <summary>A verdict, and what the network saw in each face.</summary>
/// <param name="Smile">Whether the largest face smiles; null when there is no face.</param>
/// <param name="Probability">Calibrated probability that the largest face smiles, 0..1; null when there is no face.</param>
/// <param name="Threshold">Probabilities from here on count as a smile.</param>
/// <param name="Faces">The faces, largest first.</param>
/// <param name="Image">The picture as it was understood.</param>
/// <param name="Model">The model that judged.</param>
/// <param name="Timings">Where the time went.</param>
/// <param name="RequestId">Quote it when you report a problem; it stands in the service's log.</param>
public sealed record SmileExplanation(
    bool? Smile, float? Probability, float Threshold, IReadOnlyList<ExplainedFace> Faces, ImageInfo Image, ModelName Model, Timings Timings, string RequestId);

/// <summary>One face, and what the network saw in it.</summary>
/// <param name="Smile">Whether it smiles: the probability is at least the threshold.</param>
/// <param name="Probability">Calibrated probability that it smiles, 0..1.</param>
/// <param name="Box">Where it is.</param>
/// <param name="Confidence">How sure the detector is that this is a face, 0..1; null when you said so.</param>
/// <param name="Crop">What the network looked at, and what the map lies over.</param>
/// <param name="Map">What each place of the crop adds to the logit: rows from the top, each from the left. Above 0 it speaks for a smile, below against one.</param>
public sealed record ExplainedFace(bool Smile, float Probability, FaceBox Box, float? Confidence, FaceCrop Crop, IReadOnlyList<IReadOnlyList<float>> Map);

/// <summary>A square in pixels of the upright picture, turned about its centre.</summary>
/// <param name="X">Left edge before it is turned; may lie outside the picture.</param>
/// <param name="Y">Upper edge before it is turned.</param>
/// <param name="Side">Side length.</param>
/// <param name="Roll">Degrees clockwise by which it is turned.</param>
public sealed record FaceCrop(float X, float Y, float Side, float Roll);

/// <summary>What became of one picture of many.</summary>
/// <param name="Index">Which one, from 0 on, in the order in which they were given.</param>
/// <param name="Name">What you called it.</param>
/// <param name="Status">The HTTP status that the picture would have got by itself; 200 when there is a verdict.</param>
/// <param name="Verdict">What the service says of it; null when there is a problem with it.</param>
/// <param name="Problem">What is wrong with it; null when there is a verdict.</param>
/// <param name="RetryAfterSeconds">In how many seconds trying again makes sense, if it does.</param>
public sealed record BatchResult(
    int Index, string? Name, int Status,
    [property: JsonPropertyName("result")] SmileVerdict? Verdict,
    SmileProblem? Problem,
    [property: JsonPropertyName("retryAfter")] double? RetryAfterSeconds)
{
    /// <summary>The verdict.</summary>
    /// <exception cref="SmileApiException">There is a problem with the picture.</exception>
    public SmileVerdict EnsureVerdict() => Verdict
        ?? throw new SmileApiException(Problem!, RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null);
}

/// <summary>An error as the service tells it: RFC 9457 problem details.</summary>
/// <param name="Type"><c>urn:smileapi:problem:</c> and the kind's name; programs decide by it.</param>
/// <param name="Title">The same short sentence for every problem of this kind.</param>
/// <param name="Status">HTTP status code.</param>
/// <param name="Detail">What is wrong and what to do, for people.</param>
/// <param name="RequestId">Quote it when you report a problem; it stands in the service's log.</param>
public sealed record SmileProblem(string Type, string? Title, int Status, string? Detail, string? RequestId);

/// <summary>The model that a service serves.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its version, semantic.</param>
/// <param name="Sha256">SHA-256 of its file.</param>
/// <param name="Threshold">Probabilities from here on count as a smile, unless a request says otherwise.</param>
/// <param name="Licence">What its weights may be used for.</param>
public sealed record ServedModel(string Name, string Version, string Sha256, float Threshold, string Licence);

internal sealed record BatchDocument(IReadOnlyList<BatchResult> Results, SmileProblem? Problem);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SmileVerdict))]
[JsonSerializable(typeof(SmileExplanation))]
[JsonSerializable(typeof(SmileProblem))]
[JsonSerializable(typeof(BatchDocument))]
[JsonSerializable(typeof(ServedModel))]
internal sealed partial class ClientJson : JsonSerializerContext;
