using Microsoft.Playwright;
using SkiaSharp;
using SmileApi.Tests;
using static Microsoft.Playwright.Assertions;

namespace SmileApi.Browser.Tests;

/// <summary>
/// Every state of the page, on a desktop and a telephone, light and dark: usable by everybody (axe), nothing wider than the screen, no
/// complaint of the browser. With <c>SMILE_SCREENSHOTS=DIR</c> each is kept as a picture to look at.
/// </summary>
public sealed class StatesTests(Site site)
{
    private static readonly string? s_screenshots = Environment.GetEnvironmentVariable("SMILE_SCREENSHOTS");

    [Theory]
    [InlineData("desktop", 1280, 900, ColorScheme.Light)]
    [InlineData("desktop", 1280, 900, ColorScheme.Dark)]
    [InlineData("phone", 360, 740, ColorScheme.Light)]
    [InlineData("phone", 360, 740, ColorScheme.Dark)]
    public async Task Every_state_is_for_everybody(string device, int width, int height, ColorScheme colours)
    {
        await using var tab = await site.Browser.OpenAsync(site.Address, new()
        {
            ViewportSize = new() { Width = width, Height = height },
            ColorScheme = colours,
            ReducedMotion = ReducedMotion.Reduce,
            HasTouch = device == "phone",
            IsMobile = device == "phone",
        });
        var page = tab.Page;
        await Expect(page.Locator("#model-line")).ToContainTextAsync("smile-cnn20");
        await SeeAsync("start");

        await PageTests.ChooseAsync(tab, ("birthday.jpg", Drawn.Group(1, 0, 1)));
        await Expect(page.Locator("#findings .verdict-title")).ToHaveTextAsync("2 of 3 smile");
        await SeeAsync("picture");

        await page.GetByText("Options", new() { Exact = true }).ClickAsync();
        await page.GetByText("The answer as JSON").ClickAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "Python" }).ClickAsync();
        await SeeAsync("options");
        await page.GetByText("Options", new() { Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "curl" }).ClickAsync();

        await PageTests.ChooseAsync(
            tab, ("birthday-2.jpg", Drawn.Group(1, 1, 1)), ("portrait.jpg", Drawn.Portrait(1)), ("passport.jpg", Drawn.Portrait(0)),
            ("wall.jpg", Drawn.Picture(400, 300, SKEncodedImageFormat.Jpeg)), ("a file with a name that is longer than anybody would like it to be.pdf", "%PDF-1.7"u8.ToArray()));
        await Expect(page.Locator("#progress")).ToHaveTextAsync("6 pictures, 1 problem");
        await SeeAsync("gallery");
        if (device == "desktop" && colours == ColorScheme.Light && Environment.GetEnvironmentVariable("SMILE_UPDATE_SNAPSHOTS") == "1")
        {
            // The picture in the README.
            await page.Locator("#tiles button[title='birthday.jpg']").ClickAsync();
            await Expect(page.Locator("#findings .verdict-title")).ToHaveTextAsync("2 of 3 smile");
            await page.Mouse.MoveAsync(0, 0);
            await page.EvaluateAsync("() => { document.activeElement.blur(); scrollTo(0, 0); }");
            await page.ScreenshotAsync(new() { Path = Path.Combine(Repository.Root, "docs", "page.png"), Clip = new() { X = 0, Y = 0, Width = 1280, Height = 1175 }, FullPage = true });
        }

        await page.Locator("#tiles .refused button").ClickAsync();
        await Expect(page.Locator("#findings .problem")).ToContainTextAsync("PDF");
        await SeeAsync("problem");

        await page.GetByRole(AriaRole.Tab, new() { Name = "Camera" }).ClickAsync();
        await SeeAsync("camera-off");

        await page.GetByRole(AriaRole.Tab, new() { Name = "How it learned" }).ClickAsync();
        await Expect(page.Locator("#hundred-title")).ToHaveTextAsync("50 of 100 right.");
        await page.Locator("#epoch").FillAsync("5");
        await SeeAsync("learned");
        tab.AssertQuiet(415);

        async Task SeeAsync(string state)
        {
            var name = $"{state}-{device}-{colours}".ToLowerInvariant();
            if (s_screenshots is not null)
            {
                await page.ScreenshotAsync(new() { Path = Path.Combine(s_screenshots, $"{name}.png"), FullPage = true });
            }

            Assert.InRange(await page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"), 0, width);
            await tab.AssertAccessibleAsync(name);
        }
    }
}
