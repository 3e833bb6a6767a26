using System.IO.Enumeration;
using Microsoft.Extensions.FileSystemGlobbing;

namespace SmileApi.Training;

/// <summary>A picture to be judged, or a name that stands for none.</summary>
/// <param name="Path">As it was given, or below what was given.</param>
/// <param name="Problem">Why there is nothing to judge; null when there is a file.</param>
internal sealed record ListedPicture(string Path, string? Problem = null);

/// <summary>From what somebody names on a command line to pictures: files, folders with all below them, and globs.</summary>
internal static class PictureSearch
{
    private static readonly string[] Extensions = [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"];

    /// <summary>Lists what is named, each file once.</summary>
    /// <param name="names">
    /// Files, whatever they are called; folders, of which files with the name of a picture count; globs, in which <c>*</c> is any part
    /// of a name and <c>**</c> any folders. Of folders and globs, hidden files and folders are passed over, and links to folders are
    /// not followed, as they may lead back.
    /// </param>
    /// <returns>In the order of the names; what one name stands for sorted by path.</returns>
    public static IReadOnlyList<ListedPicture> List(IEnumerable<string> names) => [.. names.SelectMany(List).DistinctBy(picture => picture.Path.Length == 0 ? "" : Path.GetFullPath(picture.Path))];

    private static IReadOnlyList<ListedPicture> List(string name)
    {
        if (File.Exists(name))
        {
            return [new ListedPicture(name)];
        }

        if (name.Length == 0)
        {
            return [new ListedPicture(name, "The name is empty.")];
        }

        if (!Directory.Exists(name) && !name.Contains('*', StringComparison.Ordinal))
        {
            return [new ListedPicture(name, "There is no such file.")];
        }

        try
        {
            var isFolder = Directory.Exists(name);
            string[] found = [.. (isFolder ? InFolder(name) : Matching(name)).Order(StringComparer.Ordinal)];
            return found.Length > 0
                ? Array.ConvertAll(found, path => new ListedPicture(path))
                : [new ListedPicture(name, isFolder ? "There is no picture (JPEG, PNG, WebP) in this folder." : "No file matches this.")];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [new ListedPicture(name, e.Message)];
        }
    }

    private static IEnumerable<string> InFolder(string folder) =>
        Below(folder, int.MaxValue).Where(path => Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase));

    private static IEnumerable<string> Matching(string glob)
    {
        // What stands before the first asterisk names a folder, which need not be searched for.
        string[] parts = (OperatingSystem.IsWindows() ? glob.Replace('\\', '/') : glob).Split('/');
        var first = Array.FindIndex(parts, part => part.Contains('*', StringComparison.Ordinal));
        var folder = string.Join('/', parts[..first]) is { Length: > 0 } fixedPart ? fixedPart : first > 0 ? "/" : "";
        var pattern = string.Join('/', parts[first..]);
        var root = folder.Length > 0 ? folder : ".";
        if (!Directory.Exists(root))
        {
            return [];
        }

        var depth = pattern.Contains("**", StringComparison.Ordinal) ? int.MaxValue : parts.Length - first - 1;
        var matcher = new Matcher(StringComparison.OrdinalIgnoreCase).AddInclude(pattern);
        return Below(root, depth)
            .Select(path => Path.GetRelativePath(root, path))
            .Where(path => matcher.Match(path).HasMatches)
            .Select(path => Path.Combine(folder, path));
    }

    private static FileSystemEnumerable<string> Below(string folder, int depth) =>
        new(folder, (ref FileSystemEntry entry) => entry.ToSpecifiedFullPath(), new EnumerationOptions
        {
            RecurseSubdirectories = true,
            MaxRecursionDepth = depth,
            IgnoreInaccessible = false,
            AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
        })
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory,
            ShouldRecursePredicate = (ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
}
