using System.Buffers;
using SmileApi.Batching;
using SmileApi.Imaging;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary>From the bytes of a picture to a verdict on each of its faces.</summary>
internal sealed class Classifier(DecodeGate decoder, DynamicBatcher batcher, SmileModel model, SmileMetrics metrics, TimeProvider time)
{
    /// <param name="bytes">The encoded picture. Not kept after the task has ended.</param>
    /// <param name="query">The caller's options.</param>
    /// <param name="received">When the request arrived, a timestamp of the time provider.</param>
    /// <param name="requestId">Goes into the verdict.</param>
    /// <param name="aborted">The caller has gone: what has not begun is dropped.</param>
    public async Task<(Verdict? Verdict, Problem? Problem)> ClassifyAsync(
        ReadOnlyMemory<byte> bytes, ClassifyQuery query, long received, string requestId, CancellationToken aborted)
    {
        var (photo, rejection, waited, decoded) = await decoder.DecodeAsync(bytes, FaceCrop.Side, aborted);
        using (photo)
        {
            if (photo is null)
            {
                return (null, rejection);
            }

            // The picture is one face: its centred square is the crop. A detector would answer several.
            FaceSquare[] crops = [FaceSquare.Centred(photo.Width, photo.Height)];
            if (!TryQueue(photo, crops, aborted, out var queued))
            {
                return (null, new Problem(ProblemKind.Overloaded, "Too many faces wait to be judged. Try again later.", batcher.DrainTime));
            }

            var scores = await Task.WhenAll(queued);
            var threshold = query.Threshold ?? model.Metadata.Threshold;
            var whole = new Box(0, 0, photo.OriginalWidth, photo.OriginalHeight);
            var faces = Array.ConvertAll(scores, score => new FaceVerdict(score.Probability >= threshold, score.Probability, whole, Confidence: null));
            Array.ForEach(faces, face => metrics.FaceJudged(face.Smile));

            var timings = new Timings(
                DecodeMs: Milliseconds(decoded),
                DetectMs: 0,
                QueueMs: Milliseconds(waited + scores.Max(score => score.Waited)),
                InferMs: Milliseconds(scores.Max(score => score.Ran)),
                TotalMs: Milliseconds(time.GetElapsedTime(received)));
            return (Verdict.Of(faces, threshold, photo, model, timings, requestId), null);
        }
    }

    private bool TryQueue(GreyImage photo, FaceSquare[] crops, CancellationToken aborted, out Task<ScoredFace>[] queued)
    {
        queued = new Task<ScoredFace>[crops.Length];
        for (var i = 0; i < crops.Length; i++)
        {
            var face = ArrayPool<float>.Shared.Rent(FaceCrop.Length);
            FaceCrop.Resample(photo, crops[i], model.Metadata.Input.Normalisation, face.AsSpan(0, FaceCrop.Length));
            if (!batcher.TryEnqueue(face, aborted, out queued[i]))
            {
                ArrayPool<float>.Shared.Return(face);
                return false;
            }
        }

        return true;
    }

    // Microseconds are what the clock is good for; further digits would only look exact.
    private static double Milliseconds(TimeSpan duration) => Math.Round(duration.TotalMilliseconds, 3);
}
