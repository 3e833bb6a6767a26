using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using SmileApi.Classify;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Models;

/// <summary>Answer of <c>GET /model/history</c>: how the served model learned.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Version">Version of the model, semantic.</param>
/// <param name="Pictures">How many pictures it learned from.</param>
/// <param name="BestEpoch">The epoch whose weights are served.</param>
/// <param name="Epochs">From epoch 0, before the first step, on.</param>
/// <param name="Filters">
/// The first layer as it formed, from before the first step to after the last: for each filter, its weights, row by row of a square. They
/// multiply the grey levels under the filter, less their mean and divided by their deviation. Null where no training kept them.
/// </param>
/// <param name="FiltersFrom">
/// Of which training they are: <c>model</c>, one for each of the epochs, or <c>curve</c>, the last one of the learning curve, which is a
/// shorter training of a network of the same kind. Null without filters.
/// </param>
/// <param name="Judges">Other ways of judging the same validation faces, the network last; null where they were not measured.</param>
/// <param name="Curve">Networks that learned from fewer pictures, fewest first; null where they were not trained.</param>
internal sealed record ModelHistory(
    string Model, string Version, int Pictures, int BestEpoch, IReadOnlyList<EpochScores> Epochs, IReadOnlyList<IReadOnlyList<IReadOnlyList<float>>>? Filters, string? FiltersFrom,
    IReadOnlyList<JudgeScores>? Judges, IReadOnlyList<CurvePoint>? Curve)
{
    /// <summary>The history that lies beside a model: <c>training/history.json</c>, and <c>training/story.json</c> where there is one.</summary>
    /// <returns>Null where there is none, or one of another model.</returns>
    public static async Task<ModelHistory?> BesideAsync(SmileModel model, CancellationToken aborted)
    {
        var folder = Path.Combine(Path.GetDirectoryName(model.Path)!, "training");
        var history = await ReadAsync(Path.Combine(folder, "history.json"), HistoryJson.Default.ModelHistory, aborted);
        if (history is null || history.Model != model.Metadata.Name || history.Version != model.Metadata.NetworkVersion)
        {
            return null;
        }

        var story = await ReadAsync(Path.Combine(folder, "story.json"), HistoryJson.Default.ModelStory, aborted);
        var (filters, from) = AreWhole(history.Filters) && history.Filters.Count == history.Epochs?.Count ? (history.Filters, "model")
            : AreWhole(story?.Curve?.Filters) ? (story.Curve.Filters, "curve")
            : (null, null);
        return history with { Filters = filters, FiltersFrom = from, Judges = story?.Judges, Curve = story?.Curve?.Points };
    }

    /// <summary>Whether there are as many filters each time, all of them squares of one size: a file of one's own may hold anything.</summary>
    private static bool AreWhole([NotNullWhen(true)] IReadOnlyList<IReadOnlyList<IReadOnlyList<float>>>? filters) =>
        filters is [[{ Count: > 0 } kernel, ..] start, ..]
        && Math.Sqrt(kernel.Count) % 1 == 0
        && filters.All(time => time?.Count == start.Count && time.All(filter => filter?.Count == kernel.Count));

    private static async Task<T?> ReadAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken aborted)
        where T : class
    {
        try
        {
            await using var file = File.OpenRead(path);
            return await JsonSerializer.DeserializeAsync(file, type, aborted);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            // A model of one's own has none, or half of one: it judges all the same.
            return null;
        }
    }
}

/// <summary>The network after an epoch.</summary>
/// <param name="Epoch">0 is before the first step.</param>
/// <param name="Loss">Mean loss of the epoch's steps in nats, on the altered pictures that it learns from; null at epoch 0.</param>
/// <param name="Train">Scores on a sample of the pictures it learns from.</param>
/// <param name="Val">Scores on faces of people whom it never sees.</param>
internal sealed record EpochScores(int Epoch, double? Loss, ModelScore Train, ModelScore Val);

/// <summary>A way of judging, and how good it is on the validation faces.</summary>
/// <param name="Name">What it is.</param>
/// <param name="How">How it judges, in one sentence.</param>
/// <param name="Accuracy">Share of right verdicts, 0..1.</param>
/// <param name="BalancedAccuracy">Mean of the shares of right verdicts on smiles and on the others, 0..1; guessing has 0.5.</param>
/// <param name="RocAuc">Probability that a smile gets the higher score than a face without one, 0..1.</param>
internal sealed record JudgeScores(string Name, string How, double Accuracy, double BalancedAccuracy, double RocAuc);

/// <summary>A network that learned from fewer pictures, with as many steps.</summary>
/// <param name="Smiles">Smiles it learned from.</param>
/// <param name="NonSmiles">Other faces it learned from.</param>
/// <param name="Accuracy">Share of right verdicts on the validation faces, 0..1.</param>
/// <param name="BalancedAccuracy">Mean of the shares of right verdicts on smiles and on the others, 0..1.</param>
/// <param name="RocAuc">Probability that a smile gets the higher score than a face without one, 0..1.</param>
internal sealed record CurvePoint(int Smiles, int NonSmiles, double Accuracy, double BalancedAccuracy, double RocAuc);

/// <summary>What of <c>story.json</c> is told.</summary>
internal sealed record ModelStory(IReadOnlyList<JudgeScores>? Judges, LearningCurve? Curve);

/// <summary>The learning curve of <c>story.json</c>.</summary>
internal sealed record LearningCurve(IReadOnlyList<CurvePoint>? Points, IReadOnlyList<IReadOnlyList<IReadOnlyList<float>>>? Filters);

internal static class HistoryEndpoint
{
    public static void MapHistory(this IEndpointRouteBuilder app) =>
        app.MapGet("/model/history", HistoryAsync)
            .WithTags("Model")
            .WithSummary("How the served model learned")
            .WithDescription(
                "The training of the model that answers now, epoch by epoch, from random weights on, with the filters of the first layer as they formed; other ways of judging the same faces; and networks that learned from fewer pictures. "
                + "404 where no such history lies beside the model.")
            .Produces<ModelHistory>()
            .ProducesProblems(401, 404, 429);

    private static async Task<IResult> HistoryAsync(HttpContext context, ModelStore models) =>
        await ModelHistory.BesideAsync(models.Current.Smile, context.RequestAborted) is { } history
            ? TypedResults.Json(history, HistoryJson.Default.ModelHistory)
            : new ProblemResult(new Problem(ProblemKind.NotFound, "No history of the model that is served lies beside it (training/history.json)."));
}

/// <summary>The files that the training tool writes, and the answer made of them.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ModelHistory))]
[JsonSerializable(typeof(ModelStory))]
internal sealed partial class HistoryJson : JsonSerializerContext;
