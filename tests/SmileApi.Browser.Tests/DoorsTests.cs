using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using SmileApi.Tests.Operations;
using static Microsoft.Playwright.Assertions;

namespace SmileApi.Browser.Tests;

/// <summary>The page before a service that is not open to everybody, or is not where it thinks.</summary>
public sealed class DoorsTests(Site site)
{
    private const string Key = "key-of-alice";

    private static readonly (string, string)[] s_key =
        [("Access__Keys__0__Name", "alice"), ("Access__Keys__0__Sha256", Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Key))))];

    [Fact]
    public async Task A_service_that_wants_a_key_is_asked_with_the_one_that_is_entered()
    {
        var (service, http) = await ServiceProcess.StartAsync(s_key);
        await using var stopping = service;
        using var closing = http;
        await using var tab = await site.Browser.OpenAsync(http.BaseAddress!.ToString());
        var page = tab.Page;

        await Expect(page.Locator("#key")).ToBeFocusedAsync();
        await Expect(page.Locator("#key-note")).ToContainTextAsync("This service wants a key");
        tab.AssertQuiet();
        await tab.AssertAccessibleAsync("the field for the key");

        await page.Locator("#key").FillAsync("a-wrong-one");
        await page.Keyboard.PressAsync("Enter");
        await PageTests.ChooseAsync(tab, ("portrait.jpg", Drawn.Portrait(1)));
        await Expect(page.Locator("#findings .problem")).ToContainTextAsync("The request has no valid API key.");
        await Expect(page.Locator("#findings .problem")).ToContainTextAsync("Ask whoever runs it");
        await Expect(page.Locator("#key-note")).ToContainTextAsync("another one than this");

        // With the right one what was refused goes on by itself.
        await page.Locator("#key").FillAsync(Key);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#findings .verdict-title")).ToHaveTextAsync("A smile");
        await Expect(page.Locator("#model-line")).ToContainTextAsync("smile-cnn20");
        await Expect(page.Locator("#snippet")).ToContainTextAsync("X-API-Key: $SMILE_KEY");
        await Expect(page.Locator("#snippet")).Not.ToContainTextAsync(Key);

        // It is kept for this tab and nowhere else.
        Assert.DoesNotContain(Key, await page.EvaluateAsync<string>("() => JSON.stringify(localStorage) + document.cookie"), StringComparison.Ordinal);
        await page.ReloadAsync();
        await Expect(page.Locator("#model-line")).ToContainTextAsync("smile-cnn20");
        await page.Locator("#key-open").ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Forget it" }).ClickAsync();
        Assert.Equal(0, await page.EvaluateAsync<int>("() => sessionStorage.length"));
        tab.AssertQuiet(401);
    }

    [Fact]
    public async Task Pictures_wait_as_long_as_the_service_says_and_are_all_judged()
    {
        // One request is the model's card, one more is let through at once, and each second another.
        var (service, http) = await ServiceProcess.StartAsync(("RateLimit__Requests", "2"), ("RateLimit__WindowSeconds", "2"));
        await using var stopping = service;
        using var closing = http;
        await using var tab = await site.Browser.OpenAsync(http.BaseAddress!.ToString());
        var told = new List<int>();
        tab.Page.Response += (_, response) => told.Add(response.Status);

        await PageTests.ChooseAsync(tab, [.. Enumerable.Range(1, 5).Select(number => ($"{number}.jpg", Drawn.Portrait(number % 2)))]);

        await Expect(tab.Page.Locator("#progress")).ToHaveTextAsync("5 pictures");
        await Expect(tab.Page.Locator("#tiles .tile.smiles")).ToHaveCountAsync(3);
        await Expect(tab.Page.Locator("#tiles .tile.serious")).ToHaveCountAsync(2);
        Assert.Contains(429, told);
        tab.AssertQuiet(429);
    }

    [Fact]
    public async Task Below_a_path_of_a_proxy_all_is_as_ever()
    {
        await using var proxy = await PrefixProxy.StartAsync(site.Address);
        await using var tab = await site.Browser.OpenAsync(proxy.Address);

        await PageTests.ChooseAsync(tab, ("portrait.jpg", Drawn.Portrait(1)));

        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("A smile");
        await Expect(tab.Page.Locator("#model-line")).ToContainTextAsync("smile-cnn20");
        await Expect(tab.Page.Locator("#snippet")).ToContainTextAsync($"{proxy.Address}classify");
        await tab.Page.GetByRole(AriaRole.Link, new() { Name = "API", Exact = true }).ClickAsync();
        await Expect(tab.Page.Locator(".opblock-summary-path[data-path='/classify']")).ToBeVisibleAsync();
        tab.AssertQuiet();
    }

    /// <summary>A reverse proxy that has the service below <c>/faces/</c>, and nothing else.</summary>
    private sealed class PrefixProxy(WebApplication app) : IAsyncDisposable
    {
        public string Address => app.Urls.First() + "/faces/";

        public static async Task<PrefixProxy> StartAsync(string service)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            var app = builder.Build();
            var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri(service) };
            app.Lifetime.ApplicationStopped.Register(http.Dispose);
            app.Map("/faces/{**path}", async (HttpContext context, string? path) =>
            {
                using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), new Uri(path + context.Request.QueryString, UriKind.Relative));
                if (context.Request.ContentLength > 0)
                {
                    request.Content = new StreamContent(context.Request.Body);
                    request.Content.Headers.TryAddWithoutValidation("Content-Type", context.Request.ContentType);
                }

                using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
                context.Response.StatusCode = (int)response.StatusCode;
                foreach (var (name, values) in response.Headers.Concat(response.Content.Headers).Where(header => header.Key != "Transfer-Encoding"))
                {
                    context.Response.Headers[name] = values.ToArray();
                }

                await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
            });
            await app.StartAsync();
            return new PrefixProxy(app);
        }

        public async ValueTask DisposeAsync() => await app.DisposeAsync();
    }
}
