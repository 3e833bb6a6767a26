using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Serilog;
using Serilog.Events;
using Serilog.Settings.Configuration;
using SmileApi.Access;

namespace SmileApi.Operations;

/// <summary>What operators see: one log line a request, metrics to scrape, and traces when someone collects them.</summary>
internal static class Telemetry
{
    /// <summary>Where the sinks that settings name are looked for. By itself Serilog reads through the list of all libraries for them at each start.</summary>
    private static readonly ConfigurationReaderOptions s_sinks = new(typeof(ConsoleLoggerConfigurationExtensions).Assembly, typeof(FileLoggerConfigurationExtensions).Assembly);

    public static void AddLogging(this WebApplicationBuilder builder) =>
        builder.Services.AddSerilog((services, logging) => logging
            // Where it may log at all, the host makes an activity and a scope for each request, a kilobyte of garbage that no line of
            // the log shows. It says nothing that is not said elsewhere; who collects traces gets their activities all the same.
            .MinimumLevel.Override("Microsoft.AspNetCore.Hosting.Diagnostics", LevelAlias.Off)
            .ReadFrom.Configuration(services.GetRequiredService<IConfiguration>(), s_sinks)
            .Filter.ByExcluding(IsDrainOfTheGone)
            .Enrich.FromLogContext());

    public static void AddTelemetry(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<SmileMetrics>();

        // OTLP has a default address, which nobody may be listening at: export only when one is named.
        var collected = !string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        var telemetry = builder.Services.AddOpenTelemetry().WithMetrics(metrics =>
        {
            metrics.AddMeter(SmileMetrics.MeterName).AddAspNetCoreInstrumentation().AddRuntimeInstrumentation().AddPrometheusExporter();
            if (collected)
            {
                metrics.AddOtlpExporter();
            }
        });
        if (collected)
        {
            telemetry.WithTracing(tracing => tracing
                .AddSource(Stages.SourceName)
                .AddAspNetCoreInstrumentation(requests => requests.Filter = context => !IsProbe(context.Request.Path))
                .AddOtlpExporter());
        }
    }

    public static void UseRequestLog(this WebApplication app) => app.UseSerilogRequestLogging(log =>
    {
        log.Logger = app.Services.GetRequiredService<Serilog.ILogger>(); // Else one is made for each request.
        var caller = app.Configuration.GetSection("Access:Keys").GetChildren().Any() ? "{Key} " : "";
        log.MessageTemplate = $"{{RequestMethod}} {{RequestPath}} {{StatusCode}} in {{Elapsed:F1}} ms {{Outcome}} {caller}[{{RequestId}}]";
        // Encoded as in the request's line: a decoded path may hold line breaks, and forge lines.
        log.GetMessageTemplateProperties = (context, _, elapsed, status) =>
        [
            new("RequestMethod", new ScalarValue(context.Request.Method)), new("RequestPath", new ScalarValue(context.Request.Path.ToUriComponent())),
            new("StatusCode", new ScalarValue(status)), new("Elapsed", new ScalarValue(elapsed)),
        ];
        log.EnrichDiagnosticContext = (diagnostics, context) =>
        {
            diagnostics.Set("RequestId", context.TraceIdentifier);
            if (caller.Length > 0)
            {
                diagnostics.Set("Key", context.User.Identity?.Name ?? "-");
            }
        };
        log.GetLevel = (context, _, exception) =>
            IsTurnedAway(context.Response.StatusCode) ? LogEventLevel.Warning
            : exception is not null || context.Response.StatusCode >= 500 ? LogEventLevel.Error
            : IsProbe(context.Request.Path) ? LogEventLevel.Debug
            : LogEventLevel.Information;
    });

    public static void MapMetrics(this WebApplication app)
    {
        var access = app.Services.GetRequiredService<IOptions<AccessOptions>>();
        var management = app.Services.GetRequiredService<IOptions<ManagementOptions>>();
        app.MapPrometheusScrapingEndpoint("/metrics").DisableRateLimiting().Add(endpoint =>
        {
            if (access.Value.OpenMetrics || management.Value.Port is not null)
            {
                endpoint.Metadata.Add(new AllowAnonymousAttribute());
            }
        });
    }

    /// <summary>Too much to do is a state of the service, which one hears of once a request; it is no fault in it.</summary>
    private static bool IsTurnedAway(int status) => status is 503 or 504;

    /// <summary>
    /// Kestrel's complaint, as an error, that it cannot take in the rest of a body whose connection has broken while it was read. The
    /// request has its own line in the log.
    /// </summary>
    private static bool IsDrainOfTheGone(LogEvent log) => log.Level == LogEventLevel.Error
        && log.MessageTemplate.Text.Contains("automatic draining of the request body failed because the body reader is in an invalid state", StringComparison.Ordinal);

    private static bool IsProbe(PathString path) => path.StartsWithSegments("/health") || path == "/metrics";
}
