using System.Security.Cryptography;
using System.Text;
using Microsoft.Playwright;
using SmileApi.Tests;
using SmileApi.Tests.Operations;
using static Microsoft.Playwright.Assertions;

namespace SmileApi.Browser.Tests;

/// <summary>The page at <c>/swagger</c>, used as a person would, in a real browser.</summary>
public sealed class SwaggerPageTests : IAsyncLifetime
{
    private static readonly string? s_chromium = Array.Find(
        ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
        File.Exists);

    private readonly List<string> _complaints = [];
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;
    private ServiceProcess _service = null!;
    private HttpClient _http = null!;
    private IPage _page = null!;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(s_chromium is null, "no Chromium or Chrome on this system (Debian: apt install chromium)");
        (_service, _http) = await ServiceProcess.StartAsync();
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = s_chromium,
            Args = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
        });
        _page = await OpenAsync(_http);
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
        _http?.Dispose();
        if (_service is not null)
        {
            await _service.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_picture_chosen_on_the_page_is_sent_and_its_verdict_shown()
    {
        await Expect(_page).ToHaveTitleAsync("SmileApi");
        var operation = _page.Locator(".opblock-post");
        await operation.GetByRole(AriaRole.Button, new() { Name = "Try it out" }).ClickAsync();
        await operation.Locator("tr[data-param-name=faces] select").SelectOptionAsync("whole");
        await operation.Locator("input[type=file]").SetInputFilesAsync(Path.Combine(Repository.Root, "samples", "mean-smile.png"));

        await operation.GetByRole(AriaRole.Button, new() { Name = "Execute" }).ClickAsync();

        await Expect(operation.Locator(".live-responses-table .response-col_status").Last).ToContainTextAsync("200");
        await Expect(operation.Locator(".live-responses-table .response-col_description").Last).ToContainTextAsync("\"smile\": true");
        Assert.Empty(_complaints);
    }

    [Fact]
    public async Task The_example_of_a_json_body_is_one_that_works()
    {
        var operation = _page.Locator(".opblock-post");
        await operation.Locator(".opblock-section-request-body select").First.SelectOptionAsync("application/json");
        await operation.GetByRole(AriaRole.Button, new() { Name = "Try it out" }).ClickAsync();

        await operation.GetByRole(AriaRole.Button, new() { Name = "Execute" }).ClickAsync();

        await Expect(operation.Locator(".live-responses-table .response-col_status").Last).ToContainTextAsync("200");
        Assert.Empty(_complaints);
    }

    [Fact]
    public async Task A_key_given_to_the_page_opens_the_service()
    {
        const string Key = "key-of-alice";
        var hash = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Key)));
        var (service, http) = await ServiceProcess.StartAsync(("Access__Keys__0__Name", "alice"), ("Access__Keys__0__Sha256", hash));
        using (http)
        await using (service)
        {
            var page = await OpenAsync(http);
            await page.Locator(".auth-wrapper .btn.authorize").ClickAsync();
            await page.Locator(".modal-ux input").FillAsync(Key);
            await page.Locator(".modal-ux .btn.authorize").ClickAsync();
            await page.Locator(".modal-ux .btn-done").ClickAsync();
            var operation = page.Locator(".opblock-get");
            await operation.GetByRole(AriaRole.Button, new() { Name = "Try it out" }).ClickAsync();

            await operation.GetByRole(AriaRole.Button, new() { Name = "Execute" }).ClickAsync();

            await Expect(operation.Locator(".live-responses-table .response-col_status").Last).ToContainTextAsync("200");
            await Expect(operation.Locator(".live-responses-table .response-col_description").Last).ToContainTextAsync("smile-cnn20");
            Assert.Empty(_complaints);
        }
    }

    /// <summary>Opens the page; what the browser complains of, broken security policies among it, is kept.</summary>
    private async Task<IPage> OpenAsync(HttpClient http)
    {
        var page = await _browser.NewPageAsync();
        page.Console += (_, message) =>
        {
            if (message.Type == "error")
            {
                _complaints.Add(message.Text);
            }
        };
        page.PageError += (_, error) => _complaints.Add(error);
        await page.GotoAsync(http.BaseAddress!.ToString());
        return page;
    }
}
