namespace SmileApi.Training;

/// <summary>Files that are either whole or not there, whatever happens while they are written.</summary>
internal static class AtomicFile
{
    /// <summary>Writes a file beside its place, forces it to the disk and moves it there; makes the folder.</summary>
    /// <exception cref="CommandException">It cannot be written.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        var temporary = $"{path}.new";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using (var file = File.Create(temporary))
            {
                write(file);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Remove(temporary);
            throw new CommandException($"{path} cannot be written: {e.Message}");
        }
        catch
        {
            Remove(temporary);
            throw;
        }
    }

    /// <inheritdoc cref="Write(string, Action{Stream})"/>
    public static void Write(string path, ReadOnlyMemory<byte> bytes) => Write(path, file => file.Write(bytes.Span));

    /// <summary>Writes a model that tells its own scores: first a draft beside its place, to be judged, and in its place only the judged one.</summary>
    /// <param name="judge">Takes the draft's path and returns what is to be written.</param>
    public static void WriteOnceJudged(string path, ReadOnlyMemory<byte> bytes, Func<string, byte[]> judge)
    {
        var draft = $"{path}.draft";
        try
        {
            Write(draft, bytes);
            Write(path, judge(draft));
        }
        finally
        {
            Remove(draft);
        }
    }

    /// <summary>Finds out before hours of work whether a file could be written.</summary>
    /// <exception cref="CommandException">It could not.</exception>
    public static void RequireWritable(string path)
    {
        if (path.Length == 0 || Path.EndsInDirectorySeparator(path) || Directory.Exists(path))
        {
            throw new CommandException($"'{path}' cannot be written: name a file, not a folder.");
        }

        var probe = $"{path}.probe";
        Write(probe, ReadOnlyMemory<byte>.Empty);
        File.Delete(probe);
    }

    /// <summary>Half a file is no use to anybody, and on a full disk in the way.</summary>
    private static void Remove(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What went wrong before is what the caller must know.
        }
    }
}
