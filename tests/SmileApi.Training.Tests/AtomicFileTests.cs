namespace SmileApi.Training.Tests;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_write_that_fails_halfway_leaves_the_earlier_file_and_nothing_else()
    {
        AtomicFile.Write(_folder["file"], "earlier"u8.ToArray());

        var mistake = Assert.Throws<CommandException>(() => AtomicFile.Write(_folder["file"], file =>
        {
            file.Write(new byte[100_000]);
            throw new IOException("No space left on device");
        }));

        Assert.Equal($"{_folder["file"]} cannot be written: No space left on device", mistake.Message);
        Assert.Equal("earlier", File.ReadAllText(_folder["file"]));
        Assert.Equal([_folder["file"]], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Whatever_fails_while_a_file_is_written_leaves_nothing()
    {
        Assert.Throws<ArithmeticException>(() => AtomicFile.Write(_folder["file"], _ => throw new ArithmeticException()));
        Assert.Throws<ArithmeticException>(() => AtomicFile.WriteOnceJudged(_folder["file"], "draft"u8.ToArray(), draft =>
        {
            Assert.Equal("draft", File.ReadAllText(draft));
            throw new ArithmeticException();
        }));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));

        AtomicFile.WriteOnceJudged(_folder["file"], "draft"u8.ToArray(), _ => "judged"u8.ToArray());
        Assert.Equal("judged", File.ReadAllText(Assert.Single(Directory.GetFileSystemEntries(_folder.Path))));
    }

    [Fact]
    public void A_folder_is_no_file_and_neither_is_nothing()
    {
        foreach (var path in new[] { "", _folder.Path, _folder["new/"] })
        {
            Assert.Equal($"'{path}' cannot be written: name a file, not a folder.", Assert.Throws<CommandException>(() => AtomicFile.RequireWritable(path)).Message);
        }

        AtomicFile.RequireWritable(_folder["file"]);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_disk_that_is_really_full_is_told_of_and_left_as_it_was()
    {
        using var disk = FullDisk.Make(bytesLeft: 1 << 20);
        var path = Path.Combine(disk.Path, "file");
        AtomicFile.Write(path, new byte[600_000]);

        var mistake = Assert.Throws<CommandException>(() => AtomicFile.Write(path, new byte[700_000]));

        Assert.StartsWith($"{path} cannot be written: No space left on device", mistake.Message, StringComparison.Ordinal);
        Assert.Equal(600_000, new FileInfo(path).Length);
        Assert.False(File.Exists($"{path}.new"));
    }
}
