using System.Net.Http.Headers;
using DotNet.Testcontainers.Containers;

namespace SmileApi.Container.Tests;

/// <summary>The service in a container that may do nothing but serve: read-only, without capabilities, 512 MiB, one processor.</summary>
internal sealed class HardenedService(IContainer container) : IAsyncDisposable
{
    public const long MemoryLimit = 512L << 20;

    public IContainer Container => container;

    public HttpClient Http { get; } = new() { BaseAddress = new Uri($"http://{container.Hostname}:{container.GetMappedPublicPort(8080)}") };

    public async Task<HttpResponseMessage> PostAsync(byte[] body, string query = "")
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        return await Http.PostAsync(new Uri($"/classify{query}", UriKind.Relative), content);
    }

    /// <summary>One value of <c>docker inspect</c>, by a template.</summary>
    public async Task<string> InspectAsync(string template) => (await Command.RunAsync("docker", ["inspect", "--format", template, container.Id])).Trim();

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await container.DisposeAsync();
    }
}
