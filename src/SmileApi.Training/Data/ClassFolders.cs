namespace SmileApi.Training;

/// <summary>
/// Pictures of one's own: a folder with two sub-folders, one of them called <c>smile</c>. Each picture is one face that fills
/// it; its hash decides its split.
/// </summary>
internal static class ClassFolders
{
    /// <summary>Lists the pictures of a folder and reads their hashes.</summary>
    /// <exception cref="CommandException">It has other sub-folders than two, or none of them is called smile.</exception>
    public static PictureFiles Open(string folder)
    {
        try
        {
            var classes = Directory.GetDirectories(folder).Where(path => Path.GetFileName(path)[0] != '.').Order(StringComparer.Ordinal).ToArray();
            var smile = Array.FindAll(classes, path => Path.GetFileName(path).ToUpperInvariant() is "SMILE" or "SMILES" or "SMILING");
            if (classes.Length != 2 || smile.Length != 1)
            {
                var found = classes.Length == 0 ? "no sub-folder" : string.Join(", ", classes.Select(Path.GetFileName));
                throw new CommandException(
                    $"The data folder {folder} has neither {Lfw160.ArchiveName} nor two sub-folders of pictures, one of them called 'smile'; it has {found}.");
            }

            return new PictureFiles(folder, [.. classes.SelectMany(path => List(path, path == smile[0]))], new Dictionary<string, string>());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"The data folder {folder} cannot be read: {e.Message}");
        }
    }

    private static IEnumerable<PictureFile> List(string folder, bool isSmile) => Directory
        .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Where(path => Path.GetFileName(path)[0] != '.')
        .Order(StringComparer.Ordinal)
        .Select(path => PictureFile.Of(path, isSmile));
}
