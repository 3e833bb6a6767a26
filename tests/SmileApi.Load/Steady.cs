using System.Collections.Concurrent;
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
    private const int MostInFlight = 1000;

    private const string Prefix = "urn:smileapi:problem:";

    /// <returns>Whether every request was answered rightly.</returns>
    public static async Task<bool> RunAsync(Uri address, double rate, TimeSpan duration, CancellationToken stopping)
    {
        var picture = Photo.WithOneFace(320, 240);
        using var caller = new Caller(address, MostInFlight);
        var outcomes = new ConcurrentBag<(string Ended, double Milliseconds)>();
        var loop = new OpenLoop(rate, MostInFlight, SendAsync);
        await loop.OfferAsync(duration, stopping);
        await loop.AllSent;
        var counts = outcomes.CountBy(outcome => outcome.Ended).OrderBy(count => count.Key, StringComparer.Ordinal).Select(count => $"{count.Value} {count.Key}");
        double[] sorted = [.. outcomes.Select(outcome => outcome.Milliseconds).Order()];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{outcomes.Count} requests in {loop.Took.TotalSeconds:F1} s: {string.Join(", ", counts)}; {loop.NotSent} due but not sent; p50 {Figures.Percentile(sorted, 0.5):F0} ms, p99 {Figures.Percentile(sorted, 0.99):F0} ms, slowest {Figures.Percentile(sorted, 1):F0} ms"));
        return loop.NotSent == 0 && !outcomes.IsEmpty && outcomes.All(outcome => outcome.Ended == "200");

        async Task SendAsync(long due)
        {
            var outcome = await caller.PostAsync(picture, "", "image/jpeg", due);
            outcomes.Add((outcome.IsWrong ? "200 that is wrong" : outcome.Failure ?? $"{outcome.Status}{ProblemOf(outcome.Body)}", outcome.Milliseconds));
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
