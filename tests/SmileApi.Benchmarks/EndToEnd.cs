using System.Globalization;
using System.Text.Json;
using SkiaSharp;
using SmileApi.Inference;
using Spectre.Console;

namespace SmileApi.Benchmarks;

/// <summary>
/// The real service beside the floor (the fastest decode, the network, and the HTTP stack that takes in a body) and beside what one
/// writes in an afternoon, each in a process of its own on one core, this one on the other. They take turns, so that what else
/// the machine does falls on all of them; figures are medians of the rounds.
/// </summary>
internal static class EndToEnd
{
    private const int LargeInTwenty = 20;

    private static readonly int[] s_callers = [1, 8, 32, 128];
    private static readonly int[] s_batches = [1, 2, 4, 8, 16];
    private static readonly Dictionary<string, string> s_oneCore = new() { ["DOTNET_PROCESSOR_COUNT"] = "1" };

    /// <param name="rounds">How often all is measured.</param>
    /// <param name="seconds">Of one measurement.</param>
    /// <param name="folder">Where the figures and the plots go, or null.</param>
    public static async Task RunAsync(int rounds, double seconds, string? folder)
    {
        if (!SmileModel.TryLoad(Path.Combine(AppContext.BaseDirectory, "models", "smile.onnx"), out var model, out var reason))
        {
            throw new InvalidOperationException(reason);
        }

        using var network = model;
        var (small, large) = (Photo.WithOneFace(640, 480), Photo.WithOneFace(4000, 3000));
        (string Name, byte[] File, int Times)[] others =
        [
            ("PNG 640x480", Photo.As(SKEncodedImageFormat.Png, 640, 480), 60), ("WebP 640x480", Photo.As(SKEncodedImageFormat.Webp, 640, 480), 60),
            ("PNG 4000x3000", Photo.As(SKEncodedImageFormat.Png, 4000, 3000), 5), ("WebP 4000x3000", Photo.As(SKEncodedImageFormat.Webp, 4000, 3000), 5),
        ];
        var duration = TimeSpan.FromSeconds(seconds);
        var input = model.Metadata.Input.Normalisation;

        await using var smile = await Target.StartAsync("SmileApi", () => Service.StartAsync(s_oneCore), core: 1, "/classify?faces=whole");
        await using var int8 = await Target.StartAsync(
            "SmileApi with the network in 8 bits",
            () => Service.StartAsync(new Dictionary<string, string>(s_oneCore) { ["Model__Path"] = Path.Combine(AppContext.BaseDirectory, "models", "smile-int8.onnx") }),
            core: 1, "/classify?faces=whole");
        await using var plain = await Target.StartAsync(
            "afternoon",
            () => Service.StartAsync(
                s_oneCore, "SmileApi.Benchmarks.Plain.dll", Path.Combine(AppContext.BaseDirectory, "models", "smile.onnx"),
                input.Mean.ToString(CultureInfo.InvariantCulture), input.Deviation.ToString(CultureInfo.InvariantCulture)),
            core: 1, "/classify");
        await using var both = await Target.StartAsync("SmileApi, two cores", () => Service.StartAsync(), core: null, "/classify?faces=whole");
        var idle = smile.Service.Mebibytes;

        // Until code is no longer compiled beside the requests: what runs a thousand times a second is compiled once more after some seconds.
        Func<byte[]> whole = Always(smile.Raw(small)), form = Always(plain.Form(small)), echo = Always(Callers.Post("/echo", "image/jpeg", small));
        await smile.Callers.RunAsync(8, TimeSpan.FromSeconds(15), whole);
        await smile.Callers.RunAsync(2, TimeSpan.FromSeconds(1), Always(smile.Raw(large)));
        foreach (var (_, file, _) in others)
        {
            await smile.Callers.RunAsync(2, TimeSpan.FromSeconds(1), Always(smile.Raw(file)));
        }

        await smile.Callers.RunAsync(128, TimeSpan.FromSeconds(2), whole);
        await both.Callers.RunAsync(8, TimeSpan.FromSeconds(10), Always(both.Raw(small)));
        await int8.Callers.RunAsync(8, TimeSpan.FromSeconds(15), whole);
        await int8.Callers.RunAsync(128, TimeSpan.FromSeconds(2), whole);
        await plain.Callers.RunAsync(8, TimeSpan.FromSeconds(15), form);
        await plain.Callers.RunAsync(8, TimeSpan.FromSeconds(2), echo);

        var all = new Dictionary<string, List<double>>();
        for (var round = 0; round < rounds; round++)
        {
            AnsiConsole.MarkupLineInterpolated($"[grey]round {round + 1} of {rounds}[/]");
            var decode = Floor.Decode(small, Floor.ReductionFor(640, 480), 300);
            var perFace = s_batches.Min(batch => Floor.Network(model, batch, 480));
            Add("decode", decode);
            Add("network", perFace);
            foreach (var callers in s_callers)
            {
                var stack = await plain.MeasureAsync(callers, duration, echo);
                var ours = await smile.MeasureAsync(callers, duration, whole);
                var inInt8 = await int8.MeasureAsync(callers, duration, whole);
                var theirs = await plain.MeasureAsync(callers, duration, form);
                foreach (var (name, measured) in new[] { ("echo", stack), ("smile", ours), ("int8", inInt8), ("plain", theirs) })
                {
                    Add($"{name} {callers} rate", measured.Rate);
                    Add($"{name} {callers} p50", measured.P50);
                    Add($"{name} {callers} p99", measured.P99);
                    Add($"{name} {callers} cpu", measured.Cpu);
                    Add($"{name} {callers} bytes", measured.Bytes);
                }

                var floor = decode + perFace + stack.Cpu;
                Add($"floor {callers} cpu", floor);
                Add($"floor {callers} p50", decode + perFace + stack.P50);
                Add($"smile/floor {callers}", ours.Cpu / floor);
                Add($"int8/floor {callers}", inInt8.Cpu / floor);
                Add($"plain/smile {callers}", theirs.Cpu / ours.Cpu);
                Add($"smile/floor {callers} p50", ours.P50 / (decode + perFace + stack.P50));
            }

            // Two of the service's own processors, so that none is left for this one: only CPU time says anything.
            var one = await smile.MeasureAsync(8, duration, whole);
            var two = await both.MeasureAsync(8, duration, Always(both.Raw(small)));
            Add("two/one", two.Cpu / one.Cpu);

            Add("12 MP", (await smile.MeasureAsync(1, duration, Always(smile.Raw(large)))).Cpu / Floor.Decode(large, Floor.ReductionFor(4000, 3000), 20));
            foreach (var (name, file, times) in others)
            {
                Add(name, (await smile.MeasureAsync(1, duration, Always(smile.Raw(file)))).Cpu / Floor.SkiaDecode(file, times));
            }

            var (without, among) = await MixAsync(smile, small, large, 2 * duration);
            Add("small alone p99", without);
            Add("small among large p99", among);
            Add("mix", among / without);
        }

        Print(all, smile, idle, rounds);
        if (folder is not null)
        {
            Directory.CreateDirectory(folder);
            var figures = new { machine = Machine(), rounds, seconds, medians = all.ToDictionary(figure => figure.Key, figure => Math.Round(Figures.Median(figure.Value), 4)) };
            await File.WriteAllTextAsync(Path.Combine(folder, "service.json"), JsonSerializer.Serialize(figures, s_json) + "\n");
            Plots.Callers(s_callers, figure => Figures.Median(all[figure]), folder);
        }

        void Add(string figure, double value)
        {
            if (!all.TryGetValue(figure, out var values))
            {
                all.Add(figure, values = []);
            }

            values.Add(value);
        }
    }

    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true };

    /// <summary>The 99th percentile of small uploads, alone and where one in twenty has 12 megapixels, from eight callers.</summary>
    private static async Task<(double Alone, double Among)> MixAsync(Target target, byte[] small, byte[] large, TimeSpan duration)
    {
        const int Of = 8;
        var (one, other) = (target.Raw(small), target.Raw(large));
        var alone = await target.MeasureAsync(Of, duration, () => one);
        var times = new List<double>();
        var count = 0;
        await target.Callers.RunAsync(Of, duration, () => Interlocked.Increment(ref count) % LargeInTwenty == 0 ? other : one, (request, took) =>
        {
            if (request == one)
            {
                lock (times)
                {
                    times.Add(took);
                }
            }
        });
        return (alone.P99, Figures.Percentile([.. times.Order()], 0.99));
    }

    private static void Print(Dictionary<string, List<double>> all, Target smile, double idle, int rounds)
    {
        double M(string figure) => Figures.Median(all[figure]);
        var table = new Table { Border = TableBorder.Rounded }.AddColumn("JPEG 640x480, one face");
        foreach (var column in new[] { "callers", "requests/s", "p50, ms", "p99, ms", "CPU, ms", "x floor", "KB allocated" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (var callers in s_callers)
        {
            Row("the floor", "floor", rate: double.NaN, p99: double.NaN, 1, bytes: double.NaN);
            Row("SmileApi", "smile", M($"smile {callers} rate"), M($"smile {callers} p99"), M($"smile/floor {callers}"), M($"smile {callers} bytes"));
            Row("SmileApi, 8 bits", "int8", M($"int8 {callers} rate"), M($"int8 {callers} p99"), M($"int8/floor {callers}"), M($"int8 {callers} bytes"));
            Row("an afternoon's", "plain", M($"plain {callers} rate"), M($"plain {callers} p99"), M($"plain/smile {callers}") * M($"smile/floor {callers}"), M($"plain {callers} bytes"));

            void Row(string name, string key, double rate, double p99, double ratio, double bytes) => table.AddRow(
                name, $"{callers}", Figures.Text(rate, "F0"), Figures.Text(M($"{key} {callers} p50")), Figures.Text(p99), Figures.Text(M($"{key} {callers} cpu"), "F3"),
                Figures.Text(ratio), Figures.Text(bytes / 1000, "F1"));
        }

        AnsiConsole.Write(table);
        var best = s_callers.Max(callers => M($"smile {callers} rate"));
        Line("the floor: decode, network, HTTP", $"{M("decode"):F3} + {M("network"):F3} + {M("echo 8 cpu"):F3} ms of CPU time");
        Line("an afternoon's service / SmileApi, CPU time", string.Join(", ", s_callers.Select(callers => $"{M($"plain/smile {callers}"):F2}")));
        Line("one caller: p50 / floor", $"{M("smile/floor 1 p50"):F2}");
        Line("128 callers: rate / best rate; p99 / p50", $"{M("smile 128 rate") / best:F2}; {M("smile 128 p99") / M("smile 128 p50"):F2}");
        Line("CPU time on two cores / on one", $"{M("two/one"):F2}");
        Line("JPEG of 12 megapixels / its bare scaled decode", $"{M("12 MP"):F2}");
        Line("PNG, WebP of 640x480 / SkiaSharp's own decode", $"{M("PNG 640x480"):F2}, {M("WebP 640x480"):F2}");
        Line("PNG, WebP of 12 megapixels / SkiaSharp's own decode", $"{M("PNG 4000x3000"):F2}, {M("WebP 4000x3000"):F2}");
        Line("p99 of small ones, 1 in 20 being of 12 megapixels / alone", $"{M("mix"):F2} ({M("small among large p99"):F1} / {M("small alone p99"):F1} ms)");
        Line("memory at rest, at most", $"{idle:F0}, {smile.Service.PeakMebibytes:F0} MiB");
        Line("from the start of the process to the first answer", $"{smile.Ready.TotalSeconds:F2} s");
        Console.WriteLine($"Medians of {rounds} rounds by turns, the services on one core, the callers on the other. {Machine()}.");

        static void Line(string what, string figure) => AnsiConsole.MarkupLineInterpolated($"{what}: [bold]{figure}[/]");
    }

    /// <summary>What the figures were measured on.</summary>
    public static string Machine()
    {
        var processor = File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim()
            : null;
        return $"{processor ?? "Unknown processor"}, {Environment.ProcessorCount} processors, {System.Runtime.InteropServices.RuntimeInformation.OSDescription}, .NET {Environment.Version}";
    }

    private static Func<byte[]> Always(byte[] request) => () => request;

    /// <summary>What a load of one kind cost.</summary>
    /// <param name="Rate">Requests a second.</param>
    /// <param name="P50">Milliseconds.</param>
    /// <param name="P99">Milliseconds.</param>
    /// <param name="Cpu">Milliseconds of the service's CPU time a request.</param>
    /// <param name="Bytes">Allocated a request.</param>
    private readonly record struct Measured(double Rate, double P50, double P99, double Cpu, double Bytes);

    /// <summary>A service and its callers.</summary>
    private sealed class Target(string path, Service service, Callers callers, TimeSpan ready) : IAsyncDisposable
    {
        private readonly HttpClient _http = new() { BaseAddress = service.Address };

        public Service Service => service;

        public Callers Callers => callers;

        /// <summary>From the start of the process to the first answer.</summary>
        public TimeSpan Ready => ready;

        public static async Task<Target> StartAsync(string name, Func<Task<Service>> start, int? core, string path)
        {
            AnsiConsole.MarkupLineInterpolated($"[grey]starting {name}[/]");
            var started = System.Diagnostics.Stopwatch.GetTimestamp();
            var service = await start();
            if (core is { } bit)
            {
                service.Affinity = 1 << bit;
            }

            var ready = System.Diagnostics.Stopwatch.GetElapsedTime(started);
            return new Target(path, service, await Callers.ConnectAsync(service.Address, s_callers.Max()), ready);
        }

        public byte[] Raw(byte[] picture) => Callers.Post(path, "application/octet-stream", picture);

        public byte[] Form(byte[] picture) => Callers.Post(
            path, "multipart/form-data; boundary=b",
            [.. "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"u8, .. picture, .. "\r\n--b--\r\n"u8]);

        public async Task<Measured> MeasureAsync(int count, TimeSpan duration, Func<byte[]> pick)
        {
            var bytes = await AllocatedAsync();
            var before = service.CpuTime;
            var seen = await callers.RunAsync(count, duration, pick);
            var cpu = service.CpuTime - before;
            bytes = await AllocatedAsync() - bytes;
            var requests = seen.Milliseconds.Length;
            return new Measured(
                requests / seen.Seconds, Figures.Percentile(seen.Milliseconds, 0.5), Figures.Percentile(seen.Milliseconds, 0.99), cpu.TotalMilliseconds / requests, bytes / requests);
        }

        public async ValueTask DisposeAsync()
        {
            _http.Dispose();
            callers.Dispose();
            await service.DisposeAsync();
        }

        /// <summary>Bytes that the process has allocated so far.</summary>
        private async Task<double> AllocatedAsync()
        {
            using var own = await _http.GetAsync(new Uri("allocated", UriKind.Relative));
            if (own.IsSuccessStatusCode)
            {
                return double.Parse(await own.Content.ReadAsStringAsync(), CultureInfo.InvariantCulture);
            }

            var metrics = await _http.GetStringAsync(new Uri("metrics", UriKind.Relative));
            var line = metrics.Split('\n').First(line => line.StartsWith("dotnet_gc_heap_total_allocated_bytes_total", StringComparison.Ordinal));
            return double.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
        }
    }
}
