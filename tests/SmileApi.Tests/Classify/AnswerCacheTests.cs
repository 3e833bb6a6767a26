using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using SmileApi.Classify;
using SmileApi.Imaging;
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
        var decodes = 0;
        var decoder = new ImageDecoder(new ImageLimits());
        DecodePicture counted = (ReadOnlySpan<byte> bytes, in ImageHeader header, int reduction, [NotNullWhen(true)] out GreyImage? image, [NotNullWhen(false)] out ImageRejection? rejection) =>
        {
            Interlocked.Increment(ref decodes);
            return decoder.TryDecodeReduced(bytes, header, reduction, out image, out rejection);
        };
        using var app = new GuardedApp(("Cache:MaxBytes", "100000"));
        using var counting = app.WithWebHostBuilder(host => host.ConfigureTestServices(services => services.AddSingleton(counted)));
        using var http = counting.CreateClient();
        decodes = 0; // The probes at the start are never answered from memory.
        var first = await AskAsync(http, s_smile);
        var again = await AskAsync(http, s_smile);

        Assert.Equal(1, decodes);
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
        var smile = await AskAsync(app.Http, s_smile);
        var neutral = await AskAsync(app.Http, Repository.Sample("mean-neutral.png"));
        var strict = await AskAsync(app.Http, s_smile, "faces=whole&threshold=1");

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
            await AskAsync(app.Http, Make.Png(100, 100, seed));
        }

        for (var seed = 0; seed < 20; seed++)
        {
            await AskAsync(app.Http, Make.Png(100, 100, seed));
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
        await AskAsync(usual.Http, s_smile);
        await AskAsync(usual.Http, s_smile);
        Assert.Equal((0, 0), await LookupsAsync(usual));
    }

    private static async Task<JsonElement> AskAsync(HttpClient http, byte[] picture, string query = "faces=whole")
    {
        using var answer = await http.PostAsync(new Uri($"/classify?{query}", UriKind.Relative), new ByteArrayContent(picture));
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
