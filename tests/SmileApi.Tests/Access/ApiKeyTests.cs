using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;
using SmileApi.Access;
using SmileApi.Tests.Classify;

namespace SmileApi.Tests.Access;

public sealed class ApiKeyTests
{
    private const string Alice = "alice-0123456789abcdef";
    private const string Bob = "bob-fedcba9876543210";

    [Fact]
    public async Task With_keys_only_who_has_one_may_ask()
    {
        await using var app = new GuardedApp([.. GuardedApp.Key(0, "alice", Alice), .. GuardedApp.Key(1, "bob", Bob)]);

        foreach (var header in new (string, string)[] { ("X-API-Key", Alice), ("X-API-Key", Bob), ("Authorization", $"Bearer {Alice}"), ("authorization", $"bearer {Bob}") })
        {
            using var answer = await app.ClassifyAsync(header);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        foreach (var path in new[] { "/model", "/metrics", "/no/such/page" })
        {
            using var refused = await app.GetAsync(path);
            var detail = await ProblemAssert.IsAsync(refused, 401, "unauthorized");
            Assert.Contains("X-API-Key", detail, StringComparison.Ordinal);
            Assert.Equal("Bearer realm=\"SmileApi\"", refused.Headers.WwwAuthenticate.Single().ToString());
        }

        using var upload = await app.ClassifyAsync();
        await ProblemAssert.IsAsync(upload, 401, "unauthorized");
    }

    [Fact]
    public async Task What_is_no_valid_key_opens_nothing_not_even_the_hash_of_one()
    {
        var key = GuardedApp.Key(0, "alice", Alice);
        await using var app = new GuardedApp(key);
        (string, string)[] wrong =
        [
            ("X-API-Key", key[1].Value), ("X-API-Key", Alice + "0"), ("X-API-Key", Alice[..^1]), ("X-API-Key", $"{Alice}, {Alice}"),
            ("X-API-Key", $"Bearer {Alice}"), ("Authorization", $"Bearer {Bob}"),
        ];
        (string, string)[] none = [("X-API-Key", ""), ("Authorization", $"Basic {Alice}"), ("Authorization", "Bearer"), ("Authorization", Alice)];

        foreach (var header in wrong.Concat(none))
        {
            using var answer = await app.GetAsync("/model", header);
            await ProblemAssert.IsAsync(answer, 401, "unauthorized");
            Assert.Equal(wrong.Contains(header), answer.Headers.WwwAuthenticate.Single().ToString().Contains("error=\"invalid_token\"", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Probes_and_the_page_need_no_key_and_the_page_knows_of_the_header()
    {
        await using var app = new GuardedApp(GuardedApp.Key(0, "alice", Alice));

        foreach (var path in new[] { "/health/live", "/health/ready", "/", "/page/app.js", "/swagger/index.html", "/swagger/v1/swagger.json" })
        {
            using var answer = await app.GetAsync(path);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        var description = await app.Http.GetFromJsonAsync<JsonElement>(new Uri("/swagger/v1/swagger.json", UriKind.Relative));
        var scheme = description.GetProperty("components").GetProperty("securitySchemes").GetProperty("ApiKey");
        Assert.Equal("X-API-Key", scheme.GetProperty("name").GetString());
        Assert.True(description.GetProperty("security")[0].TryGetProperty("ApiKey", out _));
    }

    [Fact]
    public async Task Metrics_take_a_key_or_are_open_when_told_so()
    {
        await using var app = new GuardedApp(GuardedApp.Key(0, "alice", Alice));
        await using var open = new GuardedApp([.. GuardedApp.Key(0, "alice", Alice), ("Access:OpenMetrics", "true")]);

        using var scraped = await app.GetAsync("/metrics", ("Authorization", $"Bearer {Alice}"));
        using var anybody = await open.GetAsync("/metrics");

        Assert.Equal(HttpStatusCode.OK, scraped.StatusCode);
        Assert.Equal(HttpStatusCode.OK, anybody.StatusCode);
    }

    [Fact]
    public void Each_key_is_known_by_its_own_name()
    {
        var options = new AccessOptions
        {
            Keys = [.. Enumerable.Range(0, 20).Select(i => new ApiKeyOptions
            {
                Name = $"n{i}",
                Sha256 = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"key-{i}"))),
            })],
        };
        var keys = new ApiKeys(Options.Create(options));

        Assert.All(Enumerable.Range(0, 20), i => Assert.Equal($"n{i}", keys.NameOf($"key-{i}")));
        Assert.Null(keys.NameOf("key-20"));
    }

    [Fact]
    public async Task The_documented_line_makes_a_key_that_works()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no sh");
        var documentation = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "configuration.md"));
        var line = Regex.Match(documentation, "^key=.*$", RegexOptions.Multiline).Value;
        using var shell = Process.Start(new ProcessStartInfo("sh", ["-c", line]) { RedirectStandardOutput = true })!;
        var printed = (await shell.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var (key, hash) = (printed[0].Split(' ')[^1], printed[1].Split(' ')[^1]);

        await using var app = new GuardedApp(("Access:Keys:0:Name", "new"), ("Access:Keys:0:Sha256", hash));
        using var answer = await app.GetAsync("/model", ("X-API-Key", key));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(64, key.Length);
    }
}
