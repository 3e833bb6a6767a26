using System.Formats.Tar;
using System.Security.Cryptography;

namespace SmileApi.Training;

/// <summary>Reads tar files.</summary>
internal static class Archive
{
    /// <summary>The files of an archive whose name is wanted, in its order.</summary>
    /// <exception cref="CommandException">It cannot be read.</exception>
    public static IEnumerable<(string Name, byte[] Bytes)> Entries(string archive, Func<string, bool> wanted)
    {
        using var file = OpenRead(archive);
        using var reader = new TarReader(file);
        while (Next(archive, reader) is { } entry)
        {
            if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile && wanted(entry.Name))
            {
                using var bytes = new MemoryStream();
                entry.DataStream?.CopyTo(bytes);
                yield return (entry.Name, bytes.ToArray());
            }
        }
    }

    /// <summary>SHA-256 of the archive, lower-case hexadecimal.</summary>
    /// <exception cref="CommandException">It cannot be read.</exception>
    public static string Hash(string archive)
    {
        using var file = OpenRead(archive);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    private static FileStream OpenRead(string archive)
    {
        try
        {
            return File.OpenRead(archive);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"{archive} cannot be read: {e.Message}");
        }
    }

    private static TarEntry? Next(string archive, TarReader reader)
    {
        try
        {
            return reader.GetNextEntry();
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new CommandException($"{archive} is not a readable tar archive: {e.Message}");
        }
    }
}
