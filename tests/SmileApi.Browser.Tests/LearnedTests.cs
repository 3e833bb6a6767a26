using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using SmileApi.Tests;
using static Microsoft.Playwright.Assertions;

namespace SmileApi.Browser.Tests;

/// <summary>How the model learned, told from its committed history.</summary>
public sealed class LearnedTests(Site site)
{
    [Fact]
    public async Task The_player_goes_from_the_coin_toss_to_the_last_epoch_with_the_figures_of_the_history()
    {
        using var history = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "models", "training", "history.json")));
        var epochs = history.RootElement.GetProperty("epochs").EnumerateArray().Select(epoch => epoch.GetProperty("val").GetProperty("balancedAccuracy").GetDouble()).ToArray();
        await using var tab = await site.Browser.OpenAsync(site.Address + "#learned");
        var page = tab.Page;

        await Expect(page.Locator("#learned-lead")).ToContainTextAsync(history.RootElement.GetProperty("pictures").GetInt32().ToString("N0", CultureInfo.InvariantCulture));
        await Expect(page.Locator("#hundred-title")).ToHaveTextAsync("50 of 100 right.");
        await Expect(page.Locator("#epoch-words")).ToContainTextAsync("Before the first step");
        await Expect(page.Locator("#hundred .right")).ToHaveCountAsync(50);

        await page.GetByRole(AriaRole.Slider, new() { NameRegex = new Regex("^Epoch") }).FocusAsync();
        await page.Keyboard.PressAsync("End");
        var last = (int)Math.Round(100 * epochs[^1]);
        await Expect(page.Locator("#epoch-value")).ToHaveTextAsync($"{epochs.Length - 1} of {epochs.Length - 1}");
        await Expect(page.Locator("#hundred-title")).ToHaveTextAsync($"{last} of 100 right.");
        await Expect(page.Locator("#hundred .right")).ToHaveCountAsync(last);
        await Expect(page.Locator("#accuracy-chart")).ToHaveAttributeAsync("aria-label", $"on people it never saw: {epochs[^1].ToString("F3", CultureInfo.InvariantCulture)}");

        // At its end it begins anew.
        await page.GetByRole(AriaRole.Button, new() { Name = "Play" }).ClickAsync();
        await Expect(page.Locator("#epoch-value")).ToHaveTextAsync(new Regex("^[1-9] of "));
        await page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await Expect(page.Locator("#play")).ToHaveTextAsync("Play");
        tab.AssertQuiet();
    }

    [Fact]
    public async Task The_learning_curve_and_the_hand_written_rule_stand_beside_it()
    {
        using var story = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "models", "training", "story.json")));
        await using var tab = await site.Browser.OpenAsync(site.Address + "#learned");

        foreach (var judge in story.RootElement.GetProperty("judges").EnumerateArray())
        {
            var row = tab.Page.Locator($"#judges-bars .bar-row:has(> .bar-name:text-is('{judge.GetProperty("name").GetString()}'))");
            await Expect(row).ToContainTextAsync(Percent(judge.GetProperty("balancedAccuracy").GetDouble()));
        }

        foreach (var point in story.RootElement.GetProperty("curve").GetProperty("points").EnumerateArray())
        {
            var pictures = point.GetProperty("smiles").GetInt32() + point.GetProperty("nonSmiles").GetInt32();
            var row = tab.Page.Locator("#curve-bars .bar-row", new() { HasTextRegex = new Regex($"^{pictures.ToString("N0", CultureInfo.InvariantCulture)} pictures") });
            await Expect(row).ToContainTextAsync(Percent(point.GetProperty("accuracy").GetDouble()));
        }

        tab.AssertQuiet();

        static string Percent(double share) => (100 * share).ToString("F1", CultureInfo.InvariantCulture) + " %";
    }
}
