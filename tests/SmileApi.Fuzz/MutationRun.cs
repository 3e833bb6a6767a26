using System.Collections.Concurrent;
using System.Diagnostics;
using SmileApi.Tests.Pictures;

namespace SmileApi.Fuzz;

/// <summary>Sends mutated files to the service in a process of its own, and tells what became of it.</summary>
internal static class MutationRun
{
    private const int AtOnce = 4;
    private const double MostMebibytes = 512;
    private static readonly TimeSpan s_hang = TimeSpan.FromSeconds(2);

    /// <returns>0 when all held: no crash, no hang, only 200 and 4xx, memory below its bound; else 1.</returns>
    public static async Task<int> RunAsync(int count, int first)
    {
        var statuses = new ConcurrentDictionary<int, int>();
        var findings = new ConcurrentQueue<string>();
        var slowest = TimeSpan.Zero;
        var slowestLock = new Lock();
        await using var service = await ServiceUnderTest.StartAsync();

        var started = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(Enumerable.Range(first, count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (number, stopped) =>
        {
            if (service.HasExited)
            {
                return;
            }

            var bytes = Mutated.File(number);
            var sent = Stopwatch.GetTimestamp();
            try
            {
                // Faces are looked for in every fourth: most pictures here are for the decoders.
                var status = await service.PostAsync(bytes, number % 4 == 0 ? "detect" : "whole", stopped);
                var elapsed = Stopwatch.GetElapsedTime(sent);
                statuses.AddOrUpdate(status, 1, (_, before) => before + 1);
                lock (slowestLock)
                {
                    slowest = elapsed > slowest ? elapsed : slowest;
                }

                if (elapsed > s_hang)
                {
                    findings.Enqueue($"file {number}: {elapsed.TotalSeconds:0.0} s");
                }

                if (status is not (200 or 400 or 413 or 415 or 422))
                {
                    findings.Enqueue($"file {number}: status {status}");
                }
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                findings.Enqueue($"file {number}: no answer ({e.Message})");
            }
        });
        var took = Stopwatch.GetElapsedTime(started);

        var exited = service.HasExited;
        var peak = exited ? 0 : service.PeakMebibytes;
        Console.WriteLine($"{statuses.Values.Sum():N0} of {count:N0} mutated files answered, {AtOnce} at a time, in {took.TotalSeconds:0} s");
        Console.WriteLine("status  " + string.Join("  ", statuses.OrderBy(s => s.Key).Select(s => $"{s.Key}: {s.Value:N0}")));
        Console.WriteLine($"crashes {(exited ? 1 : 0)}, hangs over {s_hang.TotalSeconds:0} s {findings.Count(f => f.EndsWith(" s", StringComparison.Ordinal))}, "
            + $"500 {statuses.Where(s => s.Key >= 500).Sum(s => s.Value)}, slowest {slowest.TotalMilliseconds:0} ms, peak memory {peak:0} MiB");
        foreach (var finding in findings)
        {
            Console.WriteLine(finding);
        }

        return exited || !findings.IsEmpty || peak > MostMebibytes ? 1 : 0;
    }

    /// <summary>The service in a process of its own, on a free port of this machine.</summary>
    private sealed class ServiceUnderTest : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly HttpClient _http;
        private readonly Task _drained;

        private ServiceUnderTest(Process process, Uri address, Task drained) =>
            (_process, _http, _drained) = (process, new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(30) }, drained);

        public bool HasExited => _process.HasExited;

        /// <summary>The most memory that it has held at once.</summary>
        public double PeakMebibytes
        {
            get
            {
                _process.Refresh();
                return _process.PeakWorkingSet64 / 1048576.0;
            }
        }

        public static async Task<ServiceUnderTest> StartAsync()
        {
            const string Listening = "Now listening on: ";
            var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "SmileApi.dll"), "--urls", "http://127.0.0.1:0"])
            {
                RedirectStandardOutput = true,
                Environment = { ["Serilog__MinimumLevel__Override__Serilog.AspNetCore"] = "Warning" },
            })!;
            while (await process.StandardOutput.ReadLineAsync() is { } line)
            {
                var at = line.IndexOf(Listening, StringComparison.Ordinal);
                if (at >= 0)
                {
                    // Read on, or the pipe fills up and the service waits.
                    return new ServiceUnderTest(process, new Uri(line[(at + Listening.Length)..].Trim()), process.StandardOutput.BaseStream.CopyToAsync(Stream.Null));
                }
            }

            throw new InvalidOperationException("The service did not start.");
        }

        public async Task<int> PostAsync(byte[] bytes, string faces, CancellationToken stopped)
        {
            using var body = new ByteArrayContent(bytes);
            using var response = await _http.PostAsync(new Uri($"classify?faces={faces}", UriKind.Relative), body, stopped);
            return (int)response.StatusCode;
        }

        public async ValueTask DisposeAsync()
        {
            _http.Dispose();
            if (!_process.HasExited)
            {
                _process.Kill();
                await _process.WaitForExitAsync();
            }

            await _drained;
            _process.Dispose();
        }
    }
}
