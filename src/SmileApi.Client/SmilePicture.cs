namespace SmileApi.Client;

/// <summary>One picture of many: an encoded JPEG, PNG or WebP.</summary>
/// <param name="Bytes">The file's bytes. Not to be changed until its result has come.</param>
/// <param name="Name">Comes back with the result; null when it needs none.</param>
public sealed record SmilePicture(ReadOnlyMemory<byte> Bytes, string? Name = null)
{
    /// <summary>Reads a file; its name becomes the picture's, without the folder.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<SmilePicture> FromFileAsync(string path, CancellationToken cancellationToken = default) =>
        new(await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false), Path.GetFileName(path));

    /// <summary>Reads files one after the other, each when it is asked for.</summary>
    /// <param name="paths">The files.</param>
    public static async IAsyncEnumerable<SmilePicture> FromFiles(IEnumerable<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        foreach (var path in paths)
        {
            yield return await FromFileAsync(path).ConfigureAwait(false);
        }
    }
}
