using System.Buffers;
using SmileApi.Batching;
using SmileApi.Explain;
using SmileApi.Faces;
using SmileApi.Imaging;
using SmileApi.Inference;
using SmileApi.Models;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary>From the bytes of a picture to a verdict on each of its faces.</summary>
internal sealed class Classifier(
    DecodeGate decoder, FaceFinder finder, DynamicBatcher batcher, ModelStore models, SmileMetrics metrics, TimeProvider time)
{
    /// <summary>Faces of one picture that wait at a time: enough for full batches, and little memory, however many there are.</summary>
    private const int FacesAtOnce = 32;

    /// <param name="bytes">The encoded picture. Not kept after the task has ended.</param>
    /// <param name="query">The caller's options.</param>
    /// <param name="received">When the request arrived, a timestamp of the time provider.</param>
    /// <param name="requestId">Goes into the verdict.</param>
    /// <param name="aborted">The caller has gone or its time is over: what has not begun is dropped.</param>
    public Task<(Verdict? Verdict, Problem? Problem)> ClassifyAsync(
        ReadOnlyMemory<byte> bytes, ClassifyQuery query, long received, string requestId, CancellationToken aborted) =>
        ClassifyAsync(bytes, query, received, requestId, maps: null, aborted);

    /// <param name="maps">To which what the network saw in each face is added, in the order of the verdict's faces.</param>
    /// <inheritdoc cref="ClassifyAsync(ReadOnlyMemory{byte}, ClassifyQuery, long, string, CancellationToken)"/>
    public async Task<(Verdict? Verdict, Problem? Problem)> ClassifyAsync(
        ReadOnlyMemory<byte> bytes, ClassifyQuery query, long received, string requestId, List<FaceMap>? maps, CancellationToken aborted)
    {
        // One set of models for all of a picture: it is judged, and its answer named, by the one that was served when it came.
        using var lease = models.Lease();
        var (model, detector) = (lease.Models.Smile, lease.Models.Faces);
        if (!decoder.TryInspect(bytes.Span, out var header, out var problem) || !finder.TryPlan(detector, header, query, out var plan, out problem))
        {
            return (null, problem);
        }

        if (maps is not null && model.ActivationSize == default)
        {
            return (null, new Problem(ProblemKind.NoExplanation, $"The model {model.Metadata.Name} {model.Metadata.Version} gives probabilities only, without a map of what it saw."));
        }

        (var photo, problem) = await decoder.DecodeAsync(bytes, header, plan.Reduction, aborted);
        using (photo)
        {
            if (photo is null)
            {
                return (null, problem);
            }

            aborted.ThrowIfCancellationRequested();
            using var place = batcher.TryEnter(lease.Models.Runners);
            if (place is null)
            {
                return (null, new Problem(ProblemKind.Overloaded, "Too many pictures wait to be judged. Try again later.", batcher.DrainTime));
            }

            var (faces, detected) = await finder.FindAsync(detector, photo.Image, plan, query, place, aborted);
            var scores = await ScoreAsync(photo.Image, faces, model, place, maps, aborted);

            var timings = new Timings(
                DecodeMs: Milliseconds(photo.Decoded),
                DetectMs: Milliseconds(detected),
                QueueMs: Milliseconds(photo.Waited + scores.Select(score => score.Waited).DefaultIfEmpty().Max()),
                InferMs: Milliseconds(scores.Select(score => score.Ran).DefaultIfEmpty().Max()),
                TotalMs: Milliseconds(time.GetElapsedTime(received)));
            var threshold = query.Threshold ?? model.Metadata.Threshold;
            FaceVerdict[] judged = [.. faces.Zip(scores, (face, score) => FaceVerdict.Of(face, score.Probability, threshold))];
            Array.ForEach(judged, face => metrics.FaceJudged(face.Smile));
            return (Verdict.Of(judged, threshold, photo.Image, model, timings, requestId), null);
        }
    }

    private async Task<IReadOnlyList<Score>> ScoreAsync(
        GreyImage photo, IReadOnlyList<FoundFace> faces, SmileModel model, WorkQueue.Place place, List<FaceMap>? maps, CancellationToken aborted)
    {
        var normalisation = model.Metadata.Input.Normalisation;
        using var stage = Stages.Infer(faces.Count);
        var scores = new List<Score>(faces.Count);
        foreach (var chunk in faces.Chunk(FacesAtOnce))
        {
            aborted.ThrowIfCancellationRequested();
            var answers = await Task.WhenAll(Array.ConvertAll(chunk, face => batcher.RunAsync(place, WorkKind.Face, Crop(photo, face, normalisation), aborted)));
            foreach (var (face, answer) in chunk.Zip(answers))
            {
                scores.Add(new Score(answer.Values[0], answer.Waited, answer.Ran));
                maps?.Add(FaceMap.Of(face, photo.Reduction, answer.Values.AsSpan(1), model.ActivationSize));
                ArrayPool<float>.Shared.Return(answer.Values);
            }
        }

        return scores;
    }

    private static float[] Crop(GreyImage photo, FoundFace face, Normalisation normalisation)
    {
        var rented = ArrayPool<float>.Shared.Rent(FaceCrop.Length);
        FaceCrop.Resample(photo, face.Crop, normalisation, rented.AsSpan(0, FaceCrop.Length), roll: face.Roll);
        return rented;
    }

    // Microseconds are what the clock is good for; further digits would only look exact.
    private static double Milliseconds(TimeSpan duration) => Math.Round(duration.TotalMilliseconds, 3);

    private readonly record struct Score(float Probability, TimeSpan Waited, TimeSpan Ran);
}
