using System.Diagnostics;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using SmileApi.Batching;
using SmileApi.Imaging;
using SmileApi.Tests.Classify;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Operations;

/// <summary>
/// The whole service over its real networks, each of which is broken in each way: its own requests fail and no others, readiness
/// tells of it, and it recovers by itself.
/// </summary>
[Collection(nameof(Alone))]
public sealed class FaultRecoveryTests
{
    public enum Fault
    {
        Throws,
        AnswersNaN,

        /// <summary>Two runs do not end: as many as there are runners.</summary>
        Hangs,

        /// <summary>Every run fails until the session is opened anew, which fails as well until the device is back.</summary>
        LosesItsDevice,
    }

    [Theory]
    [InlineData(Fault.Throws)]
    [InlineData(Fault.AnswersNaN)]
    [InlineData(Fault.Hangs)]
    [InlineData(Fault.LosesItsDevice)]
    public async Task Each_network_that_fails_harms_only_its_own_requests_is_seen_and_recovers(Fault fault)
    {
        using var injected = new Injected();
        await using var service = Over(injected, ("Batching:RunTimeoutSeconds", "3"));
        using var http = service.CreateClient();
        using var photograph = new Photograph(320, 240).With(new FaceSquare(90, 50, 120));
        using var scene = new Photograph(320, 240);
        var (face, noFace) = (photograph.Png(), scene.Png());
        var expected = await ProbabilityAsync(http, face);
        await UntilReadyIsAsync(http, ready: true);

        foreach (var network in Enum.GetValues<Network>())
        {
            injected.Begin(fault, network);
            var begun = Stopwatch.StartNew();
            var asked = PostAsync(http, face, "detect");
            await UntilReadyIsAsync(http, ready: false);
            var seen = begun.Elapsed;
            using var answer = await asked;

            // Who does not need the network is answered: who says where the face is, or has a picture without one.
            using var other = network == Network.Smile ? await PostAsync(http, noFace, "detect") : await PostAsync(http, face, "whole");

            injected.MendWhatNeedsHands();
            var mended = Stopwatch.StartNew();
            await UntilReadyIsAsync(http, ready: true);
            var recovered = mended.Elapsed;

            await (fault == Fault.Hangs ? ProblemAssert.IsAsync(answer, 503, "inference-timeout") : ProblemAssert.IsAsync(answer, 500, "inference-failed"));
            Assert.True(other.IsSuccessStatusCode, $"{network}: {(int)other.StatusCode}");
            Assert.Equal(expected, await ProbabilityAsync(http, face), 1e-6f);
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{network} {fault}: not ready {seen.TotalSeconds:0.00} s after the fault, ready again {recovered.TotalSeconds:0.00} s after {(injected.NeedsHands ? "it was mended" : "that, by itself")}");
        }

        var metrics = await http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        var kind = fault switch { Fault.Hangs => "hung", Fault.AnswersNaN => "unsound", _ => "threw" };
        foreach (var network in new[] { "find", "check", "smile" })
        {
            Assert.Contains(
                metrics.Split('\n'),
                line => line.StartsWith("smileapi_inference_failures_total{", StringComparison.Ordinal)
                    && line.Contains($"network=\"{network}\"", StringComparison.Ordinal) && line.Contains($"kind=\"{kind}\"", StringComparison.Ordinal));
        }

        // All sessions are closed in the end: those in use, those that were replaced, and those that hung runs held.
        injected.Dispose();
        await service.DisposeAsync();
        while (injected.Closed < injected.Opened)
        {
            await Task.Yield();
        }
    }

    [Fact]
    public async Task A_network_whose_every_run_hangs_ends_in_refusals_at_once_and_in_a_probe_that_asks_for_a_new_start()
    {
        using var injected = new Injected { MaxHangs = int.MaxValue };
        await using var service = Over(injected, ("Batching:MaxHungRuns", "1"));
        using var http = service.CreateClient();
        await UntilReadyIsAsync(http, ready: true);
        injected.Begin(Fault.Hangs, Network.Smile);

        while (true)
        {
            using var answer = await PostAsync(http, Repository.Sample("mean-smile.png"), "whole");
            if ((await answer.Content.ReadAsStringAsync()).Contains("not-ready", StringComparison.Ordinal))
            {
                break;
            }

            await ProblemAssert.IsAsync(answer, 503, "inference-timeout");
        }

        using var live = await http.GetAsync(new Uri("/health/live", UriKind.Relative));
        using var ready = await http.GetAsync(new Uri("/health/ready", UriKind.Relative));
        Assert.Contains("started anew", await ProblemAssert.IsAsync(live, 503, "not-ready"), StringComparison.Ordinal);
        await ProblemAssert.IsAsync(ready, 503, "not-ready");
    }

    private static WebApplicationFactory<Program> Over(Injected injected, params (string Name, string Value)[] settings) =>
        new WebApplicationFactory<Program>().WithWebHostBuilder(host =>
        {
            host.UseSetting("Serilog:MinimumLevel:Default", "Fatal").UseSetting("Serilog:MinimumLevel:Override:Microsoft.AspNetCore", "Fatal");
            host.UseSetting("Batching:Runners", "2").UseSetting("Batching:RunTimeoutSeconds", "0.5").UseSetting("Batching:MaxHungRuns", "6");
            foreach (var (name, value) in settings)
            {
                host.UseSetting(name, value);
            }

            host.ConfigureTestServices(services => services.AddSingleton<OpenSessions>((smile, faces) => injected.Over(OnnxSessions.Open(smile, faces, maxBatch: 8))));
        });

    private static async Task UntilReadyIsAsync(HttpClient http, bool ready)
    {
        while (true)
        {
            using var response = await http.GetAsync(new Uri("/health/ready", UriKind.Relative));
            if (response.IsSuccessStatusCode == ready)
            {
                return;
            }

            await Task.Delay(20);
        }
    }

    private static async Task<HttpResponseMessage> PostAsync(HttpClient http, byte[] picture, string faces)
    {
        using var content = new ByteArrayContent(picture);
        return await http.PostAsync(new Uri($"/classify?faces={faces}", UriKind.Relative), content);
    }

    private static async Task<float> ProbabilityAsync(HttpClient http, byte[] picture)
    {
        using var response = await PostAsync(http, picture, "detect");
        using var json = System.Text.Json.JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return json.RootElement.GetProperty("probability").GetSingle();
    }

    /// <summary>A fault between the batcher and the real sessions.</summary>
    private sealed class Injected : IDisposable
    {
        private readonly ManualResetEventSlim _end = new();
        private volatile Broken? _broken;
        private int _opened;
        private int _closed;
        private int _hangs;

        public int MaxHangs { get; init; } = 2;

        public int Opened => _opened;

        public int Closed => _closed;

        public bool NeedsHands => _broken?.Fault is not Fault.Hangs;

        public void Begin(Fault fault, Network network)
        {
            _hangs = 0;
            _broken = new Broken(fault, network, _opened, Mended: false);
        }

        public void MendWhatNeedsHands()
        {
            if (NeedsHands)
            {
                _broken = _broken! with { Mended = true };
            }
        }

        public Sessions Over(Sessions real)
        {
            if (_broken is { Fault: Fault.LosesItsDevice, Mended: false })
            {
                real.Release();
                throw new InvalidOperationException("no device");
            }

            var number = Interlocked.Increment(ref _opened);
            return new Sessions(
                () =>
                {
                    var runner = real.CreateRunner();
                    return ((kind, images, answers) => Run(number, runner, kind, images, answers), runner.Dispose);
                },
                () =>
                {
                    real.Release();
                    Interlocked.Increment(ref _closed);
                });
        }

        public void Dispose() => _end.Set(); // Not disposed: hung runs may still wait.

        private void Run(int number, Runner runner, WorkKind kind, ReadOnlySpan<float[]> images, Span<float[]> answers)
        {
            var broken = _broken is { } now && now.Network == kind.Network && (!now.Mended || now.Fault == Fault.LosesItsDevice) ? now : null;
            if (broken is { Fault: Fault.Throws } || (broken is { Fault: Fault.LosesItsDevice } && number <= broken.Opened))
            {
                throw new InvalidOperationException("device lost");
            }

            if (broken is { Fault: Fault.Hangs } && Interlocked.Increment(ref _hangs) <= MaxHangs)
            {
                _end.Wait();
            }

            runner.Run(kind, images, answers);
            if (broken is { Fault: Fault.AnswersNaN })
            {
                answers[0][0] = float.NaN;
            }
        }

        private sealed record Broken(Fault Fault, Network Network, int Opened, bool Mended);
    }
}
