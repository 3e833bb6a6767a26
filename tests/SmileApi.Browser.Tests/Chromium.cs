using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace SmileApi.Browser.Tests;

/// <summary>The system's Chromium or Chrome, without a window.</summary>
internal sealed class Chromium : IAsyncDisposable
{
    private static readonly string? s_path = Array.Find(
        ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
        File.Exists);

    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;

    // How long a busy machine may take for what is quick; a test that passes does not wait.
    static Chromium() => Assertions.SetDefaultExpectTimeout(30_000);

    private Chromium(IPlaywright playwright, IBrowser browser) => (_playwright, _browser) = (playwright, browser);

    /// <summary>Starts the browser; skips the test where there is none.</summary>
    /// <param name="arguments">Further switches of its command line.</param>
    public static async Task<Chromium> StartAsync(params string[] arguments)
    {
        Assert.SkipWhen(s_path is null, "no Chromium or Chrome on this system (Debian: apt install chromium)");
        var playwright = await Playwright.CreateAsync();
        var browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = s_path,
            Args = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", .. arguments],
        });
        return new Chromium(playwright, browser);
    }

    /// <summary>Opens an address in a tab with a storage of its own.</summary>
    public async Task<Tab> OpenAsync(string address, BrowserNewContextOptions? options = null)
    {
        var context = await _browser.NewContextAsync(options);
        context.SetDefaultTimeout(60_000);
        var tab = new Tab(await context.NewPageAsync());
        await tab.GotoAsync(address);
        return tab;
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }
}

/// <summary>A page, and what the browser complains of while it is there, broken security policies among it.</summary>
internal sealed class Tab : IAsyncDisposable
{
    /// <summary>
    /// Chromium drops all requests when the machine gets or loses a network, those to loopback as well; and tests with containers,
    /// which run at the same time, make networks.
    /// </summary>
    private const string NetworkChanged = "net::ERR_NETWORK_CHANGED";

    private readonly List<string> _complaints = [];
    private volatile bool _networkChanged;

    public Tab(IPage page)
    {
        Page = page;
        page.Console += (_, message) => Complain(message.Type == "error", message.Text);
        page.PageError += (_, error) => Complain(true, error);
        page.RequestFailed += (_, request) => _networkChanged |= request.Failure?.Contains(NetworkChanged, StringComparison.Ordinal) is true;
    }

    public IPage Page { get; }

    /// <summary>Goes to an address, again if the machine's network changed on the way.</summary>
    public async Task GotoAsync(string address)
    {
        do
        {
            _networkChanged = false;
            try
            {
                // An address that differs in nothing but its fragment would not be loaded anew.
                await Page.GotoAsync("about:blank");
                await Page.GotoAsync(address);
            }
            catch (PlaywrightException e) when (e.Message.Contains(NetworkChanged, StringComparison.Ordinal))
            {
                _networkChanged = true;
            }
        }
        while (_networkChanged);
    }

    /// <summary>Asserts that the browser had nothing to complain of, but for answers with these status codes.</summary>
    public void AssertQuiet(params int[] expected)
    {
        lock (_complaints)
        {
            Assert.DoesNotContain(_complaints, complaint => !Array.Exists(expected, status => complaint.Contains($"responded with a status of {status}", StringComparison.Ordinal)));
        }
    }

    /// <summary>Asserts that axe finds nothing that would keep anybody from using the page as it is now.</summary>
    public async Task AssertAccessibleAsync(string state)
    {
        var result = await Page.RunAxe();
        Assert.True(
            result.Violations.Length == 0,
            $"{state}: " + string.Join("; ", result.Violations.Select(violation =>
                $"{violation.Id} ({violation.Help}): {string.Join(", ", violation.Nodes.Select(node => node.Html))}")));
    }

    public async ValueTask DisposeAsync() => await Page.Context.DisposeAsync();

    private void Complain(bool isError, string complaint)
    {
        TestContext.Current.TestOutputHelper?.WriteLine(complaint);
        if (isError && !complaint.Contains(NetworkChanged, StringComparison.Ordinal))
        {
            lock (_complaints)
            {
                _complaints.Add(complaint);
            }
        }
    }
}
