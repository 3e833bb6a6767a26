using SmileApi.Imaging;

// libtorch computes on one thread for all of the process, and the stress test collects everybody's garbage.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace SmileApi.Training.Tests;

/// <summary>What a test needs of its system; without it the test is skipped and says why.</summary>
internal static class Needs
{
    public static void LibTorch() => Assert.SkipWhen(Training.LibTorch.WhyNot() is not null, Training.LibTorch.WhyNot() ?? "");

    /// <returns>The folder of the real faces.</returns>
    public static string RealFaces()
    {
        var folder = Environment.GetEnvironmentVariable("SMILE_DATA") is { Length: > 0 } named ? named : Committed("..", "shared", "data");
        Assert.SkipUnless(File.Exists(Path.Combine(folder, Lfw160.ArchiveName)), $"no {Lfw160.ArchiveName}: set SMILE_DATA to the folder that holds it");
        return folder;
    }

    /// <returns>The Haar cascade, with photographs to look at.</returns>
    public static HaarCascade OpenCv(IReadOnlyList<GreyImage> photos)
    {
        var here = HaarCascade.TryStart(photos, out var haar, out var reason);
        Assert.SkipUnless(here, reason ?? "");
        return haar!;
    }

    /// <returns>A file of this repository, looked for from the tests upwards.</returns>
    public static string Committed(params string[] path)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "SmileApi.sln")))
            {
                return Path.Combine([folder.FullName, .. path]);
            }
        }

        throw new InvalidOperationException("The tests do not lie within the repository.");
    }
}
