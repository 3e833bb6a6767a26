using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Operations;

/// <summary>Section <c>Shutdown</c>: how the service stops when it is asked to.</summary>
internal sealed class ShutdownOptions
{
    public const string Section = "Shutdown";

    /// <summary>
    /// How long requests are still taken while <c>/health/ready</c> says already that the service is about to stop, so that load
    /// balancers send them elsewhere first. Seconds, range 0 to 600, default 0; behind a load balancer, longer than it takes to notice.
    /// </summary>
    [Range(0.0, 600.0)]
    public double DelaySeconds { get; set; }

    /// <summary>How long what was accepted may then take; what has not ended is cut off. Seconds, range 1 to 600, default 30.</summary>
    [Range(1.0, 600.0)]
    public double TimeoutSeconds { get; set; } = 30;
}

[OptionsValidator]
internal sealed partial class ValidateShutdownOptions : IValidateOptions<ShutdownOptions>;

/// <summary>Stopping in order: not ready, then no new requests, then an end to those that were accepted.</summary>
internal static class Shutdown
{
    public static void AddShutdown(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<ShutdownOptions, ValidateShutdownOptions>(ShutdownOptions.Section);
        builder.Services.AddOptions<HostOptions>().Configure<IOptions<ShutdownOptions>>(
            (host, shutdown) => host.ShutdownTimeout = TimeSpan.FromSeconds(shutdown.Value.DelaySeconds + shutdown.Value.TimeoutSeconds));
        builder.Services.AddHostedService<ShutdownDelay>();
    }

    /// <summary>While the service is about to stop, each answer ends its connection: the client's next request finds another instance.</summary>
    public static void UseShutdown(this WebApplication app)
    {
        var stopping = app.Lifetime.ApplicationStopping;
        app.Use((context, next) =>
        {
            if (stopping.IsCancellationRequested)
            {
                context.Response.Headers.Connection = "close";
            }

            return next(context);
        });
    }
}

/// <summary>Waits before anything stops; the host asks the web server to stop only after this.</summary>
internal sealed class ShutdownDelay(IOptions<ShutdownOptions> options, TimeProvider time) : IHostedLifecycleService
{
    public Task StoppingAsync(CancellationToken hurry) => Task.Delay(TimeSpan.FromSeconds(options.Value.DelaySeconds), time, hurry);

    public Task StartingAsync(CancellationToken startAborted) => Task.CompletedTask;

    public Task StartAsync(CancellationToken startAborted) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken startAborted) => Task.CompletedTask;

    public Task StopAsync(CancellationToken hurry) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken hurry) => Task.CompletedTask;
}
