using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace SmileApi.Tests.Access;

/// <summary>The real service with doors, on a real socket, and a clock that goes when it is told to.</summary>
internal sealed class GuardedApp : WebApplicationFactory<Program>
{
    private readonly (string Name, string Value)[] _settings;

    public GuardedApp(params (string Name, string Value)[] settings)
    {
        _settings = settings;
        UseKestrel(port: 0);
        StartServer();
        Http = CreateClient();
    }

    public HttpClient Http { get; }

    public FakeTimeProvider Clock { get; } = new();

    /// <summary>Settings of an API key.</summary>
    public static (string Name, string Value)[] Key(int index, string name, string key, string? requests = null, string? window = null) =>
    [
        ($"Access:Keys:{index}:Name", name),
        ($"Access:Keys:{index}:Sha256", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))),
        .. requests is null ? Array.Empty<(string, string)>() : [($"Access:Keys:{index}:Requests", requests)],
        .. window is null ? Array.Empty<(string, string)>() : [($"Access:Keys:{index}:WindowSeconds", window)],
    ];

    public Task<HttpResponseMessage> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, null, headers);

    public Task<HttpResponseMessage> ClassifyAsync(params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, "/classify?faces=whole", new ByteArrayContent(Repository.Sample("mean-smile.png")), headers);

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await Http.SendAsync(request);
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("Serilog:MinimumLevel:Default", "Fatal").UseSetting("Serilog:MinimumLevel:Override:Microsoft.AspNetCore", "Fatal");
        foreach (var (name, value) in _settings)
        {
            builder.UseSetting(name, value);
        }

        builder.ConfigureTestServices(services => services.AddSingleton<TimeProvider>(Clock));
    }
}
