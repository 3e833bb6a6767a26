using System.Net;
using SmileApi.Tests.Classify;

namespace SmileApi.Tests.Access;

public sealed class RateLimitTests(SmileApp unlimited)
{
    [Fact]
    public async Task Without_a_limit_no_answer_speaks_of_one()
    {
        using var answer = await unlimited.PostAsync(Repository.Sample("mean-smile.png"));

        Assert.True(answer.IsSuccessStatusCode);
        Assert.False(answer.Headers.Contains("RateLimit"));
        Assert.False(answer.Headers.Contains("RateLimit-Policy"));
    }

    [Fact]
    public async Task Every_answer_says_what_is_left_and_who_asks_too_often_is_told_to_the_second_when_to_come_back()
    {
        await using var app = new GuardedApp(("RateLimit:Requests", "3"), ("RateLimit:WindowSeconds", "3600"));

        using var first = await app.ClassifyAsync();
        using var second = await app.SendAsync(HttpMethod.Post, "/classify", new ByteArrayContent([1, 2, 3]));
        using var third = await app.GetAsync("/no/such/page");
        using var refused = await app.ClassifyAsync();

        Assert.Equal((HttpStatusCode.OK, "\"address\";r=2;t=1200"), (first.StatusCode, Header(first, "RateLimit")));
        Assert.Equal((HttpStatusCode.UnsupportedMediaType, "\"address\";r=1;t=2400"), (second.StatusCode, Header(second, "RateLimit")));
        Assert.Equal((HttpStatusCode.NotFound, "\"address\";r=0;t=3600"), (third.StatusCode, Header(third, "RateLimit")));
        Assert.Equal("\"address\";r=0;t=3600", Header(refused, "RateLimit"));
        Assert.All([first, second, third, refused], answer => Assert.Equal("\"address\";q=3;w=3600", Header(answer, "RateLimit-Policy")));
        await ProblemAssert.IsAsync(refused, 429, "rate-limited");
        Assert.Equal(TimeSpan.FromSeconds(1200), refused.Headers.RetryAfter!.Delta);

        app.Clock.Advance(TimeSpan.FromSeconds(1199));
        using var early = await app.ClassifyAsync();
        Assert.Equal(TimeSpan.FromSeconds(1), early.Headers.RetryAfter!.Delta);
        app.Clock.Advance(TimeSpan.FromSeconds(1));
        using var back = await app.ClassifyAsync();
        Assert.Equal(HttpStatusCode.OK, back.StatusCode);
    }

    [Fact]
    public async Task Probes_scrapes_and_the_page_are_never_limited()
    {
        await using var app = new GuardedApp(("RateLimit:Requests", "1"), ("RateLimit:WindowSeconds", "3600"));
        (await app.ClassifyAsync()).Dispose();

        foreach (var path in new[] { "/health/live", "/health/ready", "/metrics", "/", "/page/app.js", "/swagger/index.html", "/swagger/v1/swagger.json" })
        {
            using var answer = await app.GetAsync(path);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.False(answer.Headers.Contains("RateLimit"));
        }
    }

    [Fact]
    public async Task Each_key_has_its_own_limit_and_wrong_keys_count_for_the_address()
    {
        await using var app = new GuardedApp(
        [
            .. GuardedApp.Key(0, "few", "key-of-few", requests: "1", window: "10"),
            .. GuardedApp.Key(1, "free", "key-of-free", requests: "0"),
            .. GuardedApp.Key(2, "usual", "key-of-usual"),
            ("RateLimit:Requests", "2"), ("RateLimit:WindowSeconds", "60"),
        ]);

        Assert.Equal("200 \"key\";q=1;w=10", await AskAsync("key-of-few"));
        Assert.Equal("429 \"key\";q=1;w=10", await AskAsync("key-of-few"));
        Assert.Equal("200 \"key\";q=2;w=60", await AskAsync("key-of-usual"));
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal("200 ", await AskAsync("key-of-free"));
        }

        Assert.Equal("401 \"address\";q=2;w=60", await AskAsync("guess-1"));
        Assert.Equal("401 \"address\";q=2;w=60", await AskAsync("guess-2"));
        Assert.Equal("429 \"address\";q=2;w=60", await AskAsync("guess-3"));

        async Task<string> AskAsync(string key)
        {
            using var answer = await app.GetAsync("/model", ("X-API-Key", key));
            return $"{(int)answer.StatusCode} {(answer.Headers.Contains("RateLimit-Policy") ? Header(answer, "RateLimit-Policy") : "")}";
        }
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.0.0.0/8", true)]
    public async Task The_callers_address_is_what_a_configured_proxy_says_and_nobody_else(string? proxy, bool believed)
    {
        await using var app = new GuardedApp(
        [
            ("RateLimit:Requests", "1"), ("RateLimit:WindowSeconds", "3600"),
            .. proxy is null ? Array.Empty<(string, string)>() : [("Access:Proxies:0", proxy)],
        ]);

        Assert.Equal(200, await AskAsync("203.0.113.1"));
        Assert.Equal(believed ? 200 : 429, await AskAsync("203.0.113.2"));
        Assert.Equal(429, await AskAsync("203.0.113.1"));
        Assert.Equal(429, await AskAsync("203.0.113.77, 203.0.113.2")); // Only the last word is the proxy's own.

        async Task<int> AskAsync(string forwardedFor)
        {
            using var answer = await app.GetAsync("/model", ("X-Forwarded-For", forwardedFor));
            return (int)answer.StatusCode;
        }
    }

    private static string Header(HttpResponseMessage answer, string name) => answer.Headers.GetValues(name).Single();
}
