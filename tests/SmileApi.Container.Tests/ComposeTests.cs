using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using SmileApi.Tests;

namespace SmileApi.Container.Tests;

/// <summary><c>docker-compose.yml</c> with both profiles: what a machine with several replicas does when they come, go and die.</summary>
public sealed class ComposeTests(ServiceImage image) : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _project = $"smileapi-tests-{Environment.ProcessId}";
    private readonly byte[] _picture = Repository.Sample("mean-smile.png");
    private (string Name, string Value)[] _settings = [];
    private HttpClient _http = null!;
    private HttpClient _prometheus = null!;

    public async ValueTask InitializeAsync()
    {
        var name = await image.NameAsync();
        Assert.SkipWhen(await Command.TryAsync("docker", "compose", "version") is null, "no Docker Compose (`docker compose version`)");
        _settings = [("SMILEAPI_IMAGE", name), ("SMILEAPI_PORT", "0"), ("NGINX_PORT", "0"), ("PROMETHEUS_PORT", "0")];
        try
        {
            await ComposeAsync("up", "--detach", "--wait", "--no-build", "--scale", "replica=1");
        }
        catch
        {
            await DisposeAsync(); // Nobody else does when this fails.
            throw;
        }

        _http = new HttpClient { BaseAddress = await AddressAsync("nginx", 8080) };
        _prometheus = new HttpClient { BaseAddress = await AddressAsync("prometheus", 9090) };
    }

    public async ValueTask DisposeAsync()
    {
        _http?.Dispose();
        _prometheus?.Dispose();
        if (_settings.Length > 0)
        {
            await ComposeAsync("down", "--volumes", "--timeout", "1");
        }
    }

    [Fact]
    public async Task Replicas_that_die_stop_or_come_under_load_fail_no_request()
    {
        var answers = new List<string>();
        using var enough = new CancellationTokenSource();
        var callers = Enumerable.Range(0, 4).Select(_ => CallAsync()).ToArray();

        await AnsweredAsync(by: "smileapi-1", atLeast: 20);
        await AnsweredAsync(by: "replica-1", atLeast: 20);
        await Command.RunAsync("docker", ["kill", $"{_project}-replica-1"]);
        var before = await CountAsync("smileapi-1");
        await AnsweredAsync(by: "smileapi-1", atLeast: before + 50);
        await ComposeAsync("up", "--detach", "--wait", "--no-build", "--no-recreate", "--scale", "replica=3");
        await AnsweredAsync(by: "replica-2", atLeast: 20);
        await AnsweredAsync(by: "replica-3", atLeast: 20);
        await Command.RunAsync("docker", ["stop", $"{_project}-smileapi-1"]);
        before = await CountAsync("replica-2");
        await AnsweredAsync(by: "replica-2", atLeast: before + 50);
        await enough.CancelAsync();
        await Task.WhenAll(callers);

        TestContext.Current.SendDiagnosticMessage(string.Join(", ", answers.CountBy(answer => answer).Select(count => $"{count.Value} times {count.Key}")));
        Assert.All(answers, answer => Assert.Equal("200 True", answer));

        async Task CallAsync()
        {
            await Task.Yield();
            while (!enough.IsCancellationRequested)
            {
                string answer;
                try
                {
                    using var response = await PostAsync(_picture, "?faces=whole");
                    answer = $"{(int)response.StatusCode} {(response.IsSuccessStatusCode ? (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("smile").GetBoolean() : await response.Content.ReadAsStringAsync())}";
                }
                catch (HttpRequestException e)
                {
                    answer = e.Message;
                }

                lock (answers)
                {
                    answers.Add(answer);
                }
            }
        }
    }

    [Fact]
    public async Task Nginx_leaves_refusals_to_the_service_and_keeps_its_inside_to_itself()
    {
        using var tooLarge = await PostAsync(new byte[30 << 20]);
        using var farTooLarge = await PostAsync(new byte[50 << 20]);
        using var metrics = await _http.GetAsync(new Uri("/metrics", UriKind.Relative));
        using var page = await _http.GetAsync(new Uri("/swagger/index.html", UriKind.Relative));
        var frame = await AskOverStreamAsync();
        await ComposeAsync("stop", "--timeout", "1", "smileapi", "replica");
        using var nobody = await PostAsync(_picture);

        foreach (var (answer, status, type) in new[] { (tooLarge, 413, "upload-too-large"), (farTooLarge, 413, "upload-too-large"), (nobody, 503, "not-ready") })
        {
            var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
            Assert.Equal((status, $"urn:smileapi:problem:{type}"), ((int)answer.StatusCode, problem.GetProperty("type").GetString()));
            Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
            Assert.NotEmpty(problem.GetProperty("requestId").GetString()!);
        }

        Assert.Equal(TimeSpan.FromSeconds(2), nobody.Headers.RetryAfter?.Delta);
        Assert.Equal(404, (int)metrics.StatusCode);
        Assert.Equal(200, (int)page.StatusCode);
        Assert.Contains("\"frame\":1,\"skipped\":0,\"status\":200", frame, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prometheus_finds_every_replica_and_knows_the_alerts()
    {
        using var verdict = await PostAsync(_picture);
        Assert.True(verdict.IsSuccessStatusCode);

        await UntilAsync(async () => await ValueAsync("count(up == 1)") == 2, "both replicas are scraped");
        await UntilAsync(async () => await ValueAsync("sum(smileapi_faces_total)") >= 1, "the face is counted");
        await Command.RunAsync("docker", ["exec", $"{_project}-prometheus-1", "promtool", "check", "config", "/etc/prometheus/prometheus.yml"]);
        await UntilAsync(
            async () => (await RulesAsync()) is { Length: > 0 } rules && Array.TrueForAll(rules, health => health == "ok"),
            "every alert has been evaluated without an error");

        async Task<string?[]> RulesAsync()
        {
            var groups = (await _prometheus.GetFromJsonAsync<JsonElement>(new Uri("/api/v1/rules", UriKind.Relative))).GetProperty("data").GetProperty("groups");
            return [.. groups.EnumerateArray().SelectMany(group => group.GetProperty("rules").EnumerateArray()).Select(rule => rule.GetProperty("health").GetString())];
        }
    }

    /// <summary>Opens a stream through nginx as a page from there does, and sends a frame.</summary>
    private async Task<string> AskOverStreamAsync()
    {
        using var stream = new ClientWebSocket();
        stream.Options.SetRequestHeader("Origin", _http.BaseAddress!.GetLeftPart(UriPartial.Authority));
        await stream.ConnectAsync(new UriBuilder(new Uri(_http.BaseAddress, "/stream?faces=whole")) { Scheme = "ws" }.Uri, CancellationToken.None);
        await stream.SendAsync(_picture, WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
        var answer = new byte[16 << 10];
        var message = await stream.ReceiveAsync(answer, CancellationToken.None);
        return Encoding.UTF8.GetString(answer, 0, message.Count);
    }

    private async Task<HttpResponseMessage> PostAsync(byte[] body, string query = "")
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        return await _http.PostAsync(new Uri($"/classify{query}", UriKind.Relative), content);
    }

    /// <summary>Waits until the log of a container has so many answers.</summary>
    private Task AnsweredAsync(string by, int atLeast) => UntilAsync(async () => await CountAsync(by) >= atLeast, $"{by} has answered {atLeast} requests");

    private async Task<int> CountAsync(string container) =>
        (await Command.RunAsync("docker", ["logs", $"{_project}-{container}"])).Split('\n').Count(line => line.Contains("POST /classify 200", StringComparison.Ordinal));

    private async Task<double?> ValueAsync(string query)
    {
        var answer = await _prometheus.GetFromJsonAsync<JsonElement>(new Uri($"/api/v1/query?query={Uri.EscapeDataString(query)}", UriKind.Relative));
        var result = answer.GetProperty("data").GetProperty("result");
        return result.GetArrayLength() == 0 ? null : double.Parse(result[0].GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture);
    }

    private async Task<Uri> AddressAsync(string service, int port) =>
        new($"http://localhost:{(await ComposeAsync("port", service, port.ToString(CultureInfo.InvariantCulture))).Trim().Split(':')[^1]}");

    private Task<string> ComposeAsync(params string[] arguments) =>
        Command.RunAsync("docker", ["compose", "--project-name", _project, "--profile", "scale", "--profile", "observe", .. arguments], _settings);

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        using var patience = new CancellationTokenSource(s_patience);
        while (!await condition())
        {
            Assert.False(patience.IsCancellationRequested, $"Not within {s_patience.TotalSeconds:0} seconds: {what}.");
            await timer.WaitForNextTickAsync(CancellationToken.None);
        }
    }
}
