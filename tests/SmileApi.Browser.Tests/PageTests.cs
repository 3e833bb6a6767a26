using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using SkiaSharp;
using SmileApi.Tests;
using static Microsoft.Playwright.Assertions;

namespace SmileApi.Browser.Tests;

/// <summary>The page at <c>/</c>, used as a person would, in a real browser, with pictures of nobody.</summary>
public sealed class PageTests(Site site)
{
    [Fact]
    public async Task A_chosen_picture_is_shown_with_a_box_and_a_probability_on_each_face()
    {
        await using var tab = await OpenAsync();

        await ChooseAsync(tab, ("group.jpg", Drawn.Group(1, 0, 1)));

        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("2 of 3 smile");
        await Expect(tab.Page.Locator("#frame .face.smiles")).ToHaveCountAsync(2);
        await Expect(tab.Page.Locator("#frame .face.serious")).ToHaveCountAsync(1);
        await Expect(tab.Page.Locator("#frame .face.smiles .label text").First).ToHaveTextAsync("> 99 %");
        await Expect(tab.Page.Locator("#frame .face.serious .label text")).ToHaveTextAsync(new Regex("^(< )?[0-9] %$"));
        await Expect(tab.Page.Locator("#caption")).ToHaveTextAsync("group.jpg, 960 × 600, JPEG");

        // The largest face is the one in the middle, which does not smile: its box is where it was drawn.
        var frame = (await tab.Page.Locator("#frame img").BoundingBoxAsync())!;
        var box = (await tab.Page.Locator("#frame .face.serious .line").BoundingBoxAsync())!;
        Assert.Equal(0.5, (box.X + (box.Width / 2) - frame.X) / frame.Width, 0.03);
        Assert.Equal(0.43, (box.Y + (box.Height / 2) - frame.Y) / frame.Height, 0.05);
        tab.AssertQuiet();
    }

    [Fact]
    public async Task Pictures_can_be_dropped_and_pasted()
    {
        await using var tab = await OpenAsync();

        await HandOverAsync(tab, "drop", "dropped.jpg", Drawn.Portrait(1));
        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("A smile");
        await Expect(tab.Page.Locator("#caption")).ToContainTextAsync("dropped.jpg");

        await HandOverAsync(tab, "paste", "pasted.png", Drawn.Portrait(0, SKEncodedImageFormat.Png));
        await Expect(tab.Page.Locator("#caption")).ToContainTextAsync("pasted.png");
        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("No smile");
        await Expect(tab.Page.Locator("#tiles .tile")).ToHaveCountAsync(2);
        tab.AssertQuiet();
    }

    [Fact]
    public async Task Who_has_no_picture_at_hand_tries_the_two_faces_of_nobody()
    {
        await using var tab = await OpenAsync();

        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Try two faces of nobody" }).ClickAsync();

        await Expect(tab.Page.Locator("#tiles .tile.best")).ToContainTextAsync("A smile");
        await Expect(tab.Page.Locator("#tiles .tile.serious")).ToContainTextAsync("No smile");
        tab.AssertQuiet();
    }

    [Fact]
    public async Task Many_pictures_are_a_gallery_sorted_by_smile_with_the_best_shot_marked()
    {
        await using var tab = await OpenAsync();

        await ChooseAsync(tab, s_four);

        await Expect(tab.Page.Locator("#progress")).ToHaveTextAsync("4 pictures");
        Assert.Equal(["c.jpg", "d.jpg", "a.jpg", "b.jpg"], await NamesAsync(tab));
        await Expect(tab.Page.Locator("#tiles .ribbon:visible")).ToHaveCountAsync(1);
        await Expect(tab.Page.Locator("#tiles .tile.best button")).ToHaveAttributeAsync("title", "c.jpg");

        // The best one is shown until somebody chooses another.
        await Expect(tab.Page.Locator("#caption")).ToContainTextAsync("c.jpg");
        await tab.Page.Locator("#tiles button[title='b.jpg']").ClickAsync();
        await Expect(tab.Page.Locator("#caption")).ToContainTextAsync("b.jpg");
        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("No face found");

        await tab.Page.GetByLabel("Order").SelectOptionAsync("name");
        await Expect(tab.Page.Locator("#tiles button").First).ToHaveAttributeAsync("title", "a.jpg");
        Assert.Equal(["a.jpg", "b.jpg", "c.jpg", "d.jpg"], await NamesAsync(tab));

        await tab.Page.Locator("#remove").ClickAsync();
        await Expect(tab.Page.Locator("#tiles .tile")).ToHaveCountAsync(3);
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Remove all" }).ClickAsync();
        await Expect(tab.Page.Locator("#stage")).ToBeHiddenAsync();
        await Expect(tab.Page.Locator("#samples")).ToBeVisibleAsync();
        tab.AssertQuiet();
    }

    [Fact]
    public async Task The_gallery_is_exported_as_json_as_the_service_answered_and_as_csv()
    {
        await using var tab = await OpenAsync();
        var verdict = await tab.Page.RunAndWaitForResponseAsync(
            () => ChooseAsync(tab, ("=group, of \"3\".jpg", Drawn.Group(1, 0, 1))), response => response.Url.EndsWith("/classify", StringComparison.Ordinal));
        var answered = (await verdict.JsonAsync())!.Value;
        await ChooseAsync(tab, ("notes.txt", "no picture"u8.ToArray()), ("nobody.jpg", Drawn.Picture(300, 200, SKEncodedImageFormat.Jpeg)));
        await Expect(tab.Page.Locator("#progress")).ToHaveTextAsync("3 pictures, 1 problem");

        using var json = JsonDocument.Parse(await DownloadAsync(tab, "#export-json", "smiles.json"));
        var results = json.RootElement.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal([200, 200, 415], results.Select(result => result.GetProperty("status").GetInt32()));
        Assert.Equal("=group, of \"3\".jpg", results[0].GetProperty("name").GetString());
        Assert.True(JsonElement.DeepEquals(answered, results[0].GetProperty("result")));
        Assert.Equal("urn:smileapi:problem:unsupported-format", results[2].GetProperty("problem").GetProperty("type").GetString());

        var csv = (await DownloadAsync(tab, "#export-csv", "smiles.csv")).Split("\r\n");
        Assert.Equal("file,status,face,smile,probability,threshold,x,y,width,height,confidence,image_width,image_height,problem", csv[0]);
        Assert.Equal(3, csv.Count(line => line.StartsWith("\"'=group, of \"\"3\"\".jpg\",200,", StringComparison.Ordinal)));
        Assert.Contains("nobody.jpg,200,,,,0.5,,,,,,300,200,", csv);
        Assert.Contains("notes.txt,415,,,,,,,,,,,,unsupported-format", csv);
        tab.AssertQuiet(415);
    }

    [Fact]
    public async Task The_threshold_judges_anew_without_asking_the_service()
    {
        await using var tab = await OpenAsync();
        await ChooseAsync(tab, ("half.jpg", Drawn.Group(1, 0, 0)));
        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("1 of 3 smiles");
        var asked = 0;
        tab.Page.Request += (_, _) => asked++;

        var slider = tab.Page.GetByLabel("Counts as a smile from").First;
        await slider.FocusAsync();
        await tab.Page.Keyboard.PressAsync("Home");

        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("All 3 smile");
        await Expect(tab.Page.Locator("#frame .face.smiles")).ToHaveCountAsync(3);
        await Expect(tab.Page.Locator("#snippet")).ToContainTextAsync("threshold=0");
        await Expect(slider).ToHaveAttributeAsync("aria-valuetext", "0 %");
        Assert.Equal(0, asked);
        tab.AssertQuiet();
    }

    [Fact]
    public async Task An_option_asks_the_service_anew()
    {
        await using var tab = await OpenAsync();
        await ChooseAsync(tab, ("portrait.jpg", Drawn.Portrait(1)));
        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("A smile");
        await tab.Page.GetByText("Options", new() { Exact = true }).ClickAsync();

        var asked = await tab.Page.RunAndWaitForRequestAsync(
            () => tab.Page.GetByLabel("The pictures are").SelectOptionAsync("whole"), request => request.Method == "POST");

        Assert.EndsWith("/classify?faces=whole", asked.Url, StringComparison.Ordinal);
        await Expect(tab.Page.Locator("#snippet")).ToContainTextAsync("faces=whole");
        await Expect(tab.Page.Locator("#findings .raw")).ToContainTextAsync("\"confidence\": null");
        tab.AssertQuiet();
    }

    [Fact]
    public async Task A_picture_that_lies_on_its_side_is_shown_upright_with_the_box_on_the_face()
    {
        await using var tab = await OpenAsync();
        var person = new Drawn.Person(0.3, 0.3, 0.22, 1);

        await ChooseAsync(tab, ("turned.jpg", Exif.Turned(Drawn.Picture(600, 800, SKEncodedImageFormat.Png, person))));

        await Expect(tab.Page.Locator("#caption")).ToHaveTextAsync("turned.jpg, 600 × 800, JPEG");
        var frame = (await tab.Page.Locator("#frame").BoundingBoxAsync())!;
        var box = (await tab.Page.Locator("#frame .face.smiles .line").BoundingBoxAsync())!;
        Assert.Equal(600.0 / 800, frame.Width / frame.Height, 0.01);
        Assert.Equal(0.3, (box.X + (box.Width / 2) - frame.X) / frame.Width, 0.05);
        Assert.Equal(0.3, (box.Y + (box.Height / 2) - frame.Y) / frame.Height, 0.05);
        Assert.Equal(600, await tab.Page.Locator("#frame img").EvaluateAsync<int>("image => image.naturalWidth"));
        tab.AssertQuiet();
    }

    [Fact]
    public async Task What_is_wrong_with_a_file_is_told_in_the_services_words_with_what_to_do()
    {
        await using var tab = await OpenAsync();
        var jpeg = Drawn.Portrait(1);
        (string Name, byte[] Bytes, int Status, string Says, string Advises)[] files =
        [
            ("empty.jpg", [], 400, "The request holds no picture.", "The file is empty"),
            ("phone.heic", [0, 0, 0, 24, .. "ftypheic\0\0\0\0mif1heic"u8], 415, "HEIC", "JPEG, PNG or WebP"),
            ("half.jpg", jpeg[..(jpeg.Length / 2)], 422, "The picture is cut off.", "Copy or download it once more."),
            ("large.jpg", [.. jpeg, .. new byte[21 << 20]], 413, "20,971,520 bytes", "Save the picture smaller"),
        ];
        foreach (var (name, bytes, status, says, advises) in files)
        {
            await ChooseAsync(tab, (name, bytes));

            await Expect(tab.Page.Locator("#caption")).ToHaveTextAsync(name);
            await Expect(tab.Page.Locator("#findings .problem")).ToContainTextAsync(says);
            await Expect(tab.Page.Locator("#findings .problem")).ToContainTextAsync(advises);
            await Expect(tab.Page.Locator("#findings .problem code")).ToHaveTextAsync(new Regex("^[0-9A-Z]+:[0-9A-F]{8}$"));
            tab.AssertQuiet([.. files.Select(file => file.Status)]);
            Assert.InRange(status, 400, 499);
        }

        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Remove all" }).ClickAsync();
        await ChooseAsync(tab, ("fine.jpg", Drawn.Picture(4000, 3000, SKEncodedImageFormat.Jpeg)));
        await tab.Page.GetByText("Options", new() { Exact = true }).ClickAsync();
        await tab.Page.GetByLabel("Smallest face, in pixels").FillAsync("5");
        await tab.Page.Keyboard.PressAsync("Enter");
        await Expect(tab.Page.Locator("#findings .problem")).ToContainTextAsync("minFace");
        await Expect(tab.Page.Locator("#findings .problem")).ToContainTextAsync("Look at the options");
    }

    [Fact]
    public async Task A_service_that_has_gone_is_told_and_tried_again()
    {
        await using var tab = await OpenAsync();
        await tab.Page.Context.SetOfflineAsync(true);
        await ChooseAsync(tab, ("portrait.jpg", Drawn.Portrait(1)));
        await Expect(tab.Page.Locator("#findings .problem")).ToContainTextAsync("The service cannot be reached.");

        await tab.Page.Context.SetOfflineAsync(false);
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();

        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("A smile");
    }

    [Fact]
    public async Task Every_documented_problem_has_its_advice()
    {
        await using var tab = await OpenAsync();
        var documented = Regex.Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "problems.md")), @"^\| `([a-z-]+)` \|", RegexOptions.Multiline)
            .Select(match => match.Groups[1].Value)
            .Except(["admin-key-invalid", "reload-in-progress", "model-refused", "origin-not-allowed", "upgrade-required"]); // Of addresses that the page does not ask.

        var advised = await tab.Page.EvaluateAsync<string[]>("async () => Object.keys((await import('./page/problems.js')).advice)");

        Assert.Empty(documented.Except(advised));
        Assert.Equal(["unreachable"], advised.Except(documented));
    }

    [Fact]
    public async Task A_files_name_is_text_and_never_markup()
    {
        await using var tab = await OpenAsync();
        const string Name = "<img src=x onerror=document.title='owned'>.jpg";

        await ChooseAsync(tab, (Name, Drawn.Portrait(1)), ("<b>other</b>.txt", "no picture"u8.ToArray()));

        await Expect(tab.Page.Locator("#caption")).ToContainTextAsync(Name);
        await Expect(tab.Page).ToHaveTitleAsync(new Regex("^SmileApi"));
        tab.AssertQuiet(415);
    }

    [Fact]
    public async Task The_explanation_is_offered_where_the_service_has_one()
    {
        await using var tab = await OpenAsync();
        var description = await tab.Page.APIRequest.GetAsync(site.Address + "swagger/v1/swagger.json");
        var explains = (await description.JsonAsync())!.Value.GetProperty("paths").TryGetProperty("/explain", out _);
        await ChooseAsync(tab, ("portrait.jpg", Drawn.Portrait(1)));
        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("A smile");
        var toggle = tab.Page.GetByRole(AriaRole.Button, new() { Name = "Show what spoke for a smile" });
        if (!explains)
        {
            await Expect(toggle).ToHaveCountAsync(0);
            return;
        }

        var plain = await tab.Page.Locator("#frame img").GetAttributeAsync("src");
        await toggle.ClickAsync();
        await Expect(toggle).ToHaveAttributeAsync("aria-pressed", "true");
        await Expect(tab.Page.Locator("#frame:not(.busy) img")).Not.ToHaveAttributeAsync("src", plain!);

        // A small picture is drawn larger, so that the map can be seen.
        Assert.Equal(512, await tab.Page.Locator("#frame img").EvaluateAsync<int>("async image => { await image.decode(); return Math.min(image.naturalWidth, image.naturalHeight); }"));
        await toggle.ClickAsync();
        await Expect(tab.Page.Locator("#frame img")).ToHaveAttributeAsync("src", plain!);
        tab.AssertQuiet();
    }

    [Fact]
    public async Task An_explanation_is_asked_for_once_however_much_happens_meanwhile()
    {
        await using var tab = await OpenAsync();
        await ChooseAsync(tab, ("first.jpg", Drawn.Portrait(1)));
        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("A smile");
        var asked = 0;
        tab.Page.Request += (_, request) => asked += request.Url.Contains("/explain", StringComparison.Ordinal) ? 1 : 0;
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Show what spoke for a smile" }).ClickAsync();

        await ChooseAsync(tab, [.. Enumerable.Range(0, 12).Select(i => ($"{i}.jpg", Drawn.Portrait(i % 2)))]);

        await Expect(tab.Page.Locator("#progress")).ToHaveTextAsync("13 pictures");
        await Expect(tab.Page.Locator("#announcer")).ToHaveTextAsync("13 pictures judged");
        await Expect(tab.Page.Locator("#frame:not(.busy) img")).ToHaveCountAsync(1);
        Assert.InRange(asked, 1, 2); // Of the picture shown before, and of that shown since.
        tab.AssertQuiet();
    }

    [Fact]
    public async Task The_colours_are_the_systems_until_others_are_chosen_and_then_stay()
    {
        await using var tab = await OpenAsync(new() { ColorScheme = ColorScheme.Dark });
        Assert.Equal("rgb(20, 20, 28)", await BackgroundAsync());

        await tab.Page.Locator("#theme").ClickAsync();
        Assert.Equal("rgb(255, 250, 240)", await BackgroundAsync());
        await tab.Page.ReloadAsync();
        Assert.Equal("rgb(255, 250, 240)", await BackgroundAsync());
        await Expect(tab.Page.Locator("#theme")).ToContainTextAsync("Light");

        async Task<string> BackgroundAsync() => await tab.Page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor");
    }

    [Fact]
    public async Task All_of_it_works_from_the_keyboard()
    {
        await using var tab = await OpenAsync();
        var opened = new TaskCompletionSource<IFileChooser>();
        tab.Page.FileChooser += (_, chooser) => opened.TrySetResult(chooser);
        await tab.Page.Keyboard.PressAsync("Tab");
        await Expect(tab.Page.Locator(".skip")).ToBeFocusedAsync();
        await tab.Page.Keyboard.PressAsync("Enter");
        await tab.Page.Keyboard.PressAsync("Tab");
        await Expect(tab.Page.Locator("#choose")).ToBeFocusedAsync();
        await tab.Page.Keyboard.PressAsync("Enter");
        await (await opened.Task).SetFilesAsync([Payload("one.jpg", Drawn.Portrait(1)), Payload("two.jpg", Drawn.Portrait(0))]);
        await Expect(tab.Page.Locator("#progress")).ToHaveTextAsync("2 pictures");
        await Expect(tab.Page.Locator("#announcer")).ToHaveTextAsync("2 pictures judged");

        await tab.Page.GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^two.jpg .*No smile$") }).FocusAsync();
        await tab.Page.Keyboard.PressAsync("Enter");
        await Expect(tab.Page.Locator("#caption")).ToContainTextAsync("two.jpg");

        await tab.Page.GetByRole(AriaRole.Tab, new() { Name = "Pictures" }).FocusAsync();
        await tab.Page.Keyboard.PressAsync("ArrowRight");
        await Expect(tab.Page.GetByRole(AriaRole.Tab, new() { Name = "Camera" })).ToBeFocusedAsync();
        await Expect(tab.Page.Locator("#camera-start")).ToBeVisibleAsync();
        await Expect(tab.Page.Locator("#pictures")).ToBeHiddenAsync();
        tab.AssertQuiet();
    }

    private static readonly (string, byte[])[] s_four =
    [
        ("a.jpg", Drawn.Portrait(0)), ("b.jpg", Drawn.Picture(400, 300, SKEncodedImageFormat.Jpeg)), ("c.jpg", Drawn.Group(1, 1, 1)), ("d.jpg", Drawn.Group(1, 0, 1)),
    ];

    private Task<Tab> OpenAsync(BrowserNewContextOptions? options = null) => site.Browser.OpenAsync(site.Address, options);

    internal static Task ChooseAsync(Tab tab, params (string Name, byte[] Bytes)[] files) =>
        tab.Page.Locator("#files").SetInputFilesAsync(files.Select(file => Payload(file.Name, file.Bytes)));

    private static FilePayload Payload(string name, byte[] bytes) => new() { Name = name, MimeType = "application/octet-stream", Buffer = bytes };

    /// <summary>Drops or pastes a file: the event that the browser fires when a person does, with the file in it.</summary>
    private static async Task HandOverAsync(Tab tab, string kind, string name, byte[] bytes) => await tab.Page.EvaluateAsync(
        """
        async ([kind, name, base64]) => {
          const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name));
          document.getElementById('drop').dispatchEvent(kind === 'drop'
            ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
        }
        """,
        new[] { kind, name, Convert.ToBase64String(bytes) });

    private static async Task<string[]> NamesAsync(Tab tab) =>
        [.. (await tab.Page.Locator("#tiles button").EvaluateAllAsync<string[]>("buttons => buttons.map((button) => button.title)"))];

    private static async Task<string> DownloadAsync(Tab tab, string button, string name)
    {
        var download = await tab.Page.RunAndWaitForDownloadAsync(() => tab.Page.Locator(button).ClickAsync());
        Assert.Equal(name, download.SuggestedFilename);
        return await File.ReadAllTextAsync(await download.PathAsync());
    }
}
