using System.Diagnostics.CodeAnalysis;
using SmileApi.Classify;

namespace SmileApi.Models;

/// <summary>The folder from which models may be served by name.</summary>
internal static class ModelFolder
{
    /// <summary>More links than this one after the other are a circle.</summary>
    private const int MaxLinks = 40;

    /// <summary>Finds a file by its bare name. Links are followed, but not out of the folder.</summary>
    /// <param name="folder">Absolute.</param>
    /// <param name="path">When the result is true: the file itself, absolute, no link.</param>
    /// <param name="problem">When the result is false.</param>
    public static bool TryFind(string folder, string name, [NotNullWhen(true)] out string? path, [NotNullWhen(false)] out Problem? problem)
    {
        path = null;
        if (name.Length is 0 or > 255 || name is "." or ".." || name.AsSpan().ContainsAny('/', '\\', ':') || name.Any(char.IsControl))
        {
            problem = new Problem(ProblemKind.MalformedRequest, "A model is named by the bare name of a file in the models folder: no folder, no path.");
            return false;
        }

        try
        {
            var (root, file) = (Resolve(folder, MaxLinks), Resolve(Path.Combine(folder, name), MaxLinks));
            if (!file.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            {
                problem = Refused($"'{name}' is a link that leads out of the models folder.");
                return false;
            }

            path = File.Exists(file) ? file : null;
            problem = path is null ? Refused($"There is no file '{name}' in the models folder.") : null;
            return problem is null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = Refused(e is FileNotFoundException or DirectoryNotFoundException
                ? $"There is no file '{name}' in the models folder."
                : $"'{name}' cannot be read: {e.Message}");
            return false;
        }
    }

    private static Problem Refused(string reason) => new(ProblemKind.ModelRefused, $"{reason} What was served before still is.");

    /// <summary>A path without links in any of its parts.</summary>
    private static string Resolve(string path, int linksLeft)
    {
        if (linksLeft == 0)
        {
            throw new IOException("Too many links.");
        }

        var resolved = Path.GetPathRoot(path)!;
        foreach (var part in path[resolved.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            var next = Path.Combine(resolved, part);
            var target = File.ResolveLinkTarget(next, returnFinalTarget: false);
            resolved = target is null ? next : Resolve(target.FullName, linksLeft - 1);
        }

        return resolved;
    }
}
