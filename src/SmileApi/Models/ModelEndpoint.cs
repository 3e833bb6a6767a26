using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Models;

/// <summary>Answer of <c>GET /model</c>: the served model's card.</summary>
/// <param name="Name">Name of the model.</param>
/// <param name="Version">Version of the model, semantic.</param>
/// <param name="Sha256">SHA-256 of the ONNX file, lower-case hexadecimal.</param>
/// <param name="Provider">What runs it: <c>cpu</c> or <c>cuda</c>.</param>
/// <param name="Devices">The devices that share the work: <c>cpu</c>, or GPUs such as <c>cuda:0</c>.</param>
/// <param name="Fallback">Why it is not a GPU although one was wanted; null when that is not so.</param>
/// <param name="JpegDecoder">What reads JPEG pictures: <c>libturbojpeg</c> or <c>SkiaSharp</c>.</param>
/// <param name="Threshold">Probabilities from here on count as a smile, unless a request says otherwise.</param>
/// <param name="Temperature">Calibration temperature, already part of the weights.</param>
/// <param name="Bias">Calibration bias, already part of the weights.</param>
/// <param name="Input">What the network expects to see.</param>
/// <param name="Cost">Size and cost of the network.</param>
/// <param name="Scores">Scores by data split.</param>
/// <param name="Training">How the weights came about.</param>
/// <param name="Licence">What the weights may be used for.</param>
/// <param name="Detector">What finds the faces.</param>
internal sealed record ModelCard(
    string Name, string Version, string Sha256, string Provider, IReadOnlyList<string> Devices, string? Fallback, string JpegDecoder, float Threshold, double Temperature, double Bias,
    ModelInput Input, ModelCost Cost, IReadOnlyDictionary<string, ModelScore> Scores, ModelTraining Training, string Licence,
    DetectorCard Detector)
{
    public static ModelCard Of(ModelSet models, InferenceDevices devices, ImageDecoder decoder)
    {
        var (model, faces) = (models.Smile, models.Faces);
        var metadata = model.Metadata;
        return new ModelCard(
            metadata.Name, metadata.Version, model.Sha256, model.Device.Provider, [.. models.Runners.Devices.Select(device => device.Name)], devices.Fallback,
            decoder.JpegBackend, metadata.Threshold, metadata.Temperature, metadata.Bias, metadata.Input, metadata.Cost, metadata.Scores, metadata.Training, metadata.Licence,
            new DetectorCard(StageCard.Of(faces.Find), StageCard.Of(faces.Check)));
    }
}

/// <summary>The face detector's two networks.</summary>
/// <param name="Find">Names candidates all over the picture.</param>
/// <param name="Check">Looks at each candidate.</param>
internal sealed record DetectorCard(StageCard Find, StageCard Check);

/// <summary>One network of the face detector.</summary>
/// <param name="Name">Name of the detector.</param>
/// <param name="Version">Version of the network, semantic.</param>
/// <param name="Sha256">SHA-256 of the ONNX file, lower-case hexadecimal.</param>
/// <param name="Threshold">Of <c>find</c>: probabilities from here on make a candidate. Of <c>check</c>: confidences from here on count as a face, unless a request says otherwise.</param>
/// <param name="Cost">Size and cost; multiply-adds of <c>find</c> for a picture of 320x320, of <c>check</c> for a candidate.</param>
/// <param name="Training">How the weights came about.</param>
/// <param name="Licence">What the weights may be used for.</param>
internal sealed record StageCard(string Name, string Version, string Sha256, float Threshold, ModelCost Cost, ModelTraining Training, string Licence)
{
    public static StageCard Of(FaceModel model)
    {
        var metadata = model.Metadata;
        return new StageCard(
            metadata.Name, metadata.Version, model.Sha256, metadata.Threshold, metadata.Cost, metadata.Training, metadata.Licence);
    }
}

internal static class ModelEndpoint
{
    public static void AddModel(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<ModelOptions, ValidateModelOptions>(ModelOptions.Section);
        builder.Services.AddSingleton<ModelStore>();
        builder.Services.AddHostedService(services => services.GetRequiredService<ModelStore>());
    }

    public static void MapModel(this IEndpointRouteBuilder app) =>
        app.MapGet("/model", (ModelStore models, InferenceDevices devices, ImageDecoder decoder) =>
                TypedResults.Json(ModelCard.Of(models.Current, devices, decoder), WireJson.Default.ModelCard))
            .WithTags("Model")
            .WithSummary("The served models' card")
            .WithDescription("Name, version, input, calibration, cost, scores and training of the model that answers now, and of the two networks that find the faces.")
            .Produces<ModelCard>()
            .ProducesProblems(401, 429);
}
