using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>Both stages of a face detector, run by the service's own search on the calling thread.</summary>
internal sealed class FaceDetector : IDisposable
{
    private readonly DirectFaceNetworks _networks;

    private FaceDetector(FaceModel find, FaceModel check) => (Find, Check, _networks) = (find, check, new DirectFaceNetworks(find, check));

    /// <summary>The first stage.</summary>
    public FaceModel Find { get; }

    /// <summary>The second stage.</summary>
    public FaceModel Check { get; }

    /// <summary>From here on a face counts unless somebody says otherwise, 0..1.</summary>
    public float Threshold => Check.Metadata.Threshold;

    /// <param name="find">An ONNX file, the first stage.</param>
    /// <param name="check">An ONNX file, the second stage; null for the one beside it.</param>
    /// <exception cref="CommandException">They are no face detector of ours.</exception>
    public static FaceDetector Load(string find, string? check = null)
    {
        var (first, second) = FaceExport.Load(find, check);
        return new FaceDetector(first, second);
    }

    /// <summary>Finds the faces of a picture; boxes are in its own pixels, reduced or not.</summary>
    /// <param name="confidence">Least confidence, 0..1; null for <see cref="Threshold"/>.</param>
    /// <param name="minFace">Side of the smallest box in pixels; null for the service's default.</param>
    public IReadOnlyList<DetectedFace> Faces(GreyImage image, float? confidence = null, float? minFace = null)
    {
        // Networks that run at once have ended when the call returns.
        var search = FaceSearch.FindAsync(image, new FaceSearchOptions(minFace ?? FaceRules.DefaultMinFace(image.Width, image.Height), confidence ?? Threshold), _networks, CancellationToken.None);
        return search.IsCompleted ? search.GetAwaiter().GetResult() : throw new InvalidOperationException("A search on the calling thread has not ended.");
    }

    /// <summary>Frees both stages.</summary>
    public void Dispose()
    {
        _networks.Dispose();
        Find.Dispose();
        Check.Dispose();
    }
}
