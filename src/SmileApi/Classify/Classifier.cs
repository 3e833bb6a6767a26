using System.Buffers;
using System.Runtime.CompilerServices;
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
    DecodeGate decoder, FaceFinder finder, DynamicBatcher batcher, ModelStore models, AnswerCache cache, SmileMetrics metrics, TimeProvider time)
{
    /// <summary>Faces of one picture that wait at a time: enough for full batches, and little memory, however many there are.</summary>
    private const int FacesAtOnce = 32;

    /// <summary>Judges a picture, or finds what was said of it before, where answers are kept.</summary>
    /// <param name="bytes">The encoded picture. Not kept after the task has ended.</param>
    /// <param name="query">The caller's options.</param>
    /// <param name="received">When the request arrived, a timestamp of the time provider.</param>
    /// <param name="requestId">Goes into the verdict.</param>
    /// <param name="aborted">The caller has gone or its time is over: what has not begun is dropped.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<(Verdict? Verdict, Problem? Problem)> ClassifyAsync(
        ReadOnlyMemory<byte> bytes, ClassifyQuery query, long received, string requestId, CancellationToken aborted)
    {
        using var lease = models.Lease();
        var key = cache.KeyOf(bytes.Span, query, lease.Models);
        if (cache.Find(key) is { } known)
        {
            var noWork = new Timings(DecodeMs: 0, DetectMs: 0, QueueMs: 0, InferMs: 0, TotalMs: Milliseconds(time.GetElapsedTime(received)));
            return (known with { Timings = noWork, RequestId = requestId }, null);
        }

        var (verdict, problem) = await JudgeAsync(lease.Models, bytes, query, received, requestId, maps: null, aborted);
        if (verdict is not null)
        {
            cache.Keep(key, verdict);
        }

        return (verdict, problem);
    }

    /// <summary>The same, but judged in any case: what is to tell whether the networks answer must not be told from memory.</summary>
    /// <param name="maps">To which what the network saw in each face is added, in the order of the verdict's faces; null when nobody asks.</param>
    /// <inheritdoc cref="ClassifyAsync"/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<(Verdict? Verdict, Problem? Problem)> ClassifyAfreshAsync(
        ReadOnlyMemory<byte> bytes, ClassifyQuery query, long received, string requestId, List<FaceMap>? maps, CancellationToken aborted)
    {
        using var lease = models.Lease();
        return await JudgeAsync(lease.Models, bytes, query, received, requestId, maps, aborted);
    }

    /// <param name="served">One set of models for all of a picture: it is judged, and its answer named, by the one that was served when it came.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<(Verdict? Verdict, Problem? Problem)> JudgeAsync(
        ModelSet served, ReadOnlyMemory<byte> bytes, ClassifyQuery query, long received, string requestId, List<FaceMap>? maps, CancellationToken aborted)
    {
        var (model, detector) = (served.Smile, served.Faces);
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
            using var place = batcher.TryEnter(served.Runners);
            if (place is null)
            {
                return (null, new Problem(ProblemKind.Overloaded, "Too many pictures wait to be judged. Try again later.", batcher.DrainTime));
            }

            var (faces, detected) = await finder.FindAsync(detector, photo.Image, plan, query, place, aborted);
            var scores = await ScoreAsync(photo.Image, faces, model, place, maps, aborted);

            var threshold = query.Threshold ?? model.Metadata.Threshold;
            var (queued, ran) = (TimeSpan.Zero, TimeSpan.Zero);
            var judged = new FaceVerdict[faces.Count];
            for (var i = 0; i < judged.Length; i++)
            {
                judged[i] = FaceVerdict.Of(faces[i], scores[i].Probability, threshold);
                metrics.FaceJudged(judged[i].Smile);
                queued = Later(queued, scores[i].Waited);
                ran = Later(ran, scores[i].Ran);
            }

            var timings = new Timings(
                DecodeMs: Milliseconds(photo.Decoded),
                DetectMs: Milliseconds(detected),
                QueueMs: Milliseconds(photo.Waited + queued),
                InferMs: Milliseconds(ran),
                TotalMs: Milliseconds(time.GetElapsedTime(received)));
            return (Verdict.Of(judged, threshold, photo.Image, model, timings, requestId), null);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Score[]> ScoreAsync(
        GreyImage photo, IReadOnlyList<FoundFace> faces, SmileModel model, WorkQueue.Place place, List<FaceMap>? maps, CancellationToken aborted)
    {
        var normalisation = model.Metadata.Input.Normalisation;
        using var stage = Stages.Infer(faces.Count);
        var scores = new Score[faces.Count];
        var waiting = new Task<Answer>[Math.Min(faces.Count, FacesAtOnce)];
        for (var done = 0; done < scores.Length; done += waiting.Length)
        {
            aborted.ThrowIfCancellationRequested();
            var chunk = Math.Min(waiting.Length, scores.Length - done);
            for (var i = 0; i < chunk; i++)
            {
                waiting[i] = batcher.RunAsync(place, WorkKind.Face, Crop(photo, faces[done + i], normalisation), aborted);
            }

            if (chunk > 1)
            {
                await Task.WhenAll(waiting.AsSpan(0, chunk)); // Whatever becomes of one of them, none is left alone.
            }

            for (var i = 0; i < chunk; i++)
            {
                var answer = await waiting[i];
                scores[done + i] = new Score(answer.Values[0], answer.Waited, answer.Ran);
                maps?.Add(FaceMap.Of(faces[done + i], photo.Reduction, answer.Values.AsSpan(1), model.ActivationSize));
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

    private static TimeSpan Later(TimeSpan one, TimeSpan other) => one > other ? one : other;

    // Microseconds are what the clock is good for; further digits would only look exact.
    private static double Milliseconds(TimeSpan duration) => Math.Round(duration.TotalMilliseconds, 3);

    private readonly record struct Score(float Probability, TimeSpan Waited, TimeSpan Ran);
}
