using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
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
    public async Task The_first_layers_filters_form_with_the_player()
    {
        using var story = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "models", "training", "story.json")));
        var filters = story.RootElement.GetProperty("curve").GetProperty("filters").EnumerateArray().Select(epoch =>
            epoch.EnumerateArray().Select(filter => filter.EnumerateArray().Select(weight => weight.GetDouble()).ToArray()).ToArray()).ToArray();
        await using var tab = await site.Browser.OpenAsync(site.Address + "#learned");
        var page = tab.Page;

        await Expect(page.Locator("#filters .filter")).ToHaveCountAsync(filters[0].Length);
        await Expect(page.Locator("#filters")).ToHaveAttributeAsync("aria-label", new Regex("^16 filters of the first layer, before the first step.*start: 1.00\\.$"));
        await AssertDrawnAsync(0);

        await page.GetByRole(AriaRole.Slider, new() { NameRegex = new Regex("^Epoch") }).FocusAsync();
        var epochs = int.Parse((await page.Locator("#epoch").GetAttributeAsync("max"))!, CultureInfo.InvariantCulture);
        for (var epoch = 1; epoch <= 3; epoch++)
        {
            await page.Keyboard.PressAsync("ArrowRight");
        }

        // They are of a shorter training: the same share of its way is shown.
        await Expect(page.Locator("#filters")).ToHaveAttributeAsync("aria-label", new Regex("after epoch 3\\."));
        await AssertDrawnAsync((int)Math.Round(3.0 / epochs * (filters.Length - 1)));
        await Expect(page.Locator("#filters-lead")).ToContainTextAsync($"looked at {filters.Length} times");
        await page.Keyboard.PressAsync("End");
        await Expect(page.Locator("#filters")).ToHaveAttributeAsync("aria-label", new Regex($"after epoch {epochs}\\."));
        await AssertDrawnAsync(filters.Length - 1);
        await Expect(page.Locator("#filters-words")).ToContainTextAsync($"agree: {Agreement(filters[^1])},");
        tab.AssertQuiet();

        async Task AssertDrawnAsync(int epoch)
        {
            var drawn = await page.Locator("#filters .filter").EvaluateAllAsync<string[][]>("tiles => tiles.map(tile => [...tile.children].map(pixel => pixel.getAttribute('fill')))");
            for (var filter = 0; filter < filters[epoch].Length; filter++)
            {
                var strongest = filters[epoch][filter].Max(Math.Abs);
                Assert.All(filters[epoch][filter].Zip(drawn[filter]), pair =>
                {
                    var level = int.Parse(pair.Second["rgb(".Length..pair.Second.IndexOf(' ', StringComparison.Ordinal)], CultureInfo.InvariantCulture);
                    Assert.Equal($"rgb({level} {level} {level})", pair.Second);
                    Assert.InRange(level, 127 + 127.5 * pair.First / strongest - 1, 128 + 127.5 * pair.First / strongest + 1);
                });
            }
        }

        // The mean over the filters of the products of neighbours over their mean squares.
        static string Agreement(double[][] filters) => filters.Average(filter =>
        {
            var pairs = (from i in Enumerable.Range(0, 25) from j in Enumerable.Range(0, 25) where j == i + 5 || (j == i + 1 && j % 5 != 0) select (A: filter[i], B: filter[j])).ToArray();
            return pairs.Sum(pair => pair.A * pair.B) / pairs.Sum(pair => (pair.A * pair.A + pair.B * pair.B) / 2);
        }).ToString("F2", CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task A_history_without_filters_is_told_with_a_word_on_what_is_missing()
    {
        await using var tab = await site.Browser.OpenAsync(site.Address);
        await tab.Page.RouteAsync("**/model/history", async route =>
        {
            var answer = await route.FetchAsync();
            var history = JsonNode.Parse(await answer.TextAsync())!;
            history["filters"] = null;
            await route.FulfillAsync(new() { Response = answer, Body = history.ToJsonString() });
        });
        await tab.Page.GetByRole(AriaRole.Tab, new() { Name = "How it learned" }).ClickAsync();

        await Expect(tab.Page.Locator("#filters-lead")).ToContainTextAsync("did not keep its filters");
        await Expect(tab.Page.Locator("#filters-shown")).ToBeHiddenAsync();
        await tab.Page.Locator("#epoch").FillAsync("3");
        await Expect(tab.Page.Locator("#epoch-value")).ToContainTextAsync("3 of");
        await tab.AssertAccessibleAsync("learned without filters");
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
