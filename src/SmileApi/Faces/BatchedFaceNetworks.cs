using SmileApi.Batching;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Faces;

/// <summary>The detector's networks as one photograph uses them: in batches with the work of other callers.</summary>
internal sealed class BatchedFaceNetworks(DynamicBatcher batcher, WorkQueue.Place place, FaceDetector detector) : IFaceNetworks
{
    private int _looks;

    public FaceModelMetadata Find => detector.Find.Metadata;

    public FaceModelMetadata Check => detector.Check.Metadata;

    /// <summary>How often the second stage has looked at a candidate.</summary>
    public int Looks => _looks;

    public async Task<float[]> FindAsync(float[] tile, int width, int height, CancellationToken aborted) =>
        (await batcher.RunAsync(place, WorkKind.Tile(width, height), tile, aborted)).Values;

    public async Task<FaceCheck> CheckAsync(float[] candidate, CancellationToken aborted)
    {
        Interlocked.Increment(ref _looks);
        var answer = await batcher.RunAsync(place, WorkKind.Candidate, candidate, aborted);
        var check = FaceCheck.From(answer.Values);
        Arrays.Return(answer.Values);
        return check;
    }
}
