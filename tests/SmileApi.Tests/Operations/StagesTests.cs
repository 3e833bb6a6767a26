using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using OpenTelemetry.Trace;
using SmileApi.Operations;

namespace SmileApi.Tests.Operations;

/// <summary>Traces by stage. One class, so that its tests take turns: a listener hears all of the process.</summary>
public sealed class StagesTests
{
    [Fact]
    public async Task A_request_is_a_trace_of_its_stages_in_their_order()
    {
        // A listener hears all of the process, other tests' requests as well: these are known by the trace that they belong to.
        var trace = ActivityTraceId.CreateRandom();
        var exported = new List<Activity>();
        await using (var app = new WebApplicationFactory<Program>().WithWebHostBuilder(host => host
            .UseSetting("Serilog:MinimumLevel:Default", "Fatal").UseSetting("Serilog:MinimumLevel:Override:Microsoft.AspNetCore", "Fatal")
            .UseSetting("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9") // Nobody listens there.
            .ConfigureTestServices(services => services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.AddInMemoryExporter(exported)))))
        {
            using var http = app.CreateClient();
            http.DefaultRequestHeaders.Add("traceparent", $"00-{trace}-{ActivitySpanId.CreateRandom()}-01");
            using var picture = new ByteArrayContent(Repository.Sample("mean-smile.png"));
            using var answer = await http.PostAsync(new Uri("/classify?faces=whole", UriKind.Relative), picture);
            using var picture2 = new ByteArrayContent(Repository.Sample("mean-smile.png"));
            using var answer2 = await http.PostAsync(new Uri("/classify?faces=detect", UriKind.Relative), picture2);
            using var live = await http.GetAsync(new Uri("/health/live", UriKind.Relative));
            Assert.True(answer.IsSuccessStatusCode && answer2.IsSuccessStatusCode && live.IsSuccessStatusCode);
        }

        var spans = exported.Where(span => span.TraceId == trace).ToArray();
        var requests = spans.Where(span => span.Kind == ActivityKind.Server).OrderBy(span => span.StartTimeUtc).ToArray();
        Assert.Equal(2, requests.Length); // Not the probe.
        Assert.Equal(["read", "decode", "infer"], StagesOf(requests[0]));
        Assert.Equal(["read", "decode", "detect", "infer"], StagesOf(requests[1]));
        var decode = spans.Single(span => span.OperationName == "decode" && span.ParentSpanId == requests[0].SpanId);
        Assert.Equal("png", decode.GetTagItem("smileapi.picture.format"));
        Assert.Equal(10_000L, decode.GetTagItem("smileapi.picture.pixels"));
        Assert.Equal(1, spans.Single(span => span.OperationName == "infer" && span.ParentSpanId == requests[0].SpanId).GetTagItem("smileapi.faces"));

        IEnumerable<string> StagesOf(Activity request) =>
            spans.Where(span => span.ParentSpanId == request.SpanId).OrderBy(span => span.StartTimeUtc).Select(span => span.OperationName);
    }

    [Fact]
    public async Task Without_a_collector_a_stage_is_nothing_and_allocates_nothing()
    {
        // The service of another test may still be on its way to take its listener away.
        for (var i = 0; i < 1000 && Stages.Decode("png", 1) is { } heard; i++)
        {
            heard.Dispose();
            await Task.Delay(10);
        }

        Assert.Null(Stages.Decode("png", 1));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            using var read = Stages.Read();
            using var decode = Stages.Decode("png", 1);
            using var detect = Stages.Detect();
            using var infer = Stages.Infer(1);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public async Task Traces_arrive_at_the_named_collector()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var received = new MemoryStream();
        await using var collector = builder.Build();
        collector.MapPost("/v1/traces", async (HttpRequest request) =>
        {
            var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            lock (received)
            {
                received.Write(body.ToArray());
            }

            return Results.Bytes([], "application/x-protobuf");
        });
        await collector.StartAsync();

        var (process, http) = await ServiceProcess.StartAsync(
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Urls.Single()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"));
        using (http)
        await using (process)
        {
            using var picture = new ByteArrayContent(Repository.Sample("mean-smile.png"));
            using var answer = await http.PostAsync(new Uri("/classify", UriKind.Relative), picture);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal(0, await process.StopAsync()); // Sends what it has.
        }

        var sent = System.Text.Encoding.Latin1.GetString(received.ToArray());
        Assert.All(["read", "decode", "detect", "infer", "smileapi.picture.format"], stage => Assert.Contains(stage, sent, StringComparison.Ordinal));
    }
}
