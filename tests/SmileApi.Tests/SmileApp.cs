using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Exporter;

[assembly: AssemblyFixture(typeof(SmileApi.Tests.SmileApp))]

namespace SmileApi.Tests;

/// <summary>The real service with the committed model, listening on a real socket of this machine; one for all tests.</summary>
public sealed class SmileApp : WebApplicationFactory<Program>
{
    public SmileApp()
    {
        UseKestrel(port: 0);
        StartServer();
        Http = CreateClient();
    }

    /// <summary>A client of the service; its base address is the service's.</summary>
    public HttpClient Http { get; }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("Serilog:MinimumLevel:Default", "Fatal");

        // A scrape that another test asked for a moment ago would not tell of what this one has done.
        builder.ConfigureTestServices(services => services.Configure<PrometheusAspNetCoreOptions>(exporter => exporter.ScrapeResponseCacheDurationMilliseconds = 0));

        // Many tests at once are not the overload that some of them are about, however few processors there are.
        builder.UseSetting("Requests:MaxInFlight", "10000").UseSetting("Requests:MaxInFlightSustained", "10000");
    }

    /// <summary>A service of the application, for tests that look behind HTTP.</summary>
    internal T Get<T>()
        where T : notnull => Services.GetRequiredService<T>();

    /// <summary>Posts a picture as the raw body.</summary>
    public async Task<HttpResponseMessage> PostAsync(byte[] body, string query = "", string? contentType = "application/octet-stream")
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = contentType is null ? null : MediaTypeHeaderValue.Parse(contentType);
        return await Http.PostAsync(new Uri($"/classify{query}", UriKind.Relative), content);
    }

    /// <summary>Posts a picture and reads the verdict, which it must get.</summary>
    public async Task<JsonElement> ClassifyAsync(byte[] picture, string query = "")
    {
        using var response = await PostAsync(picture, query);
        var json = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {json}");
        return json;
    }

    /// <summary>The probability that the service gives a picture that is one face.</summary>
    public async Task<float> ProbabilityAsync(byte[] picture) => (await ClassifyAsync(picture, "?faces=whole")).GetProperty("probability").GetSingle();
}
