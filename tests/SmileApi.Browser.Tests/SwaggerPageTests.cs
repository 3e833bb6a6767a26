using System.Security.Cryptography;
using System.Text;
using Microsoft.Playwright;
using SmileApi.Tests;
using SmileApi.Tests.Operations;
using static Microsoft.Playwright.Assertions;

namespace SmileApi.Browser.Tests;

/// <summary>The page at <c>/swagger</c>, used as a person would, in a real browser.</summary>
public sealed class SwaggerPageTests(Site site)
{
    [Fact]
    public async Task A_picture_chosen_on_the_page_is_sent_and_its_verdict_shown()
    {
        await using var tab = await site.Browser.OpenAsync(site.Address + "swagger");
        await Expect(tab.Page).ToHaveTitleAsync("SmileApi");
        var operation = tab.Page.Locator(".opblock-post:has([data-path='/classify'])");
        await operation.GetByRole(AriaRole.Button, new() { Name = "Try it out" }).ClickAsync();
        await operation.Locator("tr[data-param-name=faces] select").SelectOptionAsync("whole");
        await operation.Locator("input[type=file]").SetInputFilesAsync(Path.Combine(Repository.Root, "samples", "mean-smile.png"));

        await operation.GetByRole(AriaRole.Button, new() { Name = "Execute" }).ClickAsync();

        await Expect(operation.Locator(".live-responses-table .response-col_status").Last).ToContainTextAsync("200");
        await Expect(operation.Locator(".live-responses-table .response-col_description").Last).ToContainTextAsync("\"smile\": true");
        tab.AssertQuiet();
    }

    [Fact]
    public async Task The_example_of_a_json_body_is_one_that_works()
    {
        await using var tab = await site.Browser.OpenAsync(site.Address + "swagger");
        var operation = tab.Page.Locator(".opblock-post:has([data-path='/classify'])");
        await operation.Locator(".opblock-section-request-body select").First.SelectOptionAsync("application/json");
        await operation.GetByRole(AriaRole.Button, new() { Name = "Try it out" }).ClickAsync();

        await operation.GetByRole(AriaRole.Button, new() { Name = "Execute" }).ClickAsync();

        await Expect(operation.Locator(".live-responses-table .response-col_status").Last).ToContainTextAsync("200");
        tab.AssertQuiet();
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
            await using var tab = await site.Browser.OpenAsync(http.BaseAddress + "swagger");
            var page = tab.Page;
            await page.Locator(".auth-wrapper .btn.authorize").ClickAsync();
            await page.Locator(".modal-ux input").FillAsync(Key);
            await page.Locator(".modal-ux .btn.authorize").ClickAsync();
            await page.Locator(".modal-ux .btn-done").ClickAsync();
            var operation = page.Locator(".opblock-get:has([data-path='/model'])");
            await operation.GetByRole(AriaRole.Button, new() { Name = "Try it out" }).ClickAsync();

            await operation.GetByRole(AriaRole.Button, new() { Name = "Execute" }).ClickAsync();

            await Expect(operation.Locator(".live-responses-table .response-col_status").Last).ToContainTextAsync("200");
            await Expect(operation.Locator(".live-responses-table .response-col_description").Last).ToContainTextAsync("smile-cnn20");
            tab.AssertQuiet();
        }
    }
}
