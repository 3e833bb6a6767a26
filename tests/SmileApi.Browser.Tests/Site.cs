using SmileApi.Tests.Operations;

[assembly: AssemblyFixture(typeof(SmileApi.Browser.Tests.Site))]

namespace SmileApi.Browser.Tests;

/// <summary>The service in a process of its own, and a browser; one of each for all tests of the page.</summary>
public sealed class Site : IAsyncLifetime
{
    private ServiceProcess? _service;
    private Chromium? _chromium;
    private HttpClient? _http;

    /// <summary>Where the service listens.</summary>
    public string Address => _http!.BaseAddress!.ToString();

    internal Chromium Browser => _chromium!;

    public async ValueTask InitializeAsync()
    {
        (_service, _http) = await ServiceProcess.StartAsync();
        _chromium = await Chromium.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_chromium is not null)
        {
            await _chromium.DisposeAsync();
        }

        _http?.Dispose();
        if (_service is not null)
        {
            await _service.DisposeAsync();
        }
    }
}
