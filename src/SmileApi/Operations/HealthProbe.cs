namespace SmileApi.Operations;

/// <summary>
/// <c>SmileApi healthcheck [ADDRESS]</c>: asks a running service on this machine whether it is ready, for engines that look into a
/// container by running a program in it. There is no other in the image. Nothing of the service is loaded for it.
/// </summary>
internal static class HealthProbe
{
    private const string Command = "healthcheck";

    private const string Path = "/health/ready";

    /// <summary>Shorter than the engine's own patience, so that a service that hangs is told of and not only cut off.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(4);

    public static bool IsAskedFor(string[] args) => args is [Command, ..];

    /// <returns>Exit code: 0 when ready, 1 when not, 2 when it is not clear what is asked. One line on the standard output says why.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        var address = args.Length > 1 ? args[1] : Address(Environment.GetEnvironmentVariable);
        if (args.Length > 2 || !Uri.TryCreate(address, UriKind.Absolute, out var service) || service.Scheme is not ("http" or "https"))
        {
            Console.WriteLine($"Usage: SmileApi {Command} [ADDRESS], such as http://localhost:8080");
            return 2;
        }

        using var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false };
        using var http = new HttpClient(handler) { Timeout = s_patience };
        try
        {
            using var response = await http.GetAsync(new Uri(service, Path));
            Console.WriteLine($"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
            return response.IsSuccessStatusCode ? 0 : 1;
        }
        catch (TaskCanceledException)
        {
            Console.WriteLine($"No answer from {service} within {s_patience.TotalSeconds:0} seconds.");
            return 1;
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            Console.WriteLine($"No answer from {service}: {e.GetBaseException().Message}");
            return 1;
        }
    }

    /// <summary>Where the service listens by the environment that both processes share; settings from elsewhere are not seen.</summary>
    /// <param name="variable">The value of an environment variable, if it is set.</param>
    internal static string Address(Func<string, string?> variable)
    {
        if (First(variable("ASPNETCORE_URLS")) is { } url)
        {
            // Kestrel's names for all addresses of the machine are no addresses to call.
            var binding = BindingAddress.Parse(url);
            return $"{binding.Scheme}://{(binding.Host is "*" or "+" or "0.0.0.0" or "[::]" ? "localhost" : binding.Host)}:{binding.Port}";
        }

        return $"http://localhost:{First(variable("ASPNETCORE_HTTP_PORTS")) ?? "8080"}";

        static string? First(string? list) => list?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is [var first, ..] ? first : null;
    }
}
