using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using SmileApi.Imaging;
using SmileApi.Inference;
using Spectre.Console;

namespace SmileApi.Benchmarks;

/// <summary>What the networks do a second on a device, alone and in the service, by the size of batches; and what memory many mixed requests take.</summary>
internal static class Accelerator
{
    private const int LargestBatch = 64;

    /// <summary>As <see cref="Inference.FaceSearch"/> cuts many of them, so that some sizes of batches fit.</summary>
    private const int TileSide = 256;

    private const int UnavailableExitCode = 69;

    private static readonly Option<string> s_provider = Provider();
    private static readonly Option<int> s_index = new("--device") { Description = "CUDA's number of the GPU. Default 0.", DefaultValueFactory = _ => 0 };
    private static readonly Option<string[]> s_set = new("--set") { Description = "A setting of the service, as Section__Name=value; may be given several times.", DefaultValueFactory = _ => [] };

    public static Command Throughput()
    {
        Option<double> seconds = new("--seconds") { Description = "How long each figure is measured. Default 5.", DefaultValueFactory = _ => 5 };
        Option<int> largest = new("--largest") { Description = $"Largest size of batches, 1 to {LargestBatch}. Default {LargestBatch}.", DefaultValueFactory = _ => LargestBatch };
        Command throughput = new("throughput", "Pictures a second by size of batches, of the networks alone and of the service.") { s_provider, s_index, s_set, seconds, largest };
        throughput.SetAction((parsed, _) => ThroughputAsync(
            Of(parsed), TimeSpan.FromSeconds(Math.Clamp(parsed.GetValue(seconds), 0.1, 600)), Math.Clamp(parsed.GetValue(largest), 1, LargestBatch)));
        return throughput;
    }

    public static Command Memory()
    {
        Option<int> requests = new("--requests") { Description = "How many requests are sent. Default 100000.", DefaultValueFactory = _ => 100_000 };
        Option<int> callers = new("--callers") { Description = "How many are sent at a time. Default 16.", DefaultValueFactory = _ => 16 };
        Command memory = new("memory", "Memory of the process and the GPU over many requests of pictures of all sizes.") { s_provider, s_index, s_set, requests, callers };
        memory.SetAction((parsed, _) => MemoryAsync(Of(parsed), Math.Max(20, parsed.GetValue(requests)), Math.Clamp(parsed.GetValue(callers), 1, 1024)));
        return memory;
    }

    private static Option<string> Provider()
    {
        Option<string> provider = new("--provider") { Description = "cpu or cuda. Default cpu.", DefaultValueFactory = _ => "cpu" };
        provider.AcceptOnlyFromAmong("cpu", "cuda");
        return provider;
    }

    private static Setup Of(ParseResult parsed)
    {
        var settings = parsed.GetValue(s_set)!.Select(setting => setting.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[^1]);
        settings["Inference__Provider"] = parsed.GetValue(s_provider)!;
        settings["Inference__Devices__0"] = parsed.GetValue(s_index).ToString(CultureInfo.InvariantCulture);
        var cuda = parsed.GetValue(s_provider) == "cuda";
        return new Setup(cuda ? Device.Cuda(parsed.GetValue(s_index), sessionBytes: 0, "kSameAsRequested") : Device.Cpu, cuda ? parsed.GetValue(s_index) : null, settings);
    }

    private static async Task<int> ThroughputAsync(Setup setup, TimeSpan duration, int largest)
    {
        if (setup.Device.WhatIsWrong() is { } wrong)
        {
            await Console.Error.WriteLineAsync($"{setup.Device.Name} cannot be used: {wrong}");
            return UnavailableExitCode;
        }

        var photo = Photo.WithOneFace(640, 480);
        var table = new Table { Border = TableBorder.Rounded, Title = new TableTitle($"Pictures a second on {setup.Device.Name}") };
        foreach (var column in new[] { "batch", "smile", "check", "find", "whole", "mean", "detect", "mean" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        var alone = Alone(setup.Device, duration, largest);
        foreach (var size in FixedShapes.Batches(largest))
        {
            var (whole, wholeBatch) = await EndToEndAsync(setup, photo, "faces=whole", size, duration);
            var (detect, detectBatch) = await EndToEndAsync(setup, photo, "faces=detect", size, duration);
            table.AddRow([size.ToString(CultureInfo.InvariantCulture), .. alone[size].Select(Number), Number(whole), Number(wholeBatch), Number(detect), Number(detectBatch)]);
        }

        AnsiConsole.Write(table);
        Console.WriteLine(
            $"""
            batch   most pictures of a run (Batching:MaxBatch)
            smile, check, find   faces, candidates and tiles of {TileSide}x{TileSide} a second of these networks alone, by one runner
            whole, detect   JPEGs of 640x480 with one face a second that the service answers with faces=whole and faces=detect, asked
                    over loopback from this machine of {Environment.ProcessorCount} processors, and the mean faces of a run of the smile network
            {duration.TotalSeconds} s a figure.
            """);
        return 0;
    }

    /// <summary>The networks by themselves, without a service.</summary>
    private static Dictionary<int, double[]> Alone(Device device, TimeSpan duration, int largest)
    {
        var models = Path.Combine(AppContext.BaseDirectory, "models");
        using var smile = SmileModel.TryLoad(Path.Combine(models, "smile.onnx"), device, out var model, out var reason) ? model : throw new InvalidOperationException(reason);
        using var find = FaceModel.TryLoad(Path.Combine(models, "faces.onnx"), FaceModelMetadata.FindStage, device, out var first, out reason) ? first : throw new InvalidOperationException(reason);
        using var check = FaceModel.TryLoad(Path.Combine(models, "faces-check.onnx"), FaceModelMetadata.CheckStage, device, out var second, out reason) ? second : throw new InvalidOperationException(reason);
        const int Candidate = FaceModelMetadata.CandidateSide;
        const int MaxPixels = FaceSearch.MaxTileSide * FaceSearch.MaxTileSide;
        using var smileRunner = smile.CreateRunner(largest);
        using var findRunner = find.CreateRunner(MaxPixels);
        using var checkRunner = check.CreateRunner(largest * Candidate * Candidate);
        var (probabilities, answers) = (new float[largest], new float[largest][]);
        return FixedShapes.Batches(largest).ToDictionary(size => size, size =>
        {
            size = Math.Min(size, largest);
            return new[]
            {
                PerSecond(size, duration, Blank(size, FaceCrop.Length), images => smileRunner.Run(images, probabilities)),
                PerSecond(size, duration, Blank(size, Candidate * Candidate), images => Return(answers, size, () => checkRunner.Run(images, Candidate, Candidate, answers))),
                size * TileSide * TileSide > MaxPixels
                    ? double.NaN
                    : PerSecond(size, duration, Blank(size, TileSide * TileSide), images => Return(answers, size, () => findRunner.Run(images, TileSide, TileSide, answers))),
            };
        });
    }

    private static float[][] Blank(int count, int pixels) => [.. Enumerable.Range(0, count).Select(_ => new float[pixels])];

    private static void Return(float[][] answers, int count, Action run)
    {
        run();
        for (var i = 0; i < count; i++)
        {
            System.Buffers.ArrayPool<float>.Shared.Return(answers[i]);
        }
    }

    private static double PerSecond(int count, TimeSpan duration, float[][] images, Action<float[][]> run)
    {
        run(images); // A shape's first run plans it.
        run(images);
        var watch = Stopwatch.StartNew();
        long done = 0;
        while (watch.Elapsed < duration)
        {
            run(images);
            done += count;
        }

        return done / watch.Elapsed.TotalSeconds;
    }

    /// <summary>The service under so many callers that its batches could be full twice over.</summary>
    private static async Task<(double PerSecond, double MeanBatch)> EndToEndAsync(Setup setup, byte[] photo, string query, int batch, TimeSpan duration)
    {
        await using var service = await Service.StartAsync(new Dictionary<string, string>(setup.Settings)
        {
            ["Batching__MaxBatch"] = batch.ToString(CultureInfo.InvariantCulture),
            ["Requests__MaxInFlight"] = "1000",
            ["Requests__MaxInFlightSustained"] = "1000",
        });
        using var http = new HttpClient { BaseAddress = service.Address };
        var callers = Math.Max(4, 4 * batch);
        await AskAsync(http, callers, duration / 2, _ => (photo, query));
        var before = await FaceBatchesAsync(http);
        var watch = Stopwatch.StartNew();
        var done = await AskAsync(http, callers, duration, _ => (photo, query));
        var perSecond = done / watch.Elapsed.TotalSeconds;
        var after = await FaceBatchesAsync(http);
        return (perSecond, (after.Faces - before.Faces) / (after.Runs - before.Runs));
    }

    private static async Task<int> MemoryAsync(Setup setup, int requests, int callers)
    {
        const int Parts = 20;
        (byte[] Picture, string Query)[] mix = [.. Mix()];
        await using var service = await Service.StartAsync(setup.Settings);
        using var http = new HttpClient { BaseAddress = service.Address };
        var table = new Table { Border = TableBorder.Rounded, Title = new TableTitle($"Memory on {setup.Device.Name}, MiB") }
            .AddColumn(new TableColumn("requests").RightAligned()).AddColumn(new TableColumn("process").RightAligned()).AddColumn(new TableColumn("GPU").RightAligned());
        table.AddRow("0", Number(service.Mebibytes), Number(GpuMebibytes(setup.Gpu)));
        var (done, figures) = (0, new List<(double Process, double Gpu)>());
        for (var part = 1; part <= Parts; part++)
        {
            var upTo = (int)((long)requests * part / Parts);
            await Parallel.ForEachAsync(Enumerable.Range(done, upTo - done), new ParallelOptions { MaxDegreeOfParallelism = callers }, async (i, _) =>
                await PostAsync(http, mix[i % mix.Length].Picture, mix[i % mix.Length].Query));
            done = upTo;
            figures.Add((service.Mebibytes, GpuMebibytes(setup.Gpu)));
            table.AddRow(done.ToString(CultureInfo.InvariantCulture), Number(figures[^1].Process), Number(figures[^1].Gpu));
        }

        AnsiConsole.Write(table);
        var tenth = figures[Parts / 10 - 1];
        Console.WriteLine(
            $"{mix.Length} pictures of different sizes in turn, {callers} at a time. From the first tenth to the end: process {Signed(figures[^1].Process - tenth.Process)} MiB (peak {service.PeakMebibytes:F0})"
            + (setup.Gpu is null ? "." : $", GPU {Signed(figures[^1].Gpu - tenth.Gpu)} MiB."));
        return 0;
    }

    /// <summary>Pictures of all sizes and shapes, searched for faces of different sizes, so that tiles and batches are of all shapes.</summary>
    private static IEnumerable<(byte[] Picture, string Query)> Mix()
    {
        var random = new Random(5);
        for (var i = 0; i < 48; i++)
        {
            yield return (Photo.WithOneFace(random.Next(100, 1600), random.Next(100, 1200)), (i % 4) switch
            {
                0 => "faces=whole",
                1 => "minFace=80",
                _ => "faces=detect",
            });
        }
    }

    /// <returns>How many requests were answered.</returns>
    private static async Task<long> AskAsync(HttpClient http, int callers, TimeSpan duration, Func<long, (byte[] Picture, string Query)> next)
    {
        var (watch, done) = (Stopwatch.StartNew(), 0L);
        await Task.WhenAll(Enumerable.Range(0, callers).Select(async _ =>
        {
            while (watch.Elapsed < duration)
            {
                var (picture, query) = next(Interlocked.Increment(ref done));
                await PostAsync(http, picture, query);
            }
        }));
        return done;
    }

    private static async Task PostAsync(HttpClient http, byte[] picture, string query)
    {
        using var body = new ByteArrayContent(picture);
        body.Headers.ContentType = new MediaTypeHeaderValue("image/jpeg");
        using var response = await http.PostAsync(new Uri($"classify?{query}", UriKind.Relative), body);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Faces judged so far, and in how many runs.</summary>
    private static async Task<(double Faces, double Runs)> FaceBatchesAsync(HttpClient http)
    {
        var metrics = await http.GetStringAsync(new Uri("metrics", UriKind.Relative));
        return (Metric("smileapi_batch_size_sum"), Metric("smileapi_batch_size_count"));

        double Metric(string name)
        {
            var line = metrics.Split('\n').Single(line => line.StartsWith(name, StringComparison.Ordinal) && line.Contains("network=\"smile\"", StringComparison.Ordinal));
            return double.Parse(line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
        }
    }

    /// <summary>What the GPU holds now, of all processes, by nvidia-smi.</summary>
    private static double GpuMebibytes(int? gpu)
    {
        if (gpu is null)
        {
            return double.NaN;
        }

        using var smi = Process.Start(new ProcessStartInfo("nvidia-smi", [$"--id={gpu}", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]) { RedirectStandardOutput = true })!;
        return double.Parse(smi.StandardOutput.ReadToEnd(), CultureInfo.InvariantCulture);
    }

    private static string Number(double value) => double.IsNaN(value) ? "" : value.ToString(value < 100 ? "F1" : "F0", CultureInfo.InvariantCulture);

    private static string Signed(double value) => value.ToString("+0;-0;0", CultureInfo.InvariantCulture);

    private sealed record Setup(Device Device, int? Gpu, Dictionary<string, string> Settings);
}
