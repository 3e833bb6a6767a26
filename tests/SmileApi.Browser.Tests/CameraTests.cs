using System.Text.RegularExpressions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace SmileApi.Browser.Tests;

/// <summary>The camera: Chromium's fake one, which shows a film made in code.</summary>
public sealed class CameraTests(Site site)
{
    [Theory]
    [InlineData("desktop", 1280, 900)]
    [InlineData("phone", 360, 740)]
    public async Task The_shutter_opens_when_everyone_smiles_and_not_before(string device, int width, int height)
    {
        // Two seconds without a smile, two seconds with one, again and again.
        await using var film = await FilmAsync((0, 40), (1, 40));
        await using var browser = await StartAsync(film.Name);
        await using var tab = await browser.OpenAsync(site.Address + "#camera", new() { ViewportSize = new() { Width = width, Height = height }, IsMobile = device == "phone" });
        var page = tab.Page;

        await page.GetByRole(AriaRole.Button, new() { Name = "Start the camera" }).ClickAsync();

        // The meter and the box follow whoever is before the camera, now serious, now smiling.
        var meter = page.GetByRole(AriaRole.Meter);
        await Expect(page.Locator("#live-frame .face.serious")).ToHaveCountAsync(1);
        await Expect(meter).ToHaveAttributeAsync("aria-valuenow", new Regex("^[0-9]$"));
        await Expect(page.Locator("#live-frame .face.smiles")).ToHaveCountAsync(1);
        await Expect(page.Locator("#live-frame .face.smiles .label text")).ToHaveTextAsync("> 99 %");
        await Expect(meter).ToHaveAttributeAsync("aria-valuenow", new Regex("^(9[0-9]|100)$"));

        // Armed while nobody smiles: what is taken is a smile all the same.
        await Expect(page.Locator("#live-frame .face.serious")).ToHaveCountAsync(1);
        await page.GetByRole(AriaRole.Button, new() { Name = "Take the picture when everyone smiles" }).ClickAsync();
        await Expect(page.Locator("#taken-tiles .tile")).ToHaveCountAsync(1);
        await Expect(page.Locator("#taken-tiles .tile")).ToContainTextAsync("A smile");
        await Expect(page.Locator("#announcer")).ToHaveTextAsync("Picture taken. A smile");
        await Expect(page.Locator("#shutter-auto")).ToHaveAttributeAsync("aria-pressed", "false");
        if (Environment.GetEnvironmentVariable("SMILE_SCREENSHOTS") is { } folder)
        {
            await page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"camera-{device}-light.png"), FullPage = true });
        }

        await tab.AssertAccessibleAsync("the camera");
        Assert.InRange(await page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"), 0, width);
        var download = await page.RunAndWaitForDownloadAsync(() => page.GetByRole(AriaRole.Button, new() { Name = "Download" }).ClickAsync());
        Assert.Matches(@"^smile-\d{4}-\d\d-\d\d-at-\d\d-\d\d-\d\d\.jpg$", download.SuggestedFilename);
        var taken = await File.ReadAllBytesAsync(await download.PathAsync());
        using (var picture = SkiaSharp.SKBitmap.Decode(taken))
        {
            Assert.Equal((640, 480), (picture.Width, picture.Height));
        }

        await page.GetByRole(AriaRole.Button, new() { Name = "To the pictures" }).ClickAsync();
        await Expect(page.Locator("#findings .verdict-title")).ToHaveTextAsync("A smile");
        await Expect(page.Locator("#camera-stop")).ToBeDisabledAsync();
        tab.AssertQuiet();
    }

    [Fact]
    public async Task The_shutter_waits_for_as_many_as_are_wanted_and_opens_by_hand_whenever_asked()
    {
        await using var film = await FilmAsync((1, 4));
        await using var browser = await StartAsync(film.Name);
        await using var tab = await browser.OpenAsync(site.Address + "#camera");
        var page = tab.Page;
        await page.GetByRole(AriaRole.Button, new() { Name = "Start the camera" }).ClickAsync();
        await Expect(page.Locator("#live-frame .face.smiles")).ToHaveCountAsync(1);

        await page.GetByLabel("At least").FillAsync("2");
        await page.GetByRole(AriaRole.Button, new() { Name = "Take the picture when everyone smiles" }).ClickAsync();
        for (var look = 0; look < 4; look++)
        {
            await page.WaitForResponseAsync(response => response.Url.Contains("/classify", StringComparison.Ordinal));
        }

        await Expect(page.Locator("#taken")).ToBeHiddenAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Take it now" }).ClickAsync();
        await Expect(page.Locator("#taken-tiles .tile")).ToHaveCountAsync(1);
        await page.GetByRole(AriaRole.Button, new() { Name = "Discard" }).ClickAsync();
        await Expect(page.Locator("#taken")).ToBeHiddenAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Stop" }).ClickAsync();
        await Expect(page.Locator("#camera-start")).ToBeVisibleAsync();
        Assert.True(await page.Locator("#video").EvaluateAsync<bool>("video => video.srcObject === null"));
        tab.AssertQuiet();
    }

    [Fact]
    public async Task Who_has_gone_on_before_the_camera_was_allowed_is_not_filmed()
    {
        await using var film = await FilmAsync((1, 4));
        await using var browser = await StartAsync(film.Name);
        await using var tab = await browser.OpenAsync(site.Address + "#camera");
        var page = tab.Page;
        await page.EvaluateAsync(
            "() => { const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); window.streams = []; "
            + "navigator.mediaDevices.getUserMedia = async (wanted) => { const stream = await ask(wanted); window.streams.push(stream); return stream; }; }");

        // In one go, before anybody could have answered the browser.
        await page.EvaluateAsync("() => { document.getElementById('camera-start').click(); document.getElementById('tab-pictures').click(); }");
        await page.WaitForFunctionAsync("() => window.streams.length === 1 && window.streams[0].getTracks().every((track) => track.readyState === 'ended')");
        Assert.True(await page.EvaluateAsync<bool>("() => document.getElementById('video').srcObject === null && !document.getElementById('live-frame').classList.contains('on')"));

        // Started twice, it runs once.
        await page.EvaluateAsync("() => { document.getElementById('tab-camera').click(); document.getElementById('camera-start').click(); document.getElementById('camera-start').click(); }");
        await Expect(page.Locator("#live-frame .face.smiles")).ToHaveCountAsync(1);
        Assert.Equal(1, await page.EvaluateAsync<int>("() => window.streams.filter((stream) => stream.active).length"));
        tab.AssertQuiet();
    }

    [Fact]
    public async Task Without_a_camera_the_page_says_so()
    {
        await using var tab = await site.Browser.OpenAsync(site.Address + "#camera");

        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Start the camera" }).ClickAsync();

        await Expect(tab.Page.Locator("#live-message")).ToHaveTextAsync(new Regex("There is no camera|was not allowed to use the camera"));
        await Expect(tab.Page.Locator("#camera-start")).ToBeVisibleAsync();
        tab.AssertQuiet();
    }

    private static Task<Chromium> StartAsync(string film) => Chromium.StartAsync(
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", $"--use-file-for-fake-video-capture={film}");

    /// <summary>A film in a file that is gone when it is closed.</summary>
    private static async Task<FileStream> FilmAsync(params (double Smile, int Frames)[] scenes)
    {
        var film = new FileStream(
            Path.Combine(Path.GetTempPath(), $"smile-{Guid.NewGuid():N}.mjpeg"), FileMode.CreateNew, FileAccess.Write, FileShare.Read, 4096, FileOptions.DeleteOnClose);
        await film.WriteAsync(Drawn.Film(scenes));
        await film.FlushAsync();
        return film;
    }
}
