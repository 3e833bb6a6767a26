using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using SmileApi.Load;
using SmileApi.Tests.Admission;
using SmileApi.Tests.Classify;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Batches;

public sealed class BatchTests(SmileApp app)
{
    private const string Lines = "application/x-ndjson";
    private const string Whole = "?faces=whole";

    private static readonly byte[] s_smile = Repository.Sample("mean-smile.png");
    private static readonly byte[] s_neutral = Repository.Sample("mean-neutral.png");

    [Theory]
    [InlineData("application/json")]
    [InlineData(Lines)]
    public async Task Each_file_of_a_form_gets_in_its_turn_what_it_would_have_got_by_itself(string accept)
    {
        (string Name, byte[] Bytes)[] files =
        [
            ("a.png", s_smile), ("cut off.jpg", Make.Truncated(Make.Jpeg(300, 200, seed: 1))), ("Größe 2.png", s_neutral),
            ("text.txt", "no picture"u8.ToArray()), ("empty.png", []), ("last.png", s_smile),
        ];

        var (results, end) = await PostAsync(Form(files), Whole, accept);

        Assert.Null(end);
        Assert.Equal(files.Length, results.Length);
        for (var i = 0; i < files.Length; i++)
        {
            using var alone = await app.PostAsync(files[i].Bytes, Whole);
            var expected = JsonDocument.Parse(await alone.Content.ReadAsStringAsync()).RootElement;
            Assert.Equal(i, results[i].GetProperty("index").GetInt32());
            Assert.Equal(files[i].Name, results[i].GetProperty("name").GetString());
            Assert.Equal((int)alone.StatusCode, results[i].GetProperty("status").GetInt32());
            if (alone.IsSuccessStatusCode)
            {
                Assert.False(results[i].TryGetProperty("problem", out _));
                var verdict = results[i].GetProperty("result");
                foreach (var property in new[] { "smile", "probability", "threshold", "faces", "image", "model" })
                {
                    Assert.Equal(expected.GetProperty(property).ToString(), verdict.GetProperty(property).ToString());
                }

                Assert.True(verdict.GetProperty("timings").GetProperty("totalMs").GetDouble() > 0);
            }
            else
            {
                Assert.False(results[i].TryGetProperty("result", out _));
                foreach (var property in new[] { "type", "title", "status", "detail" })
                {
                    Assert.Equal(expected.GetProperty(property).ToString(), results[i].GetProperty("problem").GetProperty(property).ToString());
                }
            }
        }

        Assert.Equal([200, 422, 200, 415, 400, 200], results.Select(result => result.GetProperty("status").GetInt32()));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("application/json")]
    public async Task Lines_of_JSON_are_answered_line_by_line_or_with_one_document_and_a_wrong_line_harms_no_other(string? accept)
    {
        var lines = $"{Line(s_smile, "a")}\n\r\n  \n{{\"name\":\"b\"}}\nnot JSON\r\n{Line(s_neutral, null)}\n{{\"image\":\"%%\"}}\n{Line(s_smile, "last")}";

        var (results, end) = await PostAsync(Text(lines), Whole, accept);

        Assert.Null(end);
        Assert.Equal([200, 400, 400, 200, 400, 200], results.Select(result => result.GetProperty("status").GetInt32()));
        Assert.Equal(["a", "b", null, null, null, "last"], results.Select(result => result.TryGetProperty("name", out var name) ? name.GetString() : null));
        Assert.All(new[] { 1, 2, 4 }, i => Assert.Equal("urn:smileapi:problem:malformed-request", results[i].GetProperty("problem").GetProperty("type").GetString()));
        Assert.Equal(await app.ProbabilityAsync(s_neutral), results[3].GetProperty("result").GetProperty("probability").GetSingle());
    }

    [Fact]
    public async Task A_picture_of_too_many_bytes_is_refused_and_the_next_one_is_judged()
    {
        await using var small = new SmallApp(("Images:MaxBytes", "20000"), ("Images:MaxHeldBytes", "1048576"));
        var large = new byte[3_000_000];

        var (files, end) = await PostAsync(Form([("large.png", large), ("a.png", s_smile)]), Whole, Lines, small.Http);
        var (lines, endOfLines) = await PostAsync(Text($"{Line(large, "large")}\n{Line(s_smile, "a")}"), Whole, Lines, small.Http);

        Assert.Equal((null, null), (end, endOfLines));
        Assert.Equal([413, 200], files.Select(result => result.GetProperty("status").GetInt32()));
        Assert.Equal([413, 200], lines.Select(result => result.GetProperty("status").GetInt32()));
    }

    [Fact]
    public async Task Every_option_of_classify_holds_for_all_pictures()
    {
        using var photograph = new Photograph(480, 360).With(new SmileApi.Imaging.FaceSquare(40, 60, 150)).With(new SmileApi.Imaging.FaceSquare(280, 90, 120), smile: false);
        var (results, _) = await PostAsync(Form([("a.jpg", photograph.Jpeg()), ("b.jpg", photograph.Jpeg())]), "?threshold=0.9&limit=1&minFace=60&confidence=0.5", Lines);

        Assert.All(results, result =>
        {
            Assert.Equal(0.9f, result.GetProperty("result").GetProperty("threshold").GetSingle());
            Assert.Equal(1, result.GetProperty("result").GetProperty("faces").GetArrayLength());
        });

        using var wrong = await app.Http.PostAsync(new Uri("/classify/batch?treshold=1", UriKind.Relative), Form([("a.png", s_smile)]));
        Assert.Contains("treshold", await ProblemAssert.IsAsync(wrong, 400, "invalid-parameter"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_batch_without_pictures_and_a_body_of_another_kind_are_refused_as_a_whole()
    {
        await IsRefusedAsync(Form([]), 400, "empty-upload");
        await IsRefusedAsync(Text(" \n\n"), 400, "empty-upload");
        await IsRefusedAsync(new ByteArrayContent(s_smile), 415, "unsupported-media-type");
        var noBoundary = new ByteArrayContent(s_smile);
        noBoundary.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data");
        await IsRefusedAsync(noBoundary, 400, "malformed-request");

        async Task IsRefusedAsync(HttpContent content, int status, string name)
        {
            using var response = await app.Http.PostAsync(new Uri("/classify/batch", UriKind.Relative), content);
            await ProblemAssert.IsAsync(response, status, name);
        }
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData(Lines)]
    public async Task A_form_that_breaks_off_loses_no_result_of_what_came_before_and_says_that_it_is_not_whole(string accept)
    {
        var whole = await Form([("a.png", s_smile), ("b.png", s_neutral), ("c.png", s_smile)]).ReadAsByteArrayAsync();
        var half = new ByteArrayContent(whole[..^(s_smile.Length / 2)]);
        half.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");

        var (results, end) = await PostAsync(half, Whole, accept);

        Assert.Equal([200, 200], results.Select(result => result.GetProperty("status").GetInt32()));
        Assert.Equal("urn:smileapi:problem:malformed-request", end!.Value.GetProperty("type").GetString());
        Assert.Contains("closing boundary", end.Value.GetProperty("detail").GetString()!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_document_holds_a_bounded_number_of_results_and_lines_any()
    {
        await using var small = new SmallApp(("Batches:MaxPictures", "2"));
        (string, byte[])[] files = [.. Enumerable.Range(0, 5).Select(i => ($"{i}.png", s_smile))];

        var (document, end) = await PostAsync(Form(files), Whole, "application/json", small.Http);
        var (lines, none) = await PostAsync(Form(files), Whole, Lines, small.Http);

        Assert.Equal(2, document.Length);
        Assert.Equal("urn:smileapi:problem:batch-too-long", end!.Value.GetProperty("type").GetString());
        Assert.Equal((5, null), (lines.Length, none));
    }

    [Fact]
    public async Task A_result_comes_while_the_next_picture_has_not_been_sent()
    {
        using var request = await DuplexRequest.PostAsync(app.Http.BaseAddress!, $"/classify/batch{Whole}", Lines);
        for (var i = 0; i < 20; i++)
        {
            await request.SendAsync(Encoding.ASCII.GetBytes(Line(i % 2 == 0 ? s_smile : s_neutral, $"{i}") + "\n"));
            var result = JsonDocument.Parse((await request.ReadLineAsync())!).RootElement;
            Assert.Equal((i, $"{i}", i % 2 == 0), (result.GetProperty("index").GetInt32(), result.GetProperty("name").GetString(), result.GetProperty("result").GetProperty("smile").GetBoolean()));
        }

        await request.EndAsync();
        Assert.Null(await request.ReadLineAsync());
    }

    [Fact]
    public async Task A_picture_that_is_late_gets_its_504_and_the_next_one_has_time_of_its_own()
    {
        using var gated = GatedApp.Start();
        using var request = await DuplexRequest.PostAsync(gated.Http.BaseAddress!, $"/classify/batch{Whole}", Lines);
        await request.SendAsync(Encoding.ASCII.GetBytes(Line(s_smile, "late") + "\n"));
        await gated.RunBegan();

        gated.Time.Advance(TimeSpan.FromSeconds(31));
        var late = JsonDocument.Parse((await request.ReadLineAsync())!).RootElement;
        gated.Open();
        await request.SendAsync(Encoding.ASCII.GetBytes(Line(s_smile, "next") + "\n"));
        var next = JsonDocument.Parse((await request.ReadLineAsync())!).RootElement;

        Assert.Equal("urn:smileapi:problem:deadline-exceeded", late.GetProperty("problem").GetProperty("type").GetString());
        Assert.Equal(200, next.GetProperty("status").GetInt32());
        await request.EndAsync();
        Assert.Null(await request.ReadLineAsync());
        await gated.IsEmpty();
    }

    [Fact]
    public async Task A_sender_that_falls_silent_is_told_so_when_the_time_for_that_is_over()
    {
        using var gated = GatedApp.Start();
        gated.Open();
        using var request = await DuplexRequest.PostAsync(gated.Http.BaseAddress!, $"/classify/batch{Whole}", Lines);
        await request.SendAsync(Encoding.ASCII.GetBytes(Line(s_smile, "a") + "\n"));
        Assert.Contains("\"status\":200", await request.ReadLineAsync(), StringComparison.Ordinal);

        var reading = request.ReadLineAsync();
        while (!reading.IsCompleted)
        {
            gated.Time.Advance(TimeSpan.FromSeconds(30)); // As often as it takes the service to wait again.
            await Task.Yield();
        }

        var end = JsonDocument.Parse((await reading)!).RootElement;
        Assert.Equal(408, end.GetProperty("status").GetInt32());
        Assert.False(end.TryGetProperty("index", out _));
        Assert.Equal("urn:smileapi:problem:request-timeout", end.GetProperty("problem").GetProperty("type").GetString());
        Assert.Null(await request.ReadLineAsync());
        await gated.IsEmpty();
    }

    [Fact]
    public async Task Where_a_request_is_turned_away_a_batch_waits_for_its_turn()
    {
        using var gated = GatedApp.Start(("Requests:MaxInFlight", "1"), ("Requests:MaxInFlightSustained", "1"));
        using var request = await DuplexRequest.PostAsync(gated.Http.BaseAddress!, $"/classify/batch{Whole}", Lines);
        await request.SendAsync("\n"u8.ToArray());
        await gated.Arriving(1);
        var working = gated.PostAsync();
        await gated.RunBegan();
        using var refused = await gated.PostAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);

        for (var i = 0; i < 3; i++)
        {
            await request.SendAsync(Encoding.ASCII.GetBytes(Line(s_smile, $"{i}") + "\n"));
        }

        await request.EndAsync();
        gated.Open();

        for (var i = 0; i < 3; i++)
        {
            Assert.Contains("\"status\":200", await request.ReadLineAsync(), StringComparison.Ordinal);
        }

        Assert.Null(await request.ReadLineAsync());
        using var answered = await working;
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
        await gated.IsEmpty();
    }

    [Fact]
    public async Task A_batch_leaves_places_to_others_and_holds_no_more_than_its_pictures_under_way()
    {
        using var gated = GatedApp.Start(("Requests:MaxInFlightSustained", "4"), ("Batches:Parallelism", "8"));
        using var request = await DuplexRequest.PostAsync(gated.Http.BaseAddress!, $"/classify/batch{Whole}", Lines);
        var sending = SendAsync();
        await gated.RunBegan();

        // Half of the places that there are in lasting overload, and one picture that waits for the next.
        await gated.Working(2);
        await gated.Arriving(2);
        Assert.InRange(gated.Memory.UploadBytesHeld, 1, 16 << 20);
        var single = gated.PostAsync();
        await gated.Working(3);
        Assert.False(sending.IsCompleted); // 80 MB are more than sockets hold.

        gated.Open();
        for (var i = 0; i < 80; i++)
        {
            Assert.Contains("\"status\":200", await request.ReadLineAsync(), StringComparison.Ordinal);
        }

        await sending;
        using var answered = await single;
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
        Assert.Null(await request.ReadLineAsync());

        async Task SendAsync()
        {
            var line = Encoding.ASCII.GetBytes($"{{\"padding\":\"{new string('x', 1 << 20)}\",\"image\":\"{Convert.ToBase64String(s_smile)}\"}}\n");
            for (var i = 0; i < 80; i++)
            {
                await request.SendAsync(line);
            }

            await request.EndAsync();
        }
    }

    [Fact]
    public async Task Pictures_count_as_requests_and_wait_for_the_rate_limit()
    {
        using var gated = GatedApp.Start(
            ("RateLimit:Requests", "2"), ("RateLimit:WindowSeconds", "10"),
            // The clock goes on while the third picture is judged.
            ("Decoding:TimeoutSeconds", "600"), ("Requests:DeadlineSeconds", "3600"));
        gated.Open();
        using var request = await DuplexRequest.PostAsync(gated.Http.BaseAddress!, $"/classify/batch{Whole}", Lines);
        for (var i = 0; i < 3; i++)
        {
            await request.SendAsync(Encoding.ASCII.GetBytes(Line(s_smile, $"{i}") + "\n"));
        }

        await request.EndAsync();
        Assert.Contains("\"index\":0", await request.ReadLineAsync(), StringComparison.Ordinal);
        Assert.Contains("\"index\":1", await request.ReadLineAsync(), StringComparison.Ordinal);
        using var limited = await gated.PostAsync();
        Assert.Equal(HttpStatusCode.TooManyRequests, limited.StatusCode);

        var reading = request.ReadLineAsync();
        while (!reading.IsCompleted)
        {
            gated.Time.Advance(TimeSpan.FromSeconds(0.1)); // As often as it takes the batch to wait.
            await Task.Delay(1);
        }

        Assert.Contains("\"index\":2,\"name\":\"2\",\"status\":200", await reading, StringComparison.Ordinal);
        Assert.Null(await request.ReadLineAsync());
    }

    [Fact]
    public async Task A_sender_that_hangs_up_in_the_middle_leaves_nothing_behind()
    {
        using var gated = GatedApp.Start();
        for (var i = 0; i < 10; i++)
        {
            using var request = await DuplexRequest.PostAsync(gated.Http.BaseAddress!, $"/classify/batch{Whole}", Lines);
            await request.SendAsync(Encoding.ASCII.GetBytes(Line(s_smile, "a") + "\n" + Line(s_smile, "b")[..(100 * i + 1)]));
            if (i % 2 == 0)
            {
                await gated.RunBegan();
                gated.Open();
                await request.ReadLineAsync();
            }
        }

        await gated.IsEmpty();
        using var answered = await gated.PostAsync();
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
    }

    [Fact]
    public async Task A_stream_that_is_open_when_the_service_stops_ends_with_that_word_and_loses_nothing()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");
        var (process, http) = await ServiceProcess.StartAsync(("Shutdown__TimeoutSeconds", "4"));
        using (http)
        await using (process)
        {
            using var request = await DuplexRequest.PostAsync(http.BaseAddress!, $"/classify/batch{Whole}", Lines);
            await request.SendAsync(Encoding.ASCII.GetBytes(Line(s_smile, "before") + "\n"));
            Assert.Contains("\"status\":200", await request.ReadLineAsync(), StringComparison.Ordinal);

            process.Terminate();
            await request.SendAsync(Encoding.ASCII.GetBytes(Line(s_smile, "after") + "\n"));
            Assert.Contains("\"index\":1,\"name\":\"after\",\"status\":200", await request.ReadLineAsync(), StringComparison.Ordinal);

            var end = JsonDocument.Parse((await request.ReadLineAsync())!).RootElement;
            Assert.Equal(503, end.GetProperty("status").GetInt32());
            Assert.Equal("urn:smileapi:problem:not-ready", end.GetProperty("problem").GetProperty("type").GetString());
            Assert.Contains("2 pictures are answered", end.GetProperty("problem").GetProperty("detail").GetString()!, StringComparison.Ordinal);
            Assert.Null(await request.ReadLineAsync());
            Assert.Equal(0, await process.ExitAsync());
        }
    }

    [Fact]
    public async Task A_batch_that_waits_for_its_quota_when_the_service_stops_ends_with_that_word()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");
        var (process, http) = await ServiceProcess.StartAsync(("Shutdown__TimeoutSeconds", "4"), ("RateLimit__Requests", "1"), ("RateLimit__WindowSeconds", "3600"));
        using (http)
        await using (process)
        {
            using var request = await DuplexRequest.PostAsync(http.BaseAddress!, $"/classify/batch{Whole}", Lines);
            await request.SendAsync(Encoding.ASCII.GetBytes(Line(s_smile, "first") + "\n" + Line(s_smile, "second") + "\n"));
            Assert.Contains("\"status\":200", await request.ReadLineAsync(), StringComparison.Ordinal);

            process.Terminate();
            var end = JsonDocument.Parse((await request.ReadLineAsync())!).RootElement;
            Assert.Equal("urn:smileapi:problem:not-ready", end.GetProperty("problem").GetProperty("type").GetString());
            Assert.Contains("1 pictures are answered", end.GetProperty("problem").GetProperty("detail").GetString()!, StringComparison.Ordinal);
            Assert.Null(await request.ReadLineAsync());
            Assert.Equal(0, await process.ExitAsync());
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Memory_stays_flat_over_many_pictures_and_a_broken_one_in_the_middle_harms_nobody(bool asForm)
    {
        const int Pictures = 1200;
        var (process, http) = await ServiceProcess.StartAsync(("Serilog__MinimumLevel__Default", "Warning"));
        using (http)
        await using (process)
        {
            var figures = await BatchRun.RunAsync(http.BaseAddress!, "faces=whole", asForm, Pictures, s_smile, process.ResidentMebibytes);
            TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{(asForm ? "multipart" : "lines")}: {figures.Right} of {Pictures} right, {figures.Broken} broken with its problem; service {figures.ServiceEarly:F0} MiB after a quarter, {figures.ServiceLate:F0} at the end; this side's heap {figures.ClientEarly:F1} and {figures.ClientLate:F1} MiB"));

            Assert.Equal((Pictures - 1, 1, 0), (figures.Right, figures.Broken, figures.Wrong));
            Assert.InRange(figures.ServiceLate - figures.ServiceEarly, double.NegativeInfinity, 25);
        }
    }

    private static MultipartFormDataContent Form(IEnumerable<(string Name, byte[] Bytes)> files)
    {
        var form = new MultipartFormDataContent("b");
        var field = new StringContent("passed over");
        form.Add(field, "album");
        foreach (var (name, bytes) in files)
        {
            form.Add(new ByteArrayContent(bytes), "images", name);
        }

        return form;
    }

    private static string Line(byte[] picture, string? name) => JsonSerializer.Serialize(new { name, image = Convert.ToBase64String(picture) });

    private static StringContent Text(string lines) => new(lines, Encoding.UTF8, Lines);

    /// <returns>The results, and why nothing more was read, if that was so.</returns>
    private async Task<(JsonElement[] Results, JsonElement? End)> PostAsync(HttpContent content, string query, string? accept, HttpClient? http = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/classify/batch{query}") { Content = content };
        if (accept is not null)
        {
            request.Headers.Accept.ParseAdd(accept);
        }

        using var response = await (http ?? app.Http).SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        Assert.Equal(accept ?? Lines, response.Content.Headers.ContentType!.MediaType);
        if (accept == "application/json")
        {
            var document = JsonDocument.Parse(text).RootElement;
            return ([.. document.GetProperty("results").EnumerateArray()], document.TryGetProperty("problem", out var problem) ? problem : null);
        }

        JsonElement[] lines = [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        return lines.Length > 0 && !lines[^1].TryGetProperty("index", out _) ? (lines[..^1], lines[^1].GetProperty("problem")) : (lines, null);
    }

    /// <summary>The service with other settings.</summary>
    private sealed class SmallApp : WebApplicationFactory<Program>
    {
        private readonly (string Name, string Value)[] _settings;

        public SmallApp(params (string Name, string Value)[] settings)
        {
            _settings = settings;
            UseKestrel(port: 0);
            StartServer();
            Http = CreateClient();
        }

        public HttpClient Http { get; }

        protected override void ConfigureWebHost(IWebHostBuilder builder)
        {
            builder.UseSetting("Serilog:MinimumLevel:Default", "Fatal");
            foreach (var (name, value) in _settings)
            {
                builder.UseSetting(name, value);
            }
        }
    }
}
