using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Models;
using SmileApi.Tests.Access;
using SmileApi.Tests.Classify;

namespace SmileApi.Tests.Operations;

public sealed class EndpointTests(SmileApp app)
{
    [Fact]
    public async Task The_probes_say_that_all_is_well()
    {
        foreach (var path in new[] { "/health/live", "/health/ready" })
        {
            using var answer = await GetAsync(path);
            Assert.Equal((HttpStatusCode.OK, "text/plain"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        }
    }

    [Fact]
    public async Task The_model_shows_its_card()
    {
        var card = await app.Http.GetFromJsonAsync<JsonElement>(new Uri("/model", UriKind.Relative));

        var model = app.Get<ModelStore>().Current.Smile;
        Assert.Equal("smile-cnn20", card.GetProperty("name").GetString());
        Assert.Equal(model.Sha256, card.GetProperty("sha256").GetString());
        Assert.Equal("cpu", card.GetProperty("provider").GetString());
        Assert.Equal(app.Get<ImageDecoder>().JpegBackend, card.GetProperty("jpegDecoder").GetString());
        Assert.Equal(20, card.GetProperty("cost").GetProperty("layers").GetInt32());
        Assert.InRange(card.GetProperty("cost").GetProperty("multiplyAdds").GetInt64(), 1_000_000, 30_000_000);
        Assert.True(card.GetProperty("scores").GetProperty("test").GetProperty("accuracy").GetDouble() >= 0.96);
        Assert.Contains("research", card.GetProperty("licence").GetString()!, StringComparison.OrdinalIgnoreCase);
        var detector = card.GetProperty("detector");
        foreach (var (name, stage) in new[] { ("find", app.Get<ModelStore>().Current.Faces.Find), ("check", app.Get<ModelStore>().Current.Faces.Check) })
        {
            Assert.Equal(stage.Sha256, detector.GetProperty(name).GetProperty("sha256").GetString());
            Assert.Equal(stage.Metadata.Version, detector.GetProperty(name).GetProperty("version").GetString());
            Assert.Equal(stage.Metadata.Threshold, detector.GetProperty(name).GetProperty("threshold").GetSingle());
        }

        Assert.Equal(64, card.GetProperty("training").GetProperty("data").GetProperty("lfw160.tar").GetString()!.Length);
    }

    [Fact]
    public async Task The_model_tells_how_it_learned()
    {
        var history = await app.Http.GetFromJsonAsync<JsonElement>(new Uri("/model/history", UriKind.Relative));

        using var committed = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "models", "training", "history.json")));
        var epochs = history.GetProperty("epochs").EnumerateArray().ToArray();
        Assert.Equal(app.Get<ModelStore>().Current.Smile.Metadata.Version, history.GetProperty("version").GetString());
        Assert.Equal(committed.RootElement.GetProperty("epochs").GetArrayLength(), epochs.Length);
        Assert.Equal(JsonValueKind.Null, epochs[0].GetProperty("loss").ValueKind);
        Assert.Equal(0.5, epochs[0].GetProperty("val").GetProperty("balancedAccuracy").GetDouble());
        Assert.True(JsonElement.DeepEquals(committed.RootElement.GetProperty("epochs")[epochs.Length - 1].GetProperty("val"), epochs[^1].GetProperty("val")));
        using var story = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "models", "training", "story.json")));
        Assert.Equal("curve", history.GetProperty("filtersFrom").GetString()); // The committed model was trained before filters were kept.
        Assert.True(JsonElement.DeepEquals(story.RootElement.GetProperty("curve").GetProperty("filters"), history.GetProperty("filters")));
        Assert.Contains(history.GetProperty("judges").EnumerateArray(), judge => judge.GetProperty("name").GetString() == "hand-written rule");
        Assert.True(history.GetProperty("curve").GetArrayLength() > 1);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("[[[0.1, 0.2, 0.3, 0.4]]]")]
    [InlineData("[[], []]")]
    [InlineData("[[[0.1, 0.2]], [[0.1, 0.2]]]")]
    [InlineData("[[[0.1, 0.2, 0.3, 0.4]], [[0.1]]]")]
    [InlineData("[[[0.1, 0.2, 0.3, 0.4]], null]")]
    public async Task A_history_whose_filters_are_not_whole_is_told_without_them(string filters) =>
        Assert.Equal((JsonValueKind.Null, null), await FiltersAsync(filters));

    [Fact]
    public async Task A_history_with_a_filter_for_each_epoch_is_told_with_them() =>
        Assert.Equal((JsonValueKind.Array, "model"), await FiltersAsync("[[[0.1, 0.2, 0.3, 0.4]], [[0.2, 0.2, 0.2, 0.2]]]"));

    /// <summary>What <c>GET /model/history</c> says of a history of two epochs with these filters.</summary>
    private static async Task<(JsonValueKind Kind, string? From)> FiltersAsync(string filters)
    {
        var folder = Directory.CreateTempSubdirectory("smile-model-");
        try
        {
            var path = Path.Combine(folder.FullName, "smile.onnx");
            File.Copy(Path.Combine(AppContext.BaseDirectory, "models", "smile.onnx"), path);
            var history = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, "models", "training", "history.json")))!;
            history["epochs"] = new JsonArray([.. history["epochs"]!.AsArray().Take(2).Select(epoch => epoch!.DeepClone())]);
            history["filters"] = JsonNode.Parse(filters);
            Directory.CreateDirectory(Path.Combine(folder.FullName, "training"));
            File.WriteAllText(Path.Combine(folder.FullName, "training", "history.json"), history.ToJsonString());
            await using var own = new GuardedApp(("Model:Path", path));

            using var response = await own.GetAsync("/model/history");
            using var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
            Assert.Equal(2, answer.RootElement.GetProperty("epochs").GetArrayLength());
            return (answer.RootElement.GetProperty("filters").ValueKind, answer.RootElement.GetProperty("filtersFrom").GetString());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_model_without_a_history_beside_it_says_so()
    {
        var folder = Directory.CreateTempSubdirectory("smile-model-");
        try
        {
            var path = Path.Combine(folder.FullName, "smile.onnx");
            File.Copy(Path.Combine(AppContext.BaseDirectory, "models", "smile.onnx"), path);
            await using var without = new GuardedApp(("Model:Path", path));

            using var response = await without.GetAsync("/model/history");

            Assert.Contains("training/history.json", await ProblemAssert.IsAsync(response, 404, "not-found"), StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task What_is_not_there_is_a_problem_document()
    {
        using var response = await GetAsync("/no/such/page");

        Assert.Contains("/swagger", await ProblemAssert.IsAsync(response, 404, "not-found"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_wrong_method_is_a_problem_document_that_names_the_right_one()
    {
        using var response = await GetAsync("/classify");

        Assert.Contains("POST", await ProblemAssert.IsAsync(response, 405, "method-not-allowed"), StringComparison.Ordinal);
        Assert.Equal("POST", response.Content.Headers.Allow.Single());
    }

    [Fact]
    public async Task The_page_and_all_it_refers_to_is_there_and_runs_nothing_inline()
    {
        using var page = await GetAsync("/");
        var html = await page.Content.ReadAsStringAsync();

        Assert.Equal("text/html", page.Content.Headers.ContentType!.MediaType);
        Assert.Contains("script-src 'self'; style-src 'self'; ", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        var referred = Regex.Matches(html, "(?:src|href)=\"(page/[^\"]+)\"").Select(match => match.Groups[1].Value).Distinct().ToArray();
        Assert.Contains("page/app.js", referred);
        foreach (var address in referred)
        {
            using var file = await GetAsync("/" + address);
            Assert.True(file.IsSuccessStatusCode, address);
        }

        // Nothing from elsewhere: it works without internet.
        Assert.DoesNotMatch("(?:src|href)=\"(?:https?:)?//", html);
    }

    [Fact]
    public async Task A_file_of_the_page_that_has_not_changed_is_not_sent_again()
    {
        using var first = await GetAsync("/page/style.css");
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/page/style.css", UriKind.Relative));
        request.Headers.IfNoneMatch.Add(first.Headers.ETag!);

        using var again = await app.Http.SendAsync(request);

        Assert.Equal("no-cache", first.Headers.CacheControl!.ToString());
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
        Assert.Empty(await again.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("/page/no-such.js")]
    [InlineData("/page/..%2f..%2fappsettings.json")]
    [InlineData("/page/")]
    [InlineData("/index.html")]
    public async Task The_page_has_no_other_files(string address)
    {
        using var response = await GetAsync(address);

        await ProblemAssert.IsAsync(response, 404, "not-found");
    }

    [Fact]
    public async Task The_description_of_the_api_is_the_committed_one()
    {
        var json = await app.Http.GetFromJsonAsync<JsonElement>(new Uri("/swagger/v1/swagger.json", UriKind.Relative));
        var actual = JsonSerializer.Serialize(json, s_indented) + "\n";
        var path = Path.Combine(Repository.Root, "tests", "SmileApi.Tests", "Operations", "openapi.json");
        if (Environment.GetEnvironmentVariable("SMILE_UPDATE_SNAPSHOTS") == "1")
        {
            await File.WriteAllTextAsync(path, actual);
        }

        Assert.True(
            await File.ReadAllTextAsync(path) == actual,
            "The API's description has changed. If that is meant, run the tests once with SMILE_UPDATE_SNAPSHOTS=1 and commit openapi.json.");
    }

    [Fact]
    public void Every_kind_of_problem_is_documented()
    {
        var documentation = File.ReadAllText(Path.Combine(Repository.Root, "docs", "problems.md"));

        Assert.All(ProblemKind.All, kind => Assert.Contains($"| `{kind.Name}` | {kind.Status} |", documentation, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_setting_is_documented_with_its_default()
    {
        var documentation = File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md"));
        var settings = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "src", "SmileApi", "appsettings.json"))).RootElement;

        var names = settings.EnumerateObject().Where(section => section.Name != "Serilog")
            .SelectMany(section => section.Value.EnumerateObject().Select(setting => $"{section.Name}:{setting.Name}"));
        Assert.All(names, name => Assert.Contains($"| `{name}` |", documentation, StringComparison.Ordinal));
    }

    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private Task<HttpResponseMessage> GetAsync(string path) => app.Http.GetAsync(new Uri(path, UriKind.Relative));
}
