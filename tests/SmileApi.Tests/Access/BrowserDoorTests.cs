using System.Net;
using SmileApi.Tests.Classify;

namespace SmileApi.Tests.Access;

/// <summary>What a browser is told: which pages may read the answers, and what it must not do with them.</summary>
public sealed class BrowserDoorTests(SmileApp app)
{
    private const string Ours = "https://app.example";

    [Fact]
    public async Task No_page_of_another_origin_may_read_the_answers_unless_told()
    {
        using var preflight = await PreflightAsync(app.Http, Ours);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/model", UriKind.Relative));
        request.Headers.Add("Origin", Ours);
        using var answer = await app.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, preflight.StatusCode);
        Assert.False(preflight.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task Pages_of_a_configured_origin_may_errors_included_and_need_no_key_to_ask_whether_they_may()
    {
        await using var guarded = new GuardedApp([.. GuardedApp.Key(0, "page", "key-of-page"), ("Access:Origins:0", Ours), ("RateLimit:Requests", "9")]);

        using var preflight = await PreflightAsync(guarded.Http, Ours);
        using var stranger = await PreflightAsync(guarded.Http, "https://app.example.evil.example");
        using var refused = await guarded.ClassifyAsync(("Origin", Ours));
        using var answer = await guarded.ClassifyAsync(("Origin", Ours), ("X-API-Key", "key-of-page"));

        Assert.Equal(HttpStatusCode.NoContent, preflight.StatusCode);
        Assert.Equal(Ours, preflight.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.Contains("x-api-key", preflight.Headers.GetValues("Access-Control-Allow-Headers").Single(), StringComparison.OrdinalIgnoreCase);
        Assert.False(stranger.Headers.Contains("Access-Control-Allow-Origin"));
        await ProblemAssert.IsAsync(refused, 401, "unauthorized");
        Assert.Equal(Ours, refused.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.True(answer.IsSuccessStatusCode);
        Assert.Equal(Ours, answer.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.Contains("Retry-After", answer.Headers.GetValues("Access-Control-Expose-Headers").Single(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/model", false)]
    [InlineData("/no/such/page", false)]
    [InlineData("/health/live", false)]
    [InlineData("/swagger/index.html", true)]
    [InlineData("/swagger/v1/swagger.json", true)]
    public async Task Every_answer_forbids_what_it_does_not_need(string path, bool isPage)
    {
        using var answer = await app.Http.GetAsync(new Uri(path, UriKind.Relative));

        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("no-referrer", answer.Headers.GetValues("Referrer-Policy").Single());
        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.StartsWith("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Equal(isPage, policy.Contains("script-src 'self';", StringComparison.Ordinal));
        Assert.False(answer.Headers.Contains("Server"));
    }

    private static async Task<HttpResponseMessage> PreflightAsync(HttpClient http, string origin)
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, new Uri("/classify", UriKind.Relative))
        {
            Headers = { { "Origin", origin }, { "Access-Control-Request-Method", "POST" }, { "Access-Control-Request-Headers", "content-type,x-api-key" } },
        };
        return await http.SendAsync(request);
    }
}
