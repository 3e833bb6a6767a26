using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using SkiaSharp;
using SmileApi.Access;
using SmileApi.Classify;

namespace SmileApi.Operations;

/// <summary><c>/health/live</c>: the process answers. <c>/health/ready</c>: a picture makes it through the whole pipeline.</summary>
internal static class Health
{
    public static void AddHealth(this WebApplicationBuilder builder) =>
        builder.Services
            .AddSingleton<PipelineCheck>()
            .AddHostedService(services => services.GetRequiredService<PipelineCheck>())
            .AddHealthChecks().AddCheck<PipelineCheck>("pipeline");

    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        app.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false }).Open();
        app.MapHealthChecks("/health/ready", new HealthCheckOptions
        {
            ResponseWriter = (context, report) => report.Status == HealthStatus.Healthy
                ? context.Response.WriteAsync("Healthy")
                : Problems.WriteAsync(context, new Problem(ProblemKind.NotReady, report.Entries["pipeline"].Description ?? "The check was cut short.", s_retry)),
        }).Open();
    }

    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(2);
}

/// <summary>
/// Sends a drawn picture the way of all pictures, through every network; once before the service listens, so that its first caller does not wait for
/// code to be compiled. An answer holds for a second, so that probes cannot become a load.
/// </summary>
internal sealed class PipelineCheck(Classifier classifier, IHostApplicationLifetime lifetime, TimeProvider time) : IHealthCheck, IHostedService, IDisposable
{
    private static readonly TimeSpan s_validity = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

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
        using var patience = new CancellationTokenSource(s_patience, time);
        try
        {
            // The drawing is no face to the detector: only the caller's word brings it to the smile network.
            var problem = await ProblemWithAsync(new ClassifyQuery(Detect: true), patience.Token)
                ?? await ProblemWithAsync(new ClassifyQuery(Detect: false), patience.Token);
            return problem is null ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy(problem.Detail);
        }
        catch (OperationCanceledException)
        {
            return HealthCheckResult.Unhealthy($"A picture was not answered within {s_patience.TotalSeconds:0} seconds.");
        }
        catch (Batching.InferenceFailedException e)
        {
            return HealthCheckResult.Unhealthy(e.Message);
        }
    }

    private async Task<Problem?> ProblemWithAsync(ClassifyQuery query, CancellationToken aborted)
    {
        var (_, problem) = await classifier.ClassifyAsync(_picture, query, time.GetTimestamp(), "health", aborted).WaitAsync(aborted);
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
