namespace SmileApi.Training.Tests;

/// <summary>
/// A disk that is really full but for some bytes, until it is freed. Mounting one takes more rights than tests have; but a
/// container's shared memory is a disk of 64 MB that nobody else needs. A whole machine's is left alone.
/// </summary>
internal sealed class FullDisk : IDisposable
{
    private const string SharedMemory = "/dev/shm";
    private const long Largest = 256 << 20;

    private readonly string _filler;

    private FullDisk(string folder) => (Path, _filler) = (folder, System.IO.Path.Combine(folder, "filler"));

    public string Path { get; }

    /// <summary>Null where there is a small disk, else why not.</summary>
    public static string? WhyNot() => OperatingSystem.IsLinux() && Directory.Exists(SharedMemory) && new DriveInfo(SharedMemory).TotalSize <= Largest
        ? null
        : $"no disk small enough to fill: run in a container, whose {SharedMemory} is one";

    public static FullDisk Make(long bytesLeft)
    {
        Assert.SkipWhen(WhyNot() is not null, WhyNot() ?? "");
        var disk = new FullDisk(Directory.CreateDirectory(System.IO.Path.Combine(SharedMemory, $"smile-test-{Environment.ProcessId}")).FullName);
        var space = new DriveInfo(SharedMemory).AvailableFreeSpace - bytesLeft;
        Assert.SkipWhen(space < 0, $"{SharedMemory} is too small");
        using var filler = File.Create(disk._filler);
        var zeros = new byte[1 << 16]; // Only what is written is taken.
        for (var written = 0L; written < space; written += zeros.Length)
        {
            filler.Write(zeros, 0, (int)Math.Min(zeros.Length, space - written));
        }

        return disk;
    }

    public void Free() => File.Delete(_filler);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
