using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using SkiaSharp;
using SmileApi.Access;
using SmileApi.Batching;
using SmileApi.Classify;

namespace SmileApi.Operations;

/// <summary>
/// <c>/health/live</c>: the process answers, and nothing is broken that only a new start can mend. <c>/health/ready</c>: a picture
/// makes it through the whole pipeline, and the service is not about to stop.
/// </summary>
internal static class Health
{
    public static void AddHealth(this WebApplicationBuilder builder) =>
        builder.Services
            .AddSingleton<PipelineCheck>()
            .AddHostedService(services => services.GetRequiredService<PipelineCheck>())
            .AddHealthChecks().AddCheck<PipelineCheck>("pipeline", tags: [Ready]).AddCheck<RunnersCheck>("runners", tags: [Live, Ready]);

    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        app.MapHealthChecks("/health/live", Tagged(Live)).Open();
        app.MapHealthChecks("/health/ready", Tagged(Ready)).Open();
    }

    private static HealthCheckOptions Tagged(string tag) => new() { Predicate = check => check.Tags.Contains(tag), ResponseWriter = WriteAsync };

    private static Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "text/plain; charset=utf-8"; // A problem has its own.
        var worst = report.Entries.Values.MinBy(entry => entry.Status).Description;
        return report.Status switch
        {
            HealthStatus.Healthy => context.Response.WriteAsync("Healthy"),
            HealthStatus.Degraded => context.Response.WriteAsync($"Degraded: {worst}"),
            _ => Problems.WriteAsync(context, new Problem(ProblemKind.NotReady, worst ?? "The check was cut short.", s_retry)),
        };
    }

    private const string Live = "live";
    private const string Ready = "ready";

    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(2);
}

/// <summary>Whether there is a runner left; when all are taken by runs that never end, only a new start helps.</summary>
internal sealed class RunnersCheck(DynamicBatcher batcher) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken) => Task.FromResult(
        batcher.Runners > 0 ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("No run of a network ends any more. The service must be started anew."));
}

/// <summary>
/// Sends a drawn picture the way of all pictures, through every network; once before the service listens, so that its first caller does not wait for
/// code to be compiled. An answer holds for half a second, so that probes cannot become a load; with the time that the picture is
/// given, a fault is known a second and a half after it has begun.
/// </summary>
internal sealed class PipelineCheck(Classifier classifier, DynamicBatcher batcher, IHostApplicationLifetime lifetime, TimeProvider time)
    : IHealthCheck, IHostedService, IDisposable
{
    private static readonly TimeSpan s_validity = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private readonly byte[] _picture = DrawnJpeg();
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private HealthCheckResult _last;
    private long _lastAt;

    public Task StartAsync(CancellationToken startAborted) => ProbeAsync();

    public Task StopAsync(CancellationToken hurry) => Task.CompletedTask;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy("The service is about to stop. Send requests elsewhere.");
        }

        await _oneAtATime.WaitAsync(cancellationToken);
        try
        {
            if (_lastAt == 0 || time.GetElapsedTime(_lastAt) >= s_validity)
            {
                _last = await ProbeAsync();
                _lastAt = time.GetTimestamp();
            }

            return _last;
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    public void Dispose() => _oneAtATime.Dispose();

    private async Task<HealthCheckResult> ProbeAsync()
    {
        var before = batcher.Ends;
        using var patience = new CancellationTokenSource(s_patience, time);
        try
        {
            // The drawing is no face to the detector: only the caller's word brings it to the smile network.
            var problem = await ProblemWithAsync(new ClassifyQuery(Detect: true), patience.Token)
                ?? await ProblemWithAsync(new ClassifyQuery(Detect: false), patience.Token);
            return problem is null ? Well()
                : problem.Kind == ProblemKind.Overloaded && IsBusy(before) ? Well()
                : HealthCheckResult.Unhealthy(problem.Detail);
        }
        catch (OperationCanceledException)
        {
            return IsBusy(before) ? Well() : HealthCheckResult.Unhealthy($"A picture was not answered within {s_patience.TotalSeconds:0} seconds.");
        }
        catch (InferenceFailedException e)
        {
            return HealthCheckResult.Unhealthy(e.Message);
        }
    }

    private HealthCheckResult Well() => batcher.Trouble is { } trouble ? HealthCheckResult.Degraded(trouble) : HealthCheckResult.Healthy();

    /// <summary>Whether the networks answer others and none hangs, while the probe waits in the queue like everybody.</summary>
    private bool IsBusy((long Succeeded, long Failed) before) =>
        batcher.Trouble is null && batcher.Ends is var now && now.Succeeded > before.Succeeded && now.Failed == before.Failed;

    private async Task<Problem?> ProblemWithAsync(ClassifyQuery query, CancellationToken aborted)
    {
        var (_, problem) = await classifier.ClassifyAfreshAsync(_picture, query, time.GetTimestamp(), "health", maps: null, aborted).AsTask().WaitAsync(aborted);
        return problem;
    }

    private static byte[] DrawnJpeg()
    {
        using var bitmap = new SKBitmap(128, 128);
        using var canvas = new SKCanvas(bitmap);
        using var pen = new SKPaint { Color = SKColors.Black, Style = SKPaintStyle.Stroke, StrokeWidth = 6, IsAntialias = true };
        canvas.Clear(SKColors.LightGray);
        canvas.DrawCircle(40, 40, 6, pen);
        canvas.DrawCircle(88, 40, 6, pen);
        canvas.DrawArc(new SKRect(34, 50, 94, 110), 20, 140, useCenter: false, pen);
        using var data = bitmap.Encode(SKEncodedImageFormat.Jpeg, 90);
        return data.ToArray();
    }
}
