using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Operations;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Classify;

/// <summary>Decodes that do not end: their threads are really blocked, until a test lets them go; only the clock is a test's.</summary>
[Collection(nameof(Alone))]
public sealed class DecodeWatchdogTests
{
    private static readonly byte[] s_hanging = Make.Jpeg(77, 77, seed: 1);
    private static readonly byte[] s_good = Repository.Sample("mean-smile.png");
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task A_picture_that_takes_too_long_is_refused_and_the_next_takes_its_place()
    {
        using var hang = new Hang();
        var time = new FakeTimeProvider();
        await using var app = Over(hang, time, ("Decoding:Parallelism", "1"));
        using var http = app.CreateClient();

        var first = PostAsync(http, s_hanging);
        await hang.Began.WaitAsync();
        var second = PostAsync(http, s_good);
        time.Advance(s_limit - TimeSpan.FromTicks(1));
        Assert.False(first.IsCompleted); // Ten seconds are allowed.
        Assert.False(second.IsCompleted); // Its turn has not come.
        time.Advance(TimeSpan.FromTicks(1));

        using var refused = await first;
        using var answered = await second;
        Assert.Contains("10 seconds", await ProblemAssert.IsAsync(refused, 422, "picture-too-slow"), StringComparison.Ordinal);
        Assert.True(answered.IsSuccessStatusCode);
        Assert.Equal(1, app.Services.GetRequiredService<DecodeWatchdog>().Lost);
        // Services of other tests in this process report under the same name, so only that it is there can be told.
        Assert.Contains("smileapi_decode_lost{", await MetricsAsync(http), StringComparison.Ordinal);
        using var ready = await http.GetAsync(new Uri("/health/ready", UriKind.Relative));
        Assert.True(ready.IsSuccessStatusCode);
    }

    [Fact]
    public async Task What_a_lost_decode_reads_is_nobody_elses_until_it_ends()
    {
        using var hang = new Hang();
        var time = new FakeTimeProvider();
        await using var app = Over(hang, time);
        using var http = app.CreateClient();
        var first = PostAsync(http, s_hanging);
        await hang.Began.WaitAsync();
        time.Advance(s_limit);
        using var refused = await first;

        // Uploads of all kinds, which would get the same memory from the pool.
        await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
        {
            using var answer = await PostAsync(http, Make.Noise(s_hanging.Length + i % 3, seed: i));
            Assert.Equal(415, (int)answer.StatusCode);
        }));
        hang.LetGo();

        Assert.Equal(s_hanging, await hang.ReadAtItsEnd);
    }

    [Fact]
    public async Task A_lost_decode_that_ends_after_all_gives_back_its_picture_and_does_not_count_any_more()
    {
        using var hang = new Hang();
        var time = new FakeTimeProvider();
        await using var app = Over(hang, time, ("Decoding:MaxLost", "1"));
        using var http = app.CreateClient();
        var stopping = app.Services.GetRequiredService<Microsoft.Extensions.Hosting.IHostApplicationLifetime>().ApplicationStopping;
        var watchdog = app.Services.GetRequiredService<DecodeWatchdog>();
        for (var i = 1; i <= 3; i++)
        {
            var post = PostAsync(http, s_hanging);
            await hang.Began.WaitAsync();
            time.Advance(s_limit);
            using var refused = await post;
            await ProblemAssert.IsAsync(refused, 422, "picture-too-slow");

            hang.LetGo();
            var image = await hang.Decoded;
            Assert.True(SpinWait.SpinUntil(() => watchdog.Lost == 0, TimeSpan.FromMinutes(1)));
            Assert.Throws<ObjectDisposedException>(() => _ = image.Pixels.Length);
            hang.Again();
        }

        Assert.False(stopping.IsCancellationRequested);
        Assert.Contains("smileapi_decode_given_up_total{format=\"jpeg\"} 3", await MetricsAsync(http), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_more_lost_decode_than_may_be_stops_the_service_and_every_caller_is_still_answered()
    {
        using var hang = new Hang();
        using var meters = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var lifetime = new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance);
        var time = new FakeTimeProvider();
        var watchdog = new DecodeWatchdog(
            hang.Decode, Options.Create(new DecodingOptions { MaxLost = 2 }), lifetime, time,
            new SmileMetrics(meters.GetRequiredService<IMeterFactory>()), NullLogger<DecodeWatchdog>.Instance);
        Assert.True(ImageHeader.TryRead(s_hanging, out var header, out _));

        for (var lost = 1; lost <= 3; lost++)
        {
            Assert.False(watchdog.IsSpent);
            Assert.False(lifetime.ApplicationStopping.IsCancellationRequested);
            var decode = watchdog.DecodeAsync(s_hanging, header, 1);
            await hang.Began.WaitAsync();
            time.Advance(s_limit);
            Assert.Equal((null, null), await decode);
            Assert.Equal(lost, watchdog.Lost);
        }

        Assert.True(watchdog.IsSpent);
        Assert.True(lifetime.ApplicationStopping.IsCancellationRequested);
    }

    [Fact]
    public async Task A_service_about_to_stop_is_not_ready()
    {
        await using var app = new WebApplicationFactory<Program>().WithWebHostBuilder(host => host.UseSetting("Serilog:MinimumLevel:Default", "Fatal"));
        var check = app.Services.GetRequiredService<PipelineCheck>();
        app.Services.GetRequiredService<Microsoft.Extensions.Hosting.IHostApplicationLifetime>().StopApplication();

        var result = await check.CheckHealthAsync(new(), CancellationToken.None);

        Assert.Equal(Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Unhealthy, result.Status);
    }

    [Fact]
    public async Task A_service_that_loses_too_many_decodes_answers_their_callers_and_exits_with_70()
    {
        // No fault is injected: with these limits a file of 200 KB keeps SkiaSharp busy for many seconds.
        var (process, http) = await ServiceProcess.StartAsync(
            ("Decoding__TimeoutSeconds", "3"), ("Decoding__MaxLost", "0"), ("Decoding__UseTurboJpeg", "false"), ("Images__MaxHeldBytes", "2147483647"), ("Memory__MaxBytes", $"{4L << 30}"));
        using (http)
        await using (process)
        {
            using var refused = await PostAsync(http, Hostile.ManyPasses(9992, 1, 85));
            await ProblemAssert.IsAsync(refused, 422, "picture-too-slow");

            Assert.Equal(70, await process.ExitAsync());
            Assert.Contains("1 decodes do not end: the service stops and must be started anew", process.Output, StringComparison.Ordinal);
        }
    }

    private static WebApplicationFactory<Program> Over(Hang hang, TimeProvider time, params (string Name, string Value)[] settings) =>
        new WebApplicationFactory<Program>().WithWebHostBuilder(host =>
        {
            host.UseSetting("Serilog:MinimumLevel:Default", "Fatal").UseSetting("Serilog:MinimumLevel:Override:Microsoft.AspNetCore", "Fatal");
            foreach (var (name, value) in settings)
            {
                host.UseSetting(name, value);
            }

            host.ConfigureTestServices(services => services.AddSingleton(time).AddSingleton<DecodePicture>(hang.Decode));
        });

    private static async Task<HttpResponseMessage> PostAsync(HttpClient http, byte[] picture)
    {
        using var content = new ByteArrayContent(picture);
        return await http.PostAsync(new Uri("/classify?faces=whole", UriKind.Relative), content);
    }

    /// <summary>The metrics, without the name of who measures them.</summary>
    private static async Task<string> MetricsAsync(HttpClient http) =>
        Regex.Replace(await http.GetStringAsync(new Uri("/metrics", UriKind.Relative)), "otel_scope_name=\"SmileApi\",?", "");

    /// <summary>A decoder whose thread is blocked by every picture of 77 x 77 pixels, until it is let go.</summary>
    private sealed class Hang : IDisposable
    {
        private readonly ImageDecoder _decoder = new(new ImageLimits());
        private readonly SemaphoreSlim _gate = new(0);
        private TaskCompletionSource<byte[]> _read = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private TaskCompletionSource<GreyImage> _decoded = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _blocked;

        /// <summary>Released once for each decode that has begun to hang.</summary>
        public SemaphoreSlim Began { get; } = new(0);

        /// <summary>The bytes as the decode sees them after it was let go.</summary>
        public Task<byte[]> ReadAtItsEnd => _read.Task;

        public Task<GreyImage> Decoded => _decoded.Task;

        public bool Decode(
            ReadOnlySpan<byte> bytes, in ImageHeader header, int reduction, [NotNullWhen(true)] out GreyImage? image, [NotNullWhen(false)] out ImageRejection? rejection)
        {
            var hangs = header is { Width: 77, Height: 77 };
            if (hangs)
            {
                Interlocked.Increment(ref _blocked);
                Began.Release();
                _gate.Wait();
                _read.TrySetResult(bytes.ToArray());
            }

            var isDecoded = _decoder.TryDecodeReduced(bytes, header, reduction, out image, out rejection);
            if (hangs && isDecoded)
            {
                _decoded.TrySetResult(image!);
            }

            return isDecoded;
        }

        public void LetGo() => _gate.Release(Interlocked.Exchange(ref _blocked, 0));

        public void Again()
        {
            _read = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _decoded = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        public void Dispose()
        {
            // Threads that still hang end with the test.
            if (_blocked > 0)
            {
                LetGo();
            }
        }
    }
}
