using System.Runtime.InteropServices;

namespace SmileApi.Operations;

/// <summary>
/// Keeps the process as small as what it holds. Each request leaves a little that outlives one collection of the youngest objects,
/// and the runtime waits until that is 10 MiB and more; and what native libraries have freed stays in the C library's heap, in pieces.
/// Both are nothing to worry about, but look like a leak for the first hour, and under a tight limit they are missed.
/// </summary>
internal sealed class MemoryUpkeep(ReceiveMemory received, TimeProvider time) : BackgroundService
{
    /// <summary>After so many minutes the oldest generation is collected, too.</summary>
    private const int WholeEvery = 5;

    private static readonly TimeSpan s_between = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(s_between, time);
        try
        {
            for (var minute = 1; await timer.WaitForNextTickAsync(stopping); minute++)
            {
                received.Trim();
                if (minute % WholeEvery == 0)
                {
                    // Beside the requests, on a thread of its own.
                    GC.Collect(2, GCCollectionMode.Forced, blocking: false);
                }
                else
                {
                    // The first two generations: some milliseconds. What is in use just then grows old by it, a quarter of a
                    // megabyte under load, and the runtime would let that grow for hours.
                    GC.Collect(1, GCCollectionMode.Forced, blocking: true);
                }

                NativeHeap.Trim();
            }
        }
        catch (OperationCanceledException)
        {
            // The service stops.
        }
    }
}

/// <summary>The C library's heap, from which decoders and networks take their memory. Where it is not glibc's, it is left as it is.</summary>
internal static partial class NativeHeap
{
    // https://man7.org/linux/man-pages/man3/mallopt.3.html
    private const int MmapThreshold = -3;
    private const int ArenaMax = -8;

    /// <summary>
    /// Memory of a large decoded picture goes back to the system at once, instead of leaving a hole; and there are no more heaps than
    /// processors, instead of eight for each, every one with holes of its own. Before anything native is loaded.
    /// </summary>
    public static void Configure() => OnGlibc(() =>
    {
        _ = Option(MmapThreshold, 4 << 20);
        _ = Option(ArenaMax, Math.Max(2, Environment.ProcessorCount));
    });

    /// <summary>Gives free pages back to the system.</summary>
    public static void Trim() => OnGlibc(() => _ = Trim(0));

    private static void OnGlibc(Action action)
    {
        try
        {
            if (OperatingSystem.IsLinux())
            {
                action();
            }
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Another C library.
        }
    }

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int Option(int option, int value);

    [LibraryImport("libc.so.6", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint keep);
}
