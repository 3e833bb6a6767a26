using System.Text.Json;
using System.Text.Json.Serialization;
using SmileApi.Imaging;

namespace SmileApi.Inference;

/// <summary>
/// What a smile model says of itself: one JSON object under the key <see cref="Key"/> of the ONNX file's
/// <c>metadata_props</c>. The trainer writes it; whoever loads the model checks it.
/// </summary>
public sealed record ModelMetadata
{
    /// <summary>The key in the ONNX file's <c>metadata_props</c>.</summary>
    public const string Key = "smileapi";

    /// <summary>The layout of this record that this code writes and reads.</summary>
    public const int CurrentFormat = 1;

    /// <summary>The only crop convention so far: a tight square from the brow to below the lower lip.</summary>
    public const string TightCrop = "brow-to-lower-lip";

    /// <summary>What follows the <c>+</c> in the version of a model whose convolutions compute in 8 bits.</summary>
    public const string QuantisedForm = "int8";

    /// <summary>Layout of this record; <see cref="CurrentFormat"/>.</summary>
    public required int Format { get; init; }

    /// <summary>Name of the model, <c>smile-cnn20</c> for instance.</summary>
    public required string Name { get; init; }

    /// <summary>Version of the model, semantic; what follows a <c>+</c> is a form of the same network, such as <see cref="QuantisedForm"/>.</summary>
    public required string Version { get; init; }

    /// <summary>The version of the network, whatever form this file has it in.</summary>
    [JsonIgnore]
    public string NetworkVersion => Version.Split('+')[0];

    /// <summary>What the network expects to see.</summary>
    public required ModelInput Input { get; init; }

    /// <summary>Calibrated probabilities from here on count as a smile; 0..1.</summary>
    public required float Threshold { get; init; }

    /// <summary>By what the logits were divided on export, for calibration; above 0. Recorded, never applied again.</summary>
    public required double Temperature { get; init; }

    /// <summary>What was added to the divided logits on export, for another share of smiles than that of the training pictures. Recorded, never applied again.</summary>
    public double Bias { get; init; }

    /// <summary>Size and cost of the network.</summary>
    public required ModelCost Cost { get; init; }

    /// <summary>How the weights came about.</summary>
    public required ModelTraining Training { get; init; }

    /// <summary>Scores by data split: <c>val</c>, <c>test</c>.</summary>
    public required IReadOnlyDictionary<string, ModelScore> Scores { get; init; }

    /// <summary>What the weights may be used for, in a sentence.</summary>
    public required string Licence { get; init; }

    /// <summary>The record as JSON, camel case.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ModelJson.Default.ModelMetadata);

    /// <summary>Reads the record and checks every value that code depends on.</summary>
    /// <param name="metadata">The record, when the result is null.</param>
    /// <returns>What is wrong with it, or null.</returns>
    internal static string? Read(string json, out ModelMetadata? metadata)
    {
        metadata = null;
        try
        {
            metadata = JsonSerializer.Deserialize(json, ModelJson.Default.ModelMetadata);
        }
        catch (JsonException e)
        {
            return $"its '{Key}' metadata cannot be read: {e.Message}";
        }

        return metadata switch
        {
            null => $"its '{Key}' metadata is empty",
            { Format: not CurrentFormat } => $"its metadata has format {metadata.Format}, and this version reads format {CurrentFormat}",
            { Input: null } or { Cost: null } or { Training: null } or { Scores: null } => $"its '{Key}' metadata has nulls where values must be",
            { Input.Side: not FaceCrop.Side } => $"it expects faces of {metadata.Input.Side} pixels, and this version makes faces of {FaceCrop.Side}",
            { Input.Crop: not TightCrop } => $"it expects crops of the kind '{metadata.Input.Crop}', and this version makes '{TightCrop}'",
            { Input.Mean: not (>= 0 and <= 255) } => $"its mean grey level {metadata.Input.Mean} is not within 0..255",
            { Input.Deviation: not (> 0 and <= 255) } => $"its deviation of grey levels {metadata.Input.Deviation} is not within 0..255",
            { Threshold: not (> 0 and < 1) } => $"its threshold {metadata.Threshold} is not between 0 and 1",
            { Temperature: not (> 0 and < 1000) } => $"its calibration temperature {metadata.Temperature} is not positive",
            { Bias: not (> -100 and < 100) } => $"its calibration bias {metadata.Bias} is not a small number",
            _ => null,
        };
    }
}

/// <summary>What the network expects to see.</summary>
/// <param name="Side">Side of the square face, in pixels.</param>
/// <param name="Mean">Grey level, 0..255, subtracted from each pixel.</param>
/// <param name="Deviation">Grey levels by which each pixel is then divided.</param>
/// <param name="Crop">The crop convention; <see cref="ModelMetadata.TightCrop"/>.</param>
public sealed record ModelInput(int Side, float Mean, float Deviation, string Crop)
{
    /// <summary>Mean and deviation as the cropper takes them.</summary>
    [JsonIgnore]
    public Normalisation Normalisation => new(Mean, Deviation);
}

/// <summary>Size and cost of a network.</summary>
/// <param name="Layers">Weight layers: convolutions and linear ones.</param>
/// <param name="Parameters">Weights and biases after batch normalisation is folded.</param>
/// <param name="MultiplyAdds">Multiply-adds a face.</param>
public sealed record ModelCost(int Layers, long Parameters, long MultiplyAdds);

/// <summary>How the weights came about.</summary>
/// <param name="Seed">Seed of all randomness.</param>
/// <param name="Epochs">Passes over the training pictures.</param>
/// <param name="Pictures">Training pictures.</param>
/// <param name="Finished">When the last epoch ended, UTC.</param>
/// <param name="Data">SHA-256, in hexadecimal, of each data file by name.</param>
public sealed record ModelTraining(int Seed, int Epochs, int Pictures, DateTimeOffset Finished, IReadOnlyDictionary<string, string> Data);

/// <summary>Scores on one split, at the threshold of the metadata.</summary>
/// <param name="Count">Faces judged.</param>
/// <param name="Accuracy">Share judged right, 0..1.</param>
/// <param name="BalancedAccuracy">Mean of the shares judged right in each class, 0..1.</param>
/// <param name="RocAuc">Area under the receiver operating characteristic, 0..1.</param>
/// <param name="LogLoss">Mean binary cross-entropy in nats.</param>
public sealed record ModelScore(int Count, double Accuracy, double BalancedAccuracy, double RocAuc, double LogLoss);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ModelMetadata))]
[JsonSerializable(typeof(FaceModelMetadata))]
internal sealed partial class ModelJson : JsonSerializerContext;
