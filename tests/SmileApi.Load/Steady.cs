using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using SmileApi.Benchmarks;

namespace SmileApi.Load;

/// <summary>
/// A steady stream of requests to a service that runs already, at a fixed rate whatever it answers: what comes back while replicas
/// come, go and die.
/// </summary>
internal static class Steady
{
    /// <summary>Most requests under way; what is due beyond is counted as not sent.</summary>
    private const int MostInFlight = 1000;

    private const string Prefix = "urn:smileapi:problem:";

    /// <returns>Whether every request was answered rightly.</returns>
    public static async Task<bool> RunAsync(Uri address, double rate, TimeSpan duration, CancellationToken stopping)
    {
        var picture = Photo.WithOneFace(320, 240);
        using var caller = new Caller(address, MostInFlight);
        var outcomes = new ConcurrentBag<(string Ended, double Milliseconds)>();
        var sending = new List<Task>();
        var (inFlight, notSent) = (0, 0);
        var started = Stopwatch.GetTimestamp();
        var total = (int)(rate * duration.TotalSeconds);
        for (var sent = 0; sent < total && !stopping.IsCancellationRequested;)
        {
            var due = Math.Min(total, (int)(rate * Stopwatch.GetElapsedTime(started).TotalSeconds) + 1);
            for (; sent < due; sent++)
            {
                if (Volatile.Read(ref inFlight) >= MostInFlight)
                {
                    notSent++;
                    continue;
                }

                Interlocked.Increment(ref inFlight);
                sending.Add(SendAsync(started + (long)(sent / rate * Stopwatch.Frequency)));
            }

            await Task.Delay(1, CancellationToken.None);
        }

        var took = Stopwatch.GetElapsedTime(started);
        await Task.WhenAll(sending);
        var counts = outcomes.CountBy(outcome => outcome.Ended).OrderBy(count => count.Key, StringComparer.Ordinal).Select(count => $"{count.Value} {count.Key}");
        double[] sorted = [.. outcomes.Select(outcome => outcome.Milliseconds).Order()];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{outcomes.Count} requests in {took.TotalSeconds:F1} s: {string.Join(", ", counts)}; {notSent} due but not sent; p50 {Figures.Percentile(sorted, 0.5):F0} ms, p99 {Figures.Percentile(sorted, 0.99):F0} ms, slowest {Figures.Percentile(sorted, 1):F0} ms"));
        return notSent == 0 && !outcomes.IsEmpty && outcomes.All(outcome => outcome.Ended == "200");

        async Task SendAsync(long due)
        {
            await Task.Yield();
            var outcome = await caller.PostAsync(picture, "", "image/jpeg", due);
            var isWrong = outcome.Status == 200 && outcome.Body.AsSpan().IndexOf("\"smile\":true"u8) < 0;
            outcomes.Add((isWrong ? "200 that is wrong" : outcome.Failure ?? $"{outcome.Status}{ProblemOf(outcome.Body)}", outcome.Milliseconds));
            Interlocked.Decrement(ref inFlight);
        }
    }

    /// <returns>The name of the problem that an answer tells of, after a space; nothing when it is none.</returns>
    private static string ProblemOf(byte[] answer)
    {
        var text = Encoding.UTF8.GetString(answer);
        var at = text.IndexOf(Prefix, StringComparison.Ordinal);
        return at < 0 ? "" : $" {text[(at + Prefix.Length)..].Split('"')[0]}";
    }
}
