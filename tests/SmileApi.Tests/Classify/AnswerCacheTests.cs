using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using SmileApi.Tests.Access;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Classify;

/// <summary>Answers to pictures that are sent again.</summary>
public sealed class AnswerCacheTests
{
    private static readonly byte[] s_smile = Repository.Sample("mean-smile.png");

    [Fact]
    public async Task The_same_picture_asked_the_same_is_answered_without_being_decoded_again()
    {
        const string Decodes = "smileapi_decode_duration_seconds_count";
        using var unasked = new GuardedApp(("Cache:MaxBytes", "100000")); // A scrape is kept for a moment, so that each is asked once.
        using var app = new GuardedApp(("Cache:MaxBytes", "100000"));
        var first = await AskAsync(app, s_smile);
        var again = await AskAsync(app, s_smile);

        Assert.Equal(1, await CountAsync(app, Decodes) - await CountAsync(unasked, Decodes));
        Assert.Equal((1, 1), await LookupsAsync(app));
        foreach (var part in new[] { "smile", "probability", "threshold", "faces", "image", "model" })
        {
            Assert.Equal(first.GetProperty(part).GetRawText(), again.GetProperty(part).GetRawText());
        }

        Assert.NotEqual(first.GetProperty("requestId").GetString(), again.GetProperty("requestId").GetString());
    }

    [Fact]
    public async Task Another_picture_and_other_options_have_answers_of_their_own()
    {
        using var app = new GuardedApp(("Cache:MaxBytes", "100000"));
        var smile = await AskAsync(app, s_smile);
        var neutral = await AskAsync(app, Repository.Sample("mean-neutral.png"));
        var strict = await AskAsync(app, s_smile, "faces=whole&threshold=1");

        Assert.True(smile.GetProperty("smile").GetBoolean());
        Assert.False(neutral.GetProperty("smile").GetBoolean());
        Assert.False(strict.GetProperty("smile").GetBoolean());
        Assert.Equal((0, 3), await LookupsAsync(app));
    }

    [Fact]
    public async Task What_is_kept_is_bounded_in_bytes()
    {
        using var app = new GuardedApp(("Cache:MaxBytes", "3000")); // Two answers with a face.
        for (var seed = 0; seed < 20; seed++)
        {
            await AskAsync(app, Make.Png(100, 100, seed));
        }

        for (var seed = 0; seed < 20; seed++)
        {
            await AskAsync(app, Make.Png(100, 100, seed));
        }

        var (hits, misses) = await LookupsAsync(app);
        Assert.Equal(40, hits + misses);
        Assert.InRange(hits, 0, 2);
    }

    [Fact]
    public async Task A_picture_that_is_refused_is_refused_again_and_nothing_is_kept_unless_it_is_asked_for()
    {
        using var app = new GuardedApp(("Cache:MaxBytes", "100000"));
        for (var i = 0; i < 2; i++)
        {
            using var refused = await app.SendAsync(HttpMethod.Post, "/classify", new ByteArrayContent(Make.Truncated(s_smile)));
            await ProblemAssert.IsAsync(refused, 422, "picture-truncated");
        }

        using var usual = new GuardedApp();
        await AskAsync(usual, s_smile);
        await AskAsync(usual, s_smile);
        Assert.Equal((0, 0), await LookupsAsync(usual));
    }

    private static async Task<JsonElement> AskAsync(GuardedApp app, byte[] picture, string query = "faces=whole")
    {
        using var answer = await app.SendAsync(HttpMethod.Post, $"/classify?{query}", new ByteArrayContent(picture));
        Assert.True(answer.IsSuccessStatusCode);
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static async Task<(double Hits, double Misses)> LookupsAsync(GuardedApp app) =>
        (await CountAsync(app, "smileapi_cache_lookups_total", "hit"), await CountAsync(app, "smileapi_cache_lookups_total", "miss"));

    private static async Task<double> CountAsync(GuardedApp app, string name, string label = "")
    {
        var metrics = await app.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        return metrics.Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal) && line.Contains(label, StringComparison.Ordinal))
            .Sum(line => double.Parse(line[(line.IndexOf('}', StringComparison.Ordinal) + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture));
    }
}
