using Microsoft.Extensions.Options;

namespace SmileApi.Access;

/// <summary>
/// What is the operator's can have a port of its own, which the world need not reach. It goes by path, so that an endpoint has
/// nothing to do for it: <c>/metrics</c> and everything below <c>/admin</c> are the operator's, whatever the method; probes are
/// answered on every port, all else on the others only. An endpoint below <c>/admin</c> with a key of its own says
/// <c>.AllowAnonymous()</c>, or it needs an API key besides, where there are some.
/// </summary>
internal static class ManagementPort
{
    private static readonly PathString[] s_managed = ["/metrics", "/admin"];
    private static readonly PathString s_everywhere = "/health";

    /// <summary>Adds the port to the addresses where the service listens anyway.</summary>
    public static void AddManagementPort(this WebApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        var management = configuration.GetSection(ManagementOptions.Section);
        var endpoints = configuration.GetSection("Kestrel:Endpoints");
        if (!int.TryParse(management[nameof(ManagementOptions.Port)], out var port) || endpoints.GetSection("Management").Exists())
        {
            return;
        }

        var address = $"http://{management[nameof(ManagementOptions.Address)] ?? new ManagementOptions().Address}:{port}";
        if (endpoints.GetChildren().Any())
        {
            configuration["Kestrel:Endpoints:Management:Url"] = address;
            return;
        }

        // What is set in code beats all other ways to say where to listen, and so has to repeat them.
        var urls = Split("urls");
        string[] addresses = urls.Length > 0
            ? urls
            : [.. Split("http_ports").Select(other => $"http://*:{other}"), .. Split("https_ports").Select(other => $"https://*:{other}")];
        builder.WebHost.UseUrls([.. addresses, address])
            .UseSetting(WebHostDefaults.HttpPortsKey, "").UseSetting(WebHostDefaults.HttpsPortsKey, "");

        string[] Split(string key) => configuration[key]?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
    }

    public static void UseManagementPort(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<ManagementOptions>>();
        app.Use((context, next) =>
        {
            if (options.Value.Port is not { } port)
            {
                return next(context);
            }

            // By the port of the connection, and not of the header Host, which is whatever its sender likes.
            var path = context.Request.Path;
            var managed = Array.Exists(s_managed, prefix => path.StartsWithSegments(prefix));
            if (path.StartsWithSegments(s_everywhere) || managed == (context.Connection.LocalPort == port))
            {
                return next(context);
            }

            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
    }
}
