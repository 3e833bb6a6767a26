using System.Diagnostics.CodeAnalysis;
using SmileApi.Inference;

namespace SmileApi.Faces;

/// <summary>The face detector's two networks.</summary>
internal sealed record FaceDetector(FaceModel Find, FaceModel Check) : IDisposable
{
    /// <param name="reason">When the result is false: one line that names the file and what is wrong with it.</param>
    public static bool TryLoad(
        string findPath, string checkPath, Device device, [NotNullWhen(true)] out FaceDetector? detector, [NotNullWhen(false)] out string? reason)
    {
        detector = null;
        if (!FaceModel.TryLoad(findPath, FaceModelMetadata.FindStage, device, out var find, out reason))
        {
            return false;
        }

        if (!FaceModel.TryLoad(checkPath, FaceModelMetadata.CheckStage, device, out var check, out reason))
        {
            find.Dispose();
            return false;
        }

        detector = new FaceDetector(find, check);
        return true;
    }

    /// <summary>The same networks in new sessions.</summary>
    public FaceDetector Reopen() => Reopen(Find.Device);

    /// <summary>The same networks in new sessions on a device.</summary>
    public FaceDetector Reopen(Device device)
    {
        var find = Find.Reopen(device);
        try
        {
            return new FaceDetector(find, Check.Reopen(device));
        }
        catch
        {
            find.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Find.Dispose();
        Check.Dispose();
    }
}
