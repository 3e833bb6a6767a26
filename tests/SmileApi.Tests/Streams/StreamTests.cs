using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using SmileApi.Imaging;
using SmileApi.Tests.Access;
using SmileApi.Tests.Admission;
using SmileApi.Tests.Classify;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Streams;

public sealed class StreamTests(SmileApp app)
{
    private static readonly byte[] s_smile = Repository.Sample("mean-smile.png");
    private static readonly byte[] s_neutral = Repository.Sample("mean-neutral.png");

    [Fact]
    public async Task Each_frame_gets_its_number_and_what_it_would_have_got_by_itself()
    {
        byte[][] frames =
        [
            s_smile, Make.Truncated(Make.Jpeg(300, 200, seed: 1)), s_neutral, "no picture"u8.ToArray(), [],
            Make.Jpeg(120, 90, seed: 2), Make.WebP(120, 90, seed: 3), s_smile,
        ];
        using var camera = await Camera.OpenAsync(app.Http);
        var statuses = new List<int>();
        foreach (var (index, frame) in frames.Index())
        {
            var answer = await camera.AskAsync(frame);

            using var alone = await app.PostAsync(frame, "?faces=whole");
            var expected = JsonDocument.Parse(await alone.Content.ReadAsStringAsync()).RootElement;
            Assert.Equal((index + 1, 0), (answer.GetProperty("frame").GetInt32(), answer.GetProperty("skipped").GetInt32()));
            Assert.Equal((int)alone.StatusCode, answer.GetProperty("status").GetInt32());
            statuses.Add((int)alone.StatusCode);
            if (alone.IsSuccessStatusCode)
            {
                var result = answer.GetProperty("result");
                foreach (var property in new[] { "smile", "probability", "threshold", "image", "model" })
                {
                    Assert.Equal(expected.GetProperty(property).ToString(), result.GetProperty(property).ToString());
                }

                Assert.Equal(expected.GetProperty("faces")[0].GetProperty("box").ToString(), result.GetProperty("faces")[0].GetProperty("box").ToString());
                Assert.True(result.GetProperty("timings").GetProperty("totalMs").GetDouble() > 0);
            }
            else
            {
                foreach (var property in new[] { "type", "title", "status", "detail" })
                {
                    Assert.Equal(expected.GetProperty(property).ToString(), answer.GetProperty("problem").GetProperty(property).ToString());
                }
            }
        }

        Assert.Equal([200, 422, 200, 415, 400, 200, 200, 200], statuses);
    }

    [Fact]
    public async Task Who_says_goodbye_still_gets_the_last_answer_and_then_a_goodbye()
    {
        using var camera = await Camera.OpenAsync(app.Http);
        await camera.SendAsync(s_smile[..1000], isLast: false);
        await camera.SendAsync(s_smile[1000..2000], isLast: false);
        await camera.SendAsync(s_smile[2000..]);
        await camera.SayGoodbyeAsync();

        Assert.Equal(await app.ProbabilityAsync(s_smile), (await camera.AnswerAsync()).GetProperty("result").GetProperty("probability").GetSingle());
        Assert.Equal((1000, ""), await camera.ClosedAsync());
        Assert.Equal(WebSocketState.Closed, camera.Socket.State);
    }

    [Fact]
    public async Task The_options_of_classify_hold_and_faces_keep_their_numbers_and_say_when_their_smiles_start_and_end()
    {
        using var both = new Photograph(480, 360).With(new FaceSquare(40, 60, 150)).With(new FaceSquare(280, 90, 120), smile: false);
        using var moved = new Photograph(480, 360).With(new FaceSquare(52, 66, 150), smile: false).With(new FaceSquare(270, 84, 120));
        using var camera = await Camera.OpenAsync(app.Http, "?minFace=60&confidence=0.5&threshold=0.6");

        var first = await camera.AskAsync(both.Jpeg());
        var same = await camera.AskAsync(both.Jpeg());
        var second = await camera.AskAsync(moved.Jpeg());

        Assert.Equal([1, 2], Ids(first));
        Assert.Equal([1, 2], Ids(second));
        Assert.Equal([true, false], Smiles(first));
        Assert.Equal([false, true], Smiles(second));
        Assert.Equal(0.6f, first.GetProperty("result").GetProperty("threshold").GetSingle());
        Assert.Equal(["smile-started 1"], Events(first));
        Assert.Empty(Events(same));
        Assert.Equal(["smile-ended 1", "smile-started 2"], Events(second));

        static IEnumerable<int> Ids(JsonElement answer) => answer.GetProperty("result").GetProperty("faces").EnumerateArray().Select(face => face.GetProperty("id").GetInt32());
        static IEnumerable<bool> Smiles(JsonElement answer) => answer.GetProperty("result").GetProperty("faces").EnumerateArray().Select(face => face.GetProperty("smile").GetBoolean());
    }

    [Fact]
    public async Task Smoothed_a_smile_takes_its_time()
    {
        await using var guarded = new GuardedApp();
        using var camera = await Camera.OpenAsync(guarded.Http, "?faces=whole&smooth=2");
        var (smile, neutral) = (await app.ProbabilityAsync(s_smile), await app.ProbabilityAsync(s_neutral));
        await camera.AskAsync(s_neutral);

        guarded.Clock.Advance(TimeSpan.FromSeconds(1));
        var soon = await camera.AskAsync(s_smile);
        guarded.Clock.Advance(TimeSpan.FromSeconds(4));
        var later = await camera.AskAsync(s_smile);

        var expected = smile + (neutral - smile) * Math.Exp(-1 / 2.0);
        Assert.Equal(expected, soon.GetProperty("result").GetProperty("probability").GetSingle(), 1e-4);
        Assert.False(soon.GetProperty("result").GetProperty("smile").GetBoolean());
        Assert.Equal(smile + (expected - smile) * Math.Exp(-4 / 2.0), later.GetProperty("result").GetProperty("faces")[0].GetProperty("probability").GetSingle(), 1e-4);
        Assert.Equal(["smile-started 1"], Events(later));
        Assert.Empty(Events(soon));
    }

    [Fact]
    public async Task A_frame_of_too_many_bytes_is_refused_and_passed_over_and_the_next_one_is_judged()
    {
        await using var small = new GuardedApp(("Images:MaxBytes", "20000"), ("Images:MaxHeldBytes", "1048576"));
        using var camera = await Camera.OpenAsync(small.Http);

        var refused = await camera.AskAsync(new byte[5_000_000]);
        var judged = await camera.AskAsync(s_smile);

        Assert.Equal((413, "urn:smileapi:problem:upload-too-large"), (refused.GetProperty("status").GetInt32(), refused.GetProperty("problem").GetProperty("type").GetString()));
        Assert.Equal((2, 200), (judged.GetProperty("frame").GetInt32(), judged.GetProperty("status").GetInt32()));
    }

    [Fact]
    public async Task Text_is_no_frame_and_closes_the_stream_with_a_word()
    {
        using var camera = await Camera.OpenAsync(app.Http);
        await camera.AskAsync(s_smile);
        await camera.Socket.SendAsync(Encoding.UTF8.GetBytes(Convert.ToBase64String(s_smile)), WebSocketMessageType.Text, true, CancellationToken.None);

        var (status, reason) = await camera.ClosedAsync();

        Assert.Equal(1003, status);
        Assert.Contains("binary", reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_does_not_speak_WebSocket_is_told_to()
    {
        using var answer = await app.Http.GetAsync(new Uri("/stream", UriKind.Relative));

        Assert.Contains("/classify", await ProblemAssert.IsAsync(answer, 426, "upgrade-required"), StringComparison.Ordinal);
        Assert.Equal("websocket", answer.Headers.Upgrade.Single().Name);
    }

    [Theory]
    [InlineData("?smoth=1", "smooth")]
    [InlineData("?smooth=-1", "smooth")]
    [InlineData("?smooth=NaN", "smooth")]
    [InlineData("?smooth=61", "smooth")]
    [InlineData("?start=1.1", "start")]
    [InlineData("?end=x", "end")]
    [InlineData("?start=0.4&end=0.6", "end")]
    [InlineData("?threshold=2", "threshold")]
    public async Task A_wrong_option_is_refused_before_there_is_a_stream(string query, string name)
    {
        using var answer = await Camera.RefusedAsync(app.Http, query);

        Assert.Contains(name, await ProblemAssert.IsAsync(answer, 400, "invalid-parameter"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_newest_frame_wins_and_the_answer_says_how_many_were_skipped()
    {
        await using var gated = GatedApp.Start();
        using var counts = new Counts(gated.Services);
        using var camera = await Camera.OpenAsync(gated.Http);
        await camera.SendAsync(GatedApp.Smile);
        await gated.RunBegan();
        var one = gated.Memory.UploadBytesHeld;
        for (var frame = 2; frame <= 40; frame++)
        {
            await camera.SendAsync(GatedApp.Smile);
        }

        await counts.Skipped(38);
        var held = gated.Memory.UploadBytesHeld;
        gated.Open();
        var (first, second) = (await camera.AnswerAsync(), await camera.AnswerAsync());

        Assert.Equal((1, 0), (first.GetProperty("frame").GetInt32(), first.GetProperty("skipped").GetInt32()));
        Assert.Equal((40, 38), (second.GetProperty("frame").GetInt32(), second.GetProperty("skipped").GetInt32()));
        Assert.InRange(held, one, one + 2 * SmileApi.Admission.MemoryBudget.FirstBuffer); // One waits, and one may be arriving.
        Assert.Equal(2, gated.Runs.Count);
        await camera.SayGoodbyeAsync();
        await camera.ClosedAsync();
        await gated.IsEmpty();
    }

    [Fact]
    public async Task Who_reads_slowly_gets_the_newest_when_it_reads_again_and_not_all_that_it_has_missed()
    {
        const int Frames = 1000;
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (context, aborted) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096, NoDelay = true };
                await socket.ConnectAsync(context.DnsEndPoint, aborted);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using var invoker = new HttpMessageInvoker(handler);
        using var slow = new ClientWebSocket();
        await slow.ConnectAsync(new UriBuilder(new Uri(app.Http.BaseAddress!, "/stream?faces=whole")) { Scheme = "ws" }.Uri, invoker, CancellationToken.None);
        for (var frame = 0; frame < Frames; frame++)
        {
            // A request as costly as the frame: by its answer the frame has been judged, too, unless there is no room for one more answer.
            await slow.SendAsync(s_smile, WebSocketMessageType.Binary, true, CancellationToken.None);
            await app.ProbabilityAsync(s_smile);
        }

        // Nothing has been read; now everything is.
        await slow.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        var answers = new List<(int Frame, int Skipped)>();
        var buffer = new byte[64 << 10];
        var longest = 0;
        while (await slow.ReceiveAsync(buffer, CancellationToken.None) is { MessageType: WebSocketMessageType.Text } message)
        {
            longest = Math.Max(longest, message.Count);
            var answer = JsonDocument.Parse(buffer.AsMemory(0, message.Count)).RootElement;
            answers.Add((answer.GetProperty("frame").GetInt32(), answer.GetProperty("skipped").GetInt32()));
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{Frames} frames sent before an answer was read: {answers.Count} answered, at most {answers.Max(answer => answer.Skipped)} skipped at once, {longest} bytes an answer");
        Assert.Equal(Frames, answers[^1].Frame);
        Assert.Equal(Frames, answers.Count + answers.Sum(answer => answer.Skipped));

        // What the service and both sockets hold for who does not read: 64 KiB, and the smallest buffers.
        Assert.InRange(answers.Count * 600, 0, 256 << 10);
    }

    [Fact]
    public async Task Where_there_is_no_place_at_work_a_frame_is_refused_after_a_second_and_the_stream_goes_on()
    {
        await using var gated = GatedApp.Start(("Requests:MaxInFlight", "1"), ("Requests:MaxInFlightSustained", "1"));
        using var camera = await Camera.OpenAsync(gated.Http);
        var other = gated.PostAsync();
        await gated.RunBegan();

        await camera.SendAsync(GatedApp.Smile);
        var refused = await AdvancedAsync(gated.Time, TimeSpan.FromSeconds(0.1), camera.AnswerAsync());
        gated.Open();
        using var answered = await other;
        var judged = await camera.AskAsync(GatedApp.Smile);

        Assert.Equal((503, "urn:smileapi:problem:overloaded"), (refused.GetProperty("status").GetInt32(), refused.GetProperty("problem").GetProperty("type").GetString()));
        Assert.True(refused.GetProperty("retryAfter").GetDouble() >= 1);
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
        Assert.Equal((2, 200), (judged.GetProperty("frame").GetInt32(), judged.GetProperty("status").GetInt32()));
    }

    [Fact]
    public async Task Only_so_many_streams_are_open_at_a_time()
    {
        await using var guarded = new GuardedApp(("Streams:MaxOpen", "1"));
        using (var camera = await Camera.OpenAsync(guarded.Http))
        {
            using var refused = await Camera.RefusedAsync(guarded.Http);
            Assert.Contains("(1)", await ProblemAssert.IsAsync(refused, 503, "overloaded"), StringComparison.Ordinal);
            Assert.NotNull(refused.Headers.RetryAfter);
            Assert.Equal(200, (await camera.AskAsync(s_smile)).GetProperty("status").GetInt32());
            await camera.SayGoodbyeAsync();
            await camera.ClosedAsync();
        }

        // Its place is free a moment after the goodbye.
        HttpResponseMessage next;
        while ((next = await Camera.RefusedAsync(guarded.Http)).StatusCode == HttpStatusCode.ServiceUnavailable)
        {
            next.Dispose();
        }

        using (next)
        {
            Assert.Equal(HttpStatusCode.SwitchingProtocols, next.StatusCode);
        }
    }

    [Fact]
    public async Task A_stream_without_frames_is_closed_and_so_is_one_whose_frame_does_not_arrive()
    {
        await using var gated = GatedApp.Start(("Streams:IdleSeconds", "20"));
        using var silent = await Camera.OpenAsync(gated.Http);
        var (status, reason) = await AdvancedAsync(gated.Time, TimeSpan.FromSeconds(1), silent.ClosedAsync());
        Assert.Equal(1000, status);
        Assert.Contains("No frame", reason, StringComparison.Ordinal);

        using var halting = await Camera.OpenAsync(gated.Http);
        await halting.SendAsync(s_smile[..1000], isLast: false);
        await Until(() => gated.Memory.UploadBytesHeld > SmileApi.Admission.MemoryBudget.FirstHold(null)); // It has begun to arrive.

        (status, reason) = await AdvancedAsync(gated.Time, TimeSpan.FromSeconds(1), halting.ClosedAsync());
        Assert.Equal(1008, status);
        Assert.Contains("arrive", reason, StringComparison.Ordinal);
        halting.Dispose(); // In the middle of its frame.
        await gated.IsEmpty();
    }

    [Fact]
    public async Task A_client_that_goes_away_without_a_word_leaves_nothing_behind()
    {
        await using var gated = GatedApp.Start();
        using var counts = new Counts(gated.Services);
        for (var i = 0; i < 5; i++)
        {
            using var camera = await Camera.OpenAsync(gated.Http);
            await camera.SendAsync(GatedApp.Smile);
            await gated.RunBegan();
            await camera.SendAsync(GatedApp.Smile);
            await camera.SendAsync(GatedApp.Smile[..1000], isLast: false);
            camera.Socket.Abort();
            gated.Open();
            await gated.IsEmpty();
            gated.Close();
        }

        gated.Open(); // What arrived only after the place was found empty must not wait behind the gate.
        await counts.Open(0);
    }

    [Fact]
    public async Task A_client_that_answers_no_ping_is_cut_off()
    {
        await using var guarded = new GuardedApp(("Streams:KeepAliveSeconds", "1"));
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, guarded.Http.BaseAddress!.Port));
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            "GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"));
        var received = new List<byte>();
        var buffer = new byte[1024];
        try
        {
            while (await socket.ReceiveAsync(buffer) is var count and > 0)
            {
                received.AddRange(buffer[..count]);
            }
        }
        catch (SocketException)
        {
            // Reset, which is an end as well.
        }

        var text = Encoding.Latin1.GetString([.. received]);
        Assert.StartsWith("HTTP/1.1 101", text, StringComparison.Ordinal);
        Assert.Equal(0x89, received[text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4]); // A ping.
    }

    [Fact]
    public async Task Frames_count_for_the_rate_limit_and_the_stream_goes_on_when_the_next_one_is_back()
    {
        await using var guarded = new GuardedApp(("RateLimit:Requests", "3"), ("RateLimit:WindowSeconds", "30"));
        using var camera = await Camera.OpenAsync(guarded.Http);
        for (var frame = 1; frame <= 3; frame++)
        {
            Assert.Equal(200, (await camera.AskAsync(s_smile)).GetProperty("status").GetInt32());
        }

        await camera.SendAsync(s_smile);
        var refused = await AdvancedAsync(guarded.Clock, TimeSpan.FromSeconds(0.1), camera.AnswerAsync());
        guarded.Clock.Advance(TimeSpan.FromSeconds(10));
        var judged = await camera.AskAsync(s_smile);

        Assert.Equal((429, "urn:smileapi:problem:rate-limited"), (refused.GetProperty("status").GetInt32(), refused.GetProperty("problem").GetProperty("type").GetString()));
        Assert.InRange(refused.GetProperty("retryAfter").GetDouble(), 1, 9);
        Assert.Equal(200, judged.GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task With_keys_a_page_sends_its_own_as_a_subprotocol_which_is_not_sent_back()
    {
        const string Key = "alice-0123456789abcdef";
        await using var guarded = new GuardedApp(GuardedApp.Key(0, "alice", Key));

        using var none = await Camera.RefusedAsync(guarded.Http);
        using var wrong = await Camera.RefusedAsync(guarded.Http, "", ("Sec-WebSocket-Protocol", "smileapi, smileapi.key.wrong"));
        using var camera = await Camera.OpenAsync(guarded.Http, configure: options =>
        {
            options.AddSubProtocol("smileapi");
            options.AddSubProtocol($"smileapi.key.{Key}");
        });
        using var other = await Camera.OpenAsync(guarded.Http, configure: options => options.SetRequestHeader("X-API-Key", Key));

        await ProblemAssert.IsAsync(none, 401, "unauthorized");
        await ProblemAssert.IsAsync(wrong, 401, "unauthorized");
        Assert.Equal("smileapi", camera.Socket.SubProtocol);
        Assert.Equal(200, (await camera.AskAsync(s_smile)).GetProperty("status").GetInt32());
        Assert.Equal(200, (await other.AskAsync(s_smile)).GetProperty("status").GetInt32());
    }

    [Theory]
    [InlineData(null, "http://{host} https://{host}", "http://localhost:1 https://app.example null")]
    [InlineData("https://app.example", "https://app.example http://{host}", "https://app.example.evil.example http://app.example")]
    [InlineData("*", "https://anywhere.example null", "")]
    public async Task Pages_may_open_a_stream_that_may_read_other_answers(string? configured, string may, string mayNot)
    {
        await using var guarded = new GuardedApp(configured is null ? [] : [("Access:Origins:0", configured)]);
        foreach (var origin in may.Split(' '))
        {
            using var answer = await Camera.RefusedAsync(guarded.Http, "", ("Origin", origin.Replace("{host}", guarded.Http.BaseAddress!.Authority, StringComparison.Ordinal)));
            Assert.Equal((origin, HttpStatusCode.SwitchingProtocols), (origin, answer.StatusCode));
        }

        foreach (var origin in mayNot.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            using var answer = await Camera.RefusedAsync(guarded.Http, "", ("Origin", origin));
            await ProblemAssert.IsAsync(answer, 403, "origin-not-allowed");
        }
    }

    [Fact]
    public async Task When_the_service_stops_what_is_there_is_answered_and_the_stream_closed()
    {
        await using var gated = GatedApp.Start();
        using var camera = await Camera.OpenAsync(gated.Http);
        await camera.SendAsync(GatedApp.Smile);
        await gated.RunBegan();
        await camera.SendAsync(GatedApp.Smile);
        await Until(() => gated.Memory.UploadBytesHeld >= SmileApi.Admission.MemoryBudget.FirstHold(null) + 2 * SmileApi.Admission.MemoryBudget.FirstBuffer); // The second one is there, too.

        gated.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        gated.Open();

        Assert.Equal(1, (await camera.AnswerAsync()).GetProperty("frame").GetInt32());
        var second = camera.AnswerAsync();
        Assert.Equal((2, 200), ((await second).GetProperty("frame").GetInt32(), (await second).GetProperty("status").GetInt32()));
        Assert.Equal(1001, (await AdvancedAsync(gated.Time, TimeSpan.FromSeconds(0.1), camera.ClosedAsync())).Status);
    }

    [Fact]
    public async Task A_process_that_is_told_to_stop_says_goodbye_to_its_streams_and_ends()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");
        var (process, http) = await ServiceProcess.StartAsync(("Shutdown__DelaySeconds", "3"));
        using (http)
        await using (process)
        {
            using var camera = await Camera.OpenAsync(http);
            Assert.Equal(200, (await camera.AskAsync(s_smile)).GetProperty("status").GetInt32());

            process.Terminate();
            HttpResponseMessage ready;
            while ((ready = await http.GetAsync(new Uri("/health/ready", UriKind.Relative))).IsSuccessStatusCode)
            {
                ready.Dispose();
            }

            // While load balancers take notice, it goes on as before; only no further stream begins.
            ready.Dispose();
            using var refused = await Camera.RefusedAsync(http);
            await ProblemAssert.IsAsync(refused, 503, "not-ready");
            Assert.Equal(200, (await camera.AskAsync(s_smile)).GetProperty("status").GetInt32());
            Assert.Equal(1001, (await camera.ClosedAsync()).Status);
            Assert.Equal(0, await process.ExitAsync());
            Assert.Contains("GET /stream 101", process.Output, StringComparison.Ordinal);
            Assert.Contains("ok, 2 frames, 2 of them answered", process.Output, StringComparison.Ordinal);
        }
    }

    private static string[] Events(JsonElement answer) => answer.TryGetProperty("events", out var events)
        ? [.. events.EnumerateArray().Select(one => $"{one.GetProperty("type").GetString()} {one.GetProperty("face").GetInt32()}")]
        : [];

    /// <summary>Waits for what must come, but not for ever: a test that hangs tells nothing.</summary>
    private static async Task Until(Func<bool> holds, [CallerLineNumber] int line = 0)
    {
        var started = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(started.Elapsed < TimeSpan.FromMinutes(1), $"What line {line} waits for does not come.");
            await Task.Delay(1);
        }
    }

    /// <summary>Moves the clock until something has happened.</summary>
    private static async Task<T> AdvancedAsync<T>(Microsoft.Extensions.Time.Testing.FakeTimeProvider clock, TimeSpan step, Task<T> happening)
    {
        await Until(() =>
        {
            clock.Advance(step);
            return happening.IsCompleted;
        });

        return await happening;
    }

    /// <summary>What this service alone counts: <c>/metrics</c> tells of all that are in this process.</summary>
    private sealed class Counts : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _skipped;
        private long _open;

        public Counts(IServiceProvider services)
        {
            var factory = services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope == factory && instrument.Name.StartsWith("smileapi.stream.", StringComparison.Ordinal))
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((instrument, by, tags, _) =>
            {
                if (instrument.Name == "smileapi.stream.open")
                {
                    Interlocked.Add(ref _open, by);
                }
                else if (tags[0].Value is "skipped")
                {
                    Interlocked.Add(ref _skipped, by);
                }
            });
            _listener.Start();
        }

        /// <summary>Waits until so many frames have been skipped.</summary>
        public Task Skipped(int frames) => Until(() => Volatile.Read(ref _skipped) == frames);

        /// <summary>Waits until so many streams are open.</summary>
        public Task Open(int streams) => Until(() => Volatile.Read(ref _open) == streams);

        public void Dispose() => _listener.Dispose();
    }
}
