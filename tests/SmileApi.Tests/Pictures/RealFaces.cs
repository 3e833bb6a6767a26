using System.Formats.Tar;

namespace SmileApi.Tests.Pictures;

/// <summary>
/// Real faces from the data folder, which is no part of the repository: <c>SMILE_DATA</c>, or <c>shared/data</c> beside the
/// repository's folder. Tests that use them skip where there is none.
/// </summary>
internal static class RealFaces
{
    public const string Missing = "no lfw160.tar: set SMILE_DATA to the folder that holds it";

    public static string? Archive { get; } = Find();

    public static bool AreHere => Archive is not null;

    /// <summary>The first pictures of the archive: 160x160 JPEG.</summary>
    public static IEnumerable<(string Name, byte[] Bytes)> Take(int count)
    {
        using var file = File.OpenRead(Archive ?? throw new InvalidOperationException(Missing));
        using var tar = new TarReader(file);
        while (count > 0 && tar.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is { } data && entry.Name.EndsWith(".jpg", StringComparison.OrdinalIgnoreCase))
            {
                var bytes = new byte[entry.Length];
                data.ReadExactly(bytes);
                yield return (entry.Name, bytes);
                count--;
            }
        }
    }

    /// <summary>All photographs of <c>photos-with-boxes.tar</c>, which lies beside the archive.</summary>
    public static IEnumerable<byte[]> Photographs()
    {
        using var file = File.OpenRead(Path.Combine(Path.GetDirectoryName(Archive)!, "photos-with-boxes.tar"));
        using var tar = new TarReader(file);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is { } data && entry.Name.EndsWith(".jpg", StringComparison.OrdinalIgnoreCase))
            {
                var bytes = new byte[entry.Length];
                data.ReadExactly(bytes);
                yield return bytes;
            }
        }
    }

    private static string? Find()
    {
        var folder = Environment.GetEnvironmentVariable("SMILE_DATA");
        if (string.IsNullOrEmpty(folder))
        {
            var repository = new DirectoryInfo(AppContext.BaseDirectory);
            while (repository is not null && !File.Exists(Path.Combine(repository.FullName, "SmileApi.sln")))
            {
                repository = repository.Parent;
            }

            if (repository?.Parent is not { } parent)
            {
                return null;
            }

            folder = Path.Combine(parent.FullName, "shared", "data");
        }

        var archive = Path.Combine(folder, "lfw160.tar");
        return File.Exists(archive) ? archive : null;
    }
}
