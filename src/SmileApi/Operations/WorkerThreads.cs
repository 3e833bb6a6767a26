namespace SmileApi.Operations;

/// <summary>
/// Threads of the pool that are busy for long, in native code. The pool would notice that they are missed, but slowly, and meanwhile
/// nobody would answer requests and probes.
/// </summary>
internal static class WorkerThreads
{
    private static readonly Lock s_lock = new();

    /// <summary>Lets the pool start so many more threads at once, beside those that it starts anyway.</summary>
    public static void Reserve(int count)
    {
        lock (s_lock)
        {
            ThreadPool.GetMinThreads(out var workers, out var ports);
            ThreadPool.SetMinThreads(workers + count, ports);
        }
    }

    /// <summary>The opposite.</summary>
    public static void Release(int count) => Reserve(-count);
}
