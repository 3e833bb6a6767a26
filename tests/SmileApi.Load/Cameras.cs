using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Text.Json;
using SmileApi.Benchmarks;
using Spectre.Console;

namespace SmileApi.Load;

/// <summary>Cameras that stream at a fixed rate to the service on one core, whatever it answers: what is answered, and how late.</summary>
internal static class Cameras
{
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>What a service on one core is told; what the processor's number is must be known from the start.</summary>
    public static readonly IReadOnlyDictionary<string, string> OneCore = new Dictionary<string, string> { ["DOTNET_PROCESSOR_COUNT"] = "1" };

    /// <returns>Whether everything held.</returns>
    public static async Task<bool> RunAsync(Service service, int cameras, double rate, TimeSpan duration)
    {
        // The service on the first core and this process on the others.
        service.Affinity = 1;
        if ((OperatingSystem.IsLinux() || OperatingSystem.IsWindows()) && Environment.ProcessorCount > 1)
        {
            using var own = Process.GetCurrentProcess();
            own.ProcessorAffinity = (nint)((1L << Math.Min(Environment.ProcessorCount, 62)) - 2);
        }

        Console.WriteLine($"The service in process {service.Id} on {service.Address}, on one core of {Environment.ProcessorCount}; the cameras on the others.");
        var picture = Photo.WithOneFace(640, 480);
        await Task.WhenAll(Enumerable.Range(0, cameras).Select(camera => Camera.RunAsync(service.Address, picture, rate, s_warmUp, camera / rate / cameras)));

        var before = service.CpuTime;
        var started = Stopwatch.GetTimestamp();
        var seen = await Task.WhenAll(Enumerable.Range(0, cameras).Select(camera => Camera.RunAsync(service.Address, picture, rate, duration, camera / rate / cameras)));
        var (cpu, took) = (service.CpuTime - before, Stopwatch.GetElapsedTime(started));

        var table = Figures.TableOf("", "sent", "answered", "skipped", "p50 of the first 1/5, ms", "of the last", "p99 of the first 1/5, ms", "of the last", "slowest");
        foreach (var (index, camera) in seen.Index())
        {
            var (first, last, all) = (camera.Fifth(0), camera.Fifth(4), camera.Sorted());
            table.AddRow(
                $"camera {index + 1}", Figures.Text(camera.Sent), Figures.Text(camera.Answered), Figures.Text(camera.Skipped),
                Figures.Text(Figures.Percentile(first, 0.5), "F1"), Figures.Text(Figures.Percentile(last, 0.5), "F1"),
                Figures.Text(Figures.Percentile(first, 0.99), "F1"), Figures.Text(Figures.Percentile(last, 0.99), "F1"), Figures.Text(Figures.Percentile(all, 1), "F1"));
        }

        AnsiConsole.Write(table);
        var slope = seen.Max(camera => camera.Growth());
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{cameras} cameras, {rate:0.#} frames a second each, JPEGs of 640x480 ({picture.Length:N0} bytes) with a face, {took.TotalSeconds:F1} s; the service took {cpu / took:P0} of its core, {cpu.TotalMilliseconds / seen.Sum(camera => camera.Answered):F1} ms a frame answered; {service.Mebibytes:F0} MiB."));
        return Figures.Judge(
            ("every frame was answered or told to be skipped, and rightly", Array.TrueForAll(seen, camera => camera.Answered + camera.Skipped == camera.Sent && camera.Wrong + camera.Refused == 0)),
            ("at least 99 of 100 frames were answered", Array.TrueForAll(seen, camera => camera.Answered >= 0.99 * camera.Sent)),
            (string.Create(CultureInfo.InvariantCulture, $"answers did not come later and later: by less than 1 ms over the whole time ({slope:F2})"), slope < 1));
    }

    /// <summary>One camera.</summary>
    private sealed class Camera
    {
        private readonly List<(double At, double Milliseconds)> _latencies = [];

        public int Sent { get; private set; }

        public int Answered { get; private set; }

        public int Skipped { get; private set; }

        public int Refused { get; private set; }

        public int Wrong { get; private set; }

        /// <param name="phase">When the first frame is due, in seconds: cameras do not shoot at the same moment.</param>
        public static async Task<Camera> RunAsync(Uri address, byte[] picture, double rate, TimeSpan duration, double phase)
        {
            using var socket = new ClientWebSocket();
            await socket.ConnectAsync(new UriBuilder(address) { Scheme = Uri.UriSchemeWs, Path = "/stream" }.Uri, CancellationToken.None);
            var camera = new Camera();
            var began = Stopwatch.GetTimestamp() + (long)(phase * Stopwatch.Frequency);
            var reading = camera.ReadAsync(socket, began, rate);
            var frames = (int)(rate * duration.TotalSeconds);
            while (camera.Sent < frames)
            {
                var left = camera.Sent / rate - Stopwatch.GetElapsedTime(began).TotalSeconds;
                if (left > 0)
                {
                    await Task.Delay(TimeSpan.FromSeconds(left));
                    continue;
                }

                camera.Sent++;
                await socket.SendAsync(picture, WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
            }

            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
            await reading.WaitAsync(s_patience);
            return camera;
        }

        /// <returns>Milliseconds of the answers to a fifth of the frames, in order.</returns>
        public double[] Fifth(int which) => [.. _latencies.Where(seen => (int)(5 * seen.At) == which).Select(seen => seen.Milliseconds).Order()];

        public double[] Sorted() => [.. _latencies.Select(seen => seen.Milliseconds).Order()];

        /// <summary>By how many milliseconds the line through the medians of the tenths of the time rises over all of it.</summary>
        public double Growth() => Figures.Slope([.. _latencies.GroupBy(seen => (int)(10 * seen.At))
            .Select(tenth => ((tenth.Key + 0.5) / 10, Figures.Percentile([.. tenth.Select(seen => seen.Milliseconds).Order()], 0.5)))]);

        private async Task ReadAsync(ClientWebSocket socket, long began, double rate)
        {
            var buffer = new byte[64 << 10];
            var seen = new List<(int Frame, double Milliseconds)>();
            while (true)
            {
                var message = await socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
                if (message.MessageType == WebSocketMessageType.Close)
                {
                    break;
                }

                // From when the frame was due, not from when this side got round to sending it.
                using var answer = JsonDocument.Parse(buffer.AsMemory(0, message.Count));
                var frame = answer.RootElement.GetProperty("frame").GetInt32();
                seen.Add((frame, (Stopwatch.GetElapsedTime(began).TotalSeconds - (frame - 1) / rate) * 1000));
                Answered++;
                Skipped += answer.RootElement.GetProperty("skipped").GetInt32();
                var isJudged = answer.RootElement.TryGetProperty("result", out var result);
                Refused += isJudged ? 0 : 1;
                Wrong += isJudged && result.GetProperty("faces").GetArrayLength() != 1 ? 1 : 0;
            }

            _latencies.AddRange(seen.Select(one => ((one.Frame - 1.0) / Sent, one.Milliseconds)));
        }
    }
}
