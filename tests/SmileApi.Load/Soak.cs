using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using SkiaSharp;
using SmileApi.Benchmarks;
using Spectre.Console;

namespace SmileApi.Load;

/// <summary>Mixed pictures, sizes and errors for long: memory, threads and handles must not grow.</summary>
internal static class Soak
{
    private const double MostMebibytesInTenMinutes = 1;
    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(2);

    /// <returns>Whether everything held.</returns>
    public static async Task<bool> RunAsync(Service service, TimeSpan duration, int workers)
    {
        var kinds = Kinds();
        using var caller = new Caller(service.Address, workers);
        Figures.Heading(service);

        var counts = new ConcurrentDictionary<(string Kind, string Outcome), int>();
        var latencies = kinds.ToDictionary(kind => kind.Name, _ => new ConcurrentBag<double>());
        var unexpected = 0;
        var started = Stopwatch.GetTimestamp();
        using var end = new CancellationTokenSource(duration);
        var work = Enumerable.Range(0, workers).Select(seed => Task.Run(() => WorkAsync(new Random(seed)))).ToArray();
        var samples = await SampleAsync(service, started, end.Token);
        await Task.WhenAll(work);

        var table = Figures.TableOf("kind", "expected", "answers", "p50, ms", "p99, ms");
        foreach (var kind in kinds)
        {
            double[] sorted = [.. latencies[kind.Name].Order()];
            var answers = string.Join(", ", counts.Where(count => count.Key.Kind == kind.Name).OrderBy(count => count.Key.Outcome, StringComparer.Ordinal).Select(count => $"{count.Key.Outcome}: {count.Value:N0}"));
            table.AddRow(kind.Name, $"{kind.Status}", answers, Figures.Text(Figures.Percentile(sorted, 0.5), "F1"), Figures.Text(Figures.Percentile(sorted, 0.99), "F1"));
        }

        AnsiConsole.Write(table);

        // The first fifth is warm-up: code is compiled, pools fill.
        var warm = samples.Where(sample => sample.Minutes >= duration.TotalMinutes / 5).ToArray();
        var time = Figures.TableOf("minute", "memory, MiB", "threads", "handles");
        foreach (var sample in samples.Where((_, i) => i % Math.Max(1, samples.Count / 15) == 0).Append(samples[^1]))
        {
            time.AddRow(Figures.Text(sample.Minutes, "F1"), Figures.Text(sample.Mebibytes, "F1"), Figures.Text(sample.Threads), Figures.Text(sample.Handles));
        }

        AnsiConsole.Write(time);
        var memory = 10 * Figures.Slope([.. warm.Select(sample => (sample.Minutes, sample.Mebibytes))]);
        var threads = Growth(warm, sample => sample.Threads);
        var handles = Growth(warm, sample => sample.Handles);
        var all = counts.Values.Sum();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{all:N0} requests, {all / Stopwatch.GetElapsedTime(started).TotalSeconds:F1} a second; {unexpected} unexpected answers. After warm-up: memory {memory:+0.00;-0.00} MiB in 10 minutes by least squares over {warm.Length} samples, threads {threads:+0;-0;0}, handles {handles:+0;-0;0} from the first third to the last; peak memory {service.PeakMebibytes:F0} MiB."));
        return Figures.Judge(
            ("every answer is the expected one", unexpected == 0),
            ($"memory grows by less than {MostMebibytesInTenMinutes} MiB in 10 minutes", memory < MostMebibytesInTenMinutes),
            ("handles do not grow", handles <= 2),
            ("threads do not grow", threads <= 2));

        async Task WorkAsync(Random random)
        {
            while (!end.IsCancellationRequested)
            {
                var kind = kinds[random.Next(kinds.Length)];
                var outcome = await caller.PostAsync(kind.Body, kind.Query, kind.ContentType, Stopwatch.GetTimestamp());
                latencies[kind.Name].Add(outcome.Milliseconds);
                counts.AddOrUpdate((kind.Name, outcome.Failure ?? outcome.Status.ToString(CultureInfo.InvariantCulture)), 1, (_, count) => count + 1);
                if (outcome.Status != kind.Status)
                {
                    Interlocked.Increment(ref unexpected);
                }
            }
        }
    }

    private static async Task<IReadOnlyList<Sample>> SampleAsync(Service service, long started, CancellationToken end)
    {
        var samples = new List<Sample>();
        using var timer = new PeriodicTimer(s_between);
        do
        {
            samples.Add(new Sample(Stopwatch.GetElapsedTime(started).TotalMinutes, service.Mebibytes, service.Threads, service.Handles));
        }
        while (await NextAsync());
        return samples;

        async Task<bool> NextAsync()
        {
            try
            {
                return await timer.WaitForNextTickAsync(end);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }

    /// <returns>From the median of the first third to that of the last.</returns>
    private static double Growth(Sample[] samples, Func<Sample, double> figure)
    {
        var third = samples.Length / 3;
        return Median(samples[^third..]) - Median(samples[..third]);

        double Median(Sample[] part) => Figures.Percentile([.. part.Select(figure).Order()], 0.5);
    }

    private static Kind[] Kinds()
    {
        var vga = Photo.WithOneFace(640, 480);
        using var bitmap = SKBitmap.Decode(vga);
        var (png, webp) = (Encoded(SKEncodedImageFormat.Png), Encoded(SKEncodedImageFormat.Webp));
        var json = Encoding.ASCII.GetBytes($"{{\"image\": \"{Convert.ToBase64String(vga)}\"}}");
        byte[] form = [.. "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n"u8, .. vga, .. "\r\n--b--\r\n"u8];
        return
        [
            new("JPEG 640x480", vga, 200),
            new("JPEG 640x480, whole", vga, 200, "faces=whole"),
            new("JPEG 160x120", Photo.WithOneFace(160, 120), 200),
            new("JPEG 1600x1200", Photo.WithOneFace(1600, 1200), 200),
            new("JPEG 4000x3000", Photo.WithOneFace(4000, 3000), 200),
            new("PNG 640x480", png, 200),
            new("WebP 640x480", webp, 200),
            new("JSON", json, 200, ContentType: "application/json"),
            new("multipart", form, 200, ContentType: "multipart/form-data; boundary=b"),
            new("JPEG cut off", vga[..(vga.Length / 2)], 422),
            new("PNG cut off", png[..(png.Length / 2)], 422),
            new("no picture", Encoding.ASCII.GetBytes(new string('x', 100_000)), 415),
            new("empty", [], 400),
            new("JSON cut off", json[..1000], 400, ContentType: "application/json"),
            new("wrong query", vga, 400, "threshold=2"),
        ];

        byte[] Encoded(SKEncodedImageFormat format)
        {
            using var data = bitmap.Encode(format, 90);
            return data.ToArray();
        }
    }

    private sealed record Kind(string Name, byte[] Body, int Status, string Query = "", string ContentType = "application/octet-stream");

    private sealed record Sample(double Minutes, double Mebibytes, double Threads, double Handles);
}
