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
