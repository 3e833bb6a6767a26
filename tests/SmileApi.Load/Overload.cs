using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using SmileApi.Benchmarks;
using Spectre.Console;

namespace SmileApi.Load;

/// <summary>
/// Measures what the service can do, then offers 80 % of it and then many times as much, at a fixed rate whatever it answers
/// (an open loop), and then sees how soon it is as it was.
/// </summary>
internal static class Overload
{
    private const int MostInFlight = 4000;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <returns>Whether everything held.</returns>
    public static async Task<bool> RunAsync(Service service, TimeSpan duration, double factor)
    {
        var picture = Photo.WithOneFace(640, 480);
        using var caller = new Caller(service.Address, MostInFlight);
        Figures.Heading(service);

        var short_ = TimeSpan.FromSeconds(Math.Clamp(duration.TotalSeconds / 4, 3, 30));
        await ClosedLoopAsync(caller, picture, TimeSpan.FromSeconds(3)); // Code is compiled, memory grows to what it needs.
        var capacity = await ClosedLoopAsync(caller, picture, short_);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Capacity, by {Environment.ProcessorCount * 8} callers in a closed loop over {short_.TotalSeconds:F0} s: {capacity:F1} requests/s of {picture.Length:N0} bytes."));

        var usual = await OpenLoopAsync(service, caller, picture, 0.8 * capacity, short_);
        var over = await OpenLoopAsync(service, caller, picture, factor * capacity, duration);
        var back = await BackToNormalAsync(caller, picture, over.Ended, Math.Max(usual.Percentile(0.99), 2 * usual.Percentile(0.5)));

        var table = Figures.TableOf("", "80 %", $"{factor:0.#} x");
        Row("offered, requests/s", phase => Figures.Text(phase.Offered, "F1"));
        Row("achieved, requests/s", phase => Figures.Text(phase.Outcomes.Count / phase.Took.TotalSeconds, "F1"));
        Row("due but not sent", phase => Figures.Text(phase.NotSent));
        Row("this client's CPU share", phase => $"{100 * phase.ClientCpu.TotalSeconds / phase.Took.TotalSeconds / Environment.ProcessorCount:F0} %");
        Row("the service's CPU share", phase => $"{100 * phase.ServiceCpu.TotalSeconds / phase.Took.TotalSeconds / Environment.ProcessorCount:F0} %");
        foreach (var status in usual.Outcomes.Concat(over.Outcomes).Select(outcome => outcome.Failure ?? $"{outcome.Status}").Distinct().Order())
        {
            Row(status, phase => Figures.Text(phase.Outcomes.Count(outcome => (outcome.Failure ?? $"{outcome.Status}") == status)));
        }

        Row("429 and 503 without Retry-After", phase => Figures.Text(phase.Unexplained));
        Row("200 that is wrong", phase => Figures.Text(phase.Wrong));
        Row("p50 of the accepted, ms", phase => Figures.Text(phase.Percentile(0.5), "F1"));
        Row("p99 of the accepted, ms", phase => Figures.Text(phase.Percentile(0.99), "F1"));
        Row("p50 of the refused, ms", phase => Figures.Text(phase.RefusedPercentile(0.5), "F1"));
        Row("p99 of the refused, ms", phase => Figures.Text(phase.RefusedPercentile(0.99), "F1"));
        Row("most memory, MiB", phase => Figures.Text(phase.MostMebibytes));
        AnsiConsole.Write(table);
        var ceiling = (await caller.GaugesAsync())["smileapi_memory_ceiling_bytes"] / 1048576;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Peak memory of the service {service.PeakMebibytes:F0} MiB, under a ceiling of {ceiling:F0}. Back to normal {back?.TotalSeconds.ToString("F2", CultureInfo.InvariantCulture) ?? "never within 30"} s after the last request was due."));

        return Figures.Judge(
            ("every answer is 200, or 429 or 503 with Retry-After", over.Outcomes.All(outcome => outcome.Failure is null && outcome.Status is 200 or 429 or 503) && over.Unexplained == 0),
            ("every 200 is right", usual.Wrong + over.Wrong == 0),
            ("no connection is reset", over.Outcomes.All(outcome => outcome.Failure is not "reset")),
            ("the rate was offered", over.NotSent == 0),
            ("p99 of the accepted is within twice the p99 at 80 %", over.Percentile(0.99) <= 2 * usual.Percentile(0.99)),
            ("memory stays under the ceiling", service.PeakMebibytes <= ceiling),
            ("back to normal within 2 s", back <= TimeSpan.FromSeconds(2)));

        void Row(string name, Func<Phase, string> figure) => table.AddRow(name, figure(usual), figure(over));
    }

    /// <returns>Requests a second.</returns>
    private static async Task<double> ClosedLoopAsync(Caller caller, byte[] picture, TimeSpan duration)
    {
        var started = Stopwatch.GetTimestamp();
        var answered = 0;
        await Task.WhenAll(Enumerable.Range(0, Environment.ProcessorCount * 8).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                if ((await caller.PostAsync(picture, "", "image/jpeg", started)).Status == 200)
                {
                    Interlocked.Increment(ref answered);
                }
                else
                {
                    await Task.Delay(10); // Refusals asked for in a tight loop would take the processor from the work.
                }
            }
        })));
        return answered / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task<Phase> OpenLoopAsync(Service service, Caller caller, byte[] picture, double rate, TimeSpan duration)
    {
        var outcomes = new ConcurrentBag<Outcome>();
        var (wrong, most) = (0, 0.0);
        var (clientCpu, serviceCpu) = (Environment.CpuUsage.TotalTime, service.CpuTime);
        using var memory = new Timer(_ => most = Math.Max(most, service.Mebibytes), null, TimeSpan.Zero, TimeSpan.FromMilliseconds(250));
        var loop = new OpenLoop(rate, MostInFlight, SendAsync);
        await loop.OfferAsync(duration, CancellationToken.None);
        (clientCpu, serviceCpu) = (Environment.CpuUsage.TotalTime - clientCpu, service.CpuTime - serviceCpu);
        await loop.AllSent;
        return new Phase(rate, loop.Took, loop.Ended, [.. outcomes], wrong, loop.NotSent, clientCpu, serviceCpu, most);

        async Task SendAsync(long due)
        {
            var outcome = await caller.PostAsync(picture, "", "image/jpeg", due);
            Interlocked.Add(ref wrong, outcome.IsWrong ? 1 : 0);
            outcomes.Add(outcome with { Body = [] });
        }
    }

    /// <returns>From the end of the load to the first of five answers in a row as fast as usual; null when that does not come.</returns>
    private static async Task<TimeSpan?> BackToNormalAsync(Caller caller, byte[] picture, long ended, double usual)
    {
        TimeSpan? back = null;
        for (var inRow = 0; inRow < 5 && Stopwatch.GetElapsedTime(ended) < s_patience;)
        {
            var asked = Stopwatch.GetTimestamp();
            var outcome = await caller.PostAsync(picture, "", "image/jpeg", asked);
            var isUsual = outcome.Status == 200 && outcome.Milliseconds <= usual;
            back = !isUsual ? null : back ?? Stopwatch.GetElapsedTime(ended);
            inRow = isUsual ? inRow + 1 : 0;
            await Task.Delay(20);
        }

        return back;
    }

    private sealed record Phase(
        double Offered, TimeSpan Took, long Ended, IReadOnlyList<Outcome> Outcomes, int Wrong, int NotSent, TimeSpan ClientCpu, TimeSpan ServiceCpu, double MostMebibytes)
    {
        private readonly double[] _accepted = [.. Outcomes.Where(outcome => outcome.Status == 200).Select(outcome => outcome.Milliseconds).Order()];
        private readonly double[] _refused = [.. Outcomes.Where(outcome => outcome.Status is 429 or 503).Select(outcome => outcome.Milliseconds).Order()];

        public int Unexplained => Outcomes.Count(outcome => outcome.Status is 429 or 503 && outcome.RetryAfter is null or < 1);

        public double Percentile(double share) => Figures.Percentile(_accepted, share);

        public double RefusedPercentile(double share) => Figures.Percentile(_refused, share);
    }
}
