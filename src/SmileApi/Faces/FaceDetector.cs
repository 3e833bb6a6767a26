using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Faces;

/// <summary>The face detector's two networks.</summary>
internal sealed record FaceDetector(FaceModel Find, FaceModel Check) : IDisposable
{
    /// <exception cref="StartRefusedException">A file is not there or does not fit.</exception>
    public static FaceDetector Load(FacesOptions options)
    {
        var find = Load(options.Path, FaceModelMetadata.FindStage);
        return new FaceDetector(find, Load(options.CheckPath, FaceModelMetadata.CheckStage));
    }

    public void Dispose()
    {
        Find.Dispose();
        Check.Dispose();
    }

    private static FaceModel Load(string path, string stage) =>
        FaceModel.TryLoad(Path.Combine(AppContext.BaseDirectory, path), stage, out var model, out var reason) ? model : throw new StartRefusedException(reason);
}
