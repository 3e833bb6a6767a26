using System.Text.Json;
using System.Text.Json.Serialization;

namespace SmileApi.Inference;

/// <summary>
/// What a network of the face detector says of itself: one JSON object under the key <see cref="Key"/> of the ONNX file's
/// <c>metadata_props</c>. The detector has two stages, each a file of its own: the first finds candidates all over a picture
/// (<see cref="FindStage"/>), the second looks at each of them more closely (<see cref="CheckStage"/>).
/// </summary>
public sealed record FaceModelMetadata
{
    /// <summary>The key in the ONNX file's <c>metadata_props</c>.</summary>
    public const string Key = "smileapi-faces";

    /// <summary>The layout of this record that this code writes and reads.</summary>
    public const int CurrentFormat = 1;

    /// <summary>The first stage: a fully convolutional network that finds the faces of one octave of sizes.</summary>
    public const string FindStage = "find";

    /// <summary>The second stage: a network that judges one candidate.</summary>
    public const string CheckStage = "check";

    /// <summary>Pixels that one cell of the first stage's map stands for along each side; the only stride so far.</summary>
    public const int CellSide = 8;

    /// <summary>Side of the second stage's input, in pixels; the only one so far.</summary>
    public const int CandidateSide = 40;

    /// <summary>Layout of this record; <see cref="CurrentFormat"/>.</summary>
    public required int Format { get; init; }

    /// <summary>Name of the detector.</summary>
    public required string Name { get; init; }

    /// <summary>Version of the detector, semantic.</summary>
    public required string Version { get; init; }

    /// <summary><see cref="FindStage"/> or <see cref="CheckStage"/>.</summary>
    public required string Stage { get; init; }

    /// <summary>First stage: grey level, 0..255, subtracted from each pixel.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float Mean { get; init; }

    /// <summary>First stage: grey levels, above 0, by which each pixel is then divided.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float Deviation { get; init; }

    /// <summary>First stage: pixels of a cell's side; <see cref="CellSide"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Stride { get; init; }

    /// <summary>First stage: side, in pixels, of a box whose logarithm of size is 0.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float ReferenceSide { get; init; }

    /// <summary>First stage: smallest side of a box that it finds well, in pixels of its input.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float MinBox { get; init; }

    /// <summary>First stage: largest side of a box that it finds well, in pixels of its input; at least twice <see cref="MinBox"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float MaxBox { get; init; }

    /// <summary>Second stage: side of its square input, in pixels; <see cref="CandidateSide"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Side { get; init; }

    /// <summary>Second stage: how many times larger its input's square is than the candidate's box, about the same centre.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float Margin { get; init; }

    /// <summary>Second stage: grey levels added to the deviation of its input before it is divided by that, so that noise on a flat square stays small.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float DeviationFloor { get; init; }

    /// <summary>
    /// Second stage: how much the first stage's word counts beside its own. The confidence of a face is
    /// <c>sigmoid(logit(p) + FindWeight * logit(q))</c> of its own probability p and the first stage's, q.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float FindWeight { get; init; }

    /// <summary>
    /// First stage: probabilities from here on make a candidate. Second stage: confidences from here on count as a face, unless
    /// a caller says otherwise. Between 0 and 1.
    /// </summary>
    public required float Threshold { get; init; }

    /// <summary>Size and cost of the network; multiply-adds of the first stage for a picture of 320x320, of the second for a candidate.</summary>
    public required ModelCost Cost { get; init; }

    /// <summary>How the weights came about.</summary>
    public required ModelTraining Training { get; init; }

    /// <summary>What the weights may be used for, in a sentence.</summary>
    public required string Licence { get; init; }

    /// <summary>The record as JSON, camel case, without what belongs to the other stage.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ModelJson.Default.FaceModelMetadata);

    /// <summary>Reads the record and checks every value that code depends on.</summary>
    /// <param name="stage">The stage that the file is to be.</param>
    /// <param name="metadata">The record, when the result is null.</param>
    /// <returns>What is wrong with it, or null.</returns>
    internal static string? Read(string json, string stage, out FaceModelMetadata? metadata)
    {
        metadata = null;
        try
        {
            metadata = JsonSerializer.Deserialize(json, ModelJson.Default.FaceModelMetadata);
        }
        catch (JsonException e)
        {
            return $"its '{Key}' metadata cannot be read: {e.Message}";
        }

        return metadata switch
        {
            null => $"its '{Key}' metadata is empty",
            { Format: not CurrentFormat } => $"its metadata has format {metadata.Format}, and this version reads format {CurrentFormat}",
            { Cost: null } or { Training: null } => $"its '{Key}' metadata has nulls where values must be",
            { Threshold: not (> 0 and < 1) } => $"its threshold {metadata.Threshold} is not between 0 and 1",
            _ when metadata.Stage != stage => $"it is the stage '{metadata.Stage}' of the detector, where the stage '{stage}' must be",
            { Stage: FindStage } => metadata.WrongInFind(),
            _ => metadata.WrongInCheck(),
        };
    }

    private string? WrongInFind() => this switch
    {
        { Stride: not CellSide } => $"its cells have {Stride} pixels, and this version reads cells of {CellSide}",
        { Mean: not (>= 0 and <= 255) } => $"its mean grey level {Mean} is not within 0..255",
        { Deviation: not (> 0 and <= 255) } => $"its deviation of grey levels {Deviation} is not within 0..255",
        { ReferenceSide: not (>= 1 and <= 1000) } => $"its reference side {ReferenceSide} is not within 1..1000 pixels",
        { MinBox: not (>= 8 and <= 100) } => $"its smallest box {MinBox} is not within 8..100 pixels",
        { MaxBox: not <= 1000 } => $"its largest box {MaxBox} is not within 1000 pixels",
        _ when !(MaxBox >= 2 * MinBox) => $"its largest box {MaxBox} is less than twice its smallest, {MinBox}, so that sizes would be missed",
        _ => null,
    };

    private string? WrongInCheck() => this switch
    {
        { Side: not CandidateSide } => $"it expects candidates of {Side} pixels, and this version makes candidates of {CandidateSide}",
        { Margin: not (>= 0.5f and <= 4) } => $"its margin {Margin} is not within 0.5..4",
        { DeviationFloor: not (> 0 and <= 255) } => $"its floor of deviations {DeviationFloor} is not within 0..255",
        { FindWeight: not (>= 0 and <= 10) } => $"the weight {FindWeight} of the first stage's word is not within 0..10",
        _ => null,
    };
}
