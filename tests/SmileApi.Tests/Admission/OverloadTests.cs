using System.Net.Sockets;
using SmileApi.Tests.Classify;

namespace SmileApi.Tests.Admission;

/// <summary>More requests than there is room for: the door is shut before a body is read.</summary>
public sealed class OverloadTests
{
    [Fact]
    public async Task Who_finds_no_room_is_refused_before_its_body_is_read_and_may_send_all_of_it_before_it_listens()
    {
        using var app = GatedApp.Start(("Requests:MaxInFlight", "1"), ("Requests:MaxInFlightSustained", "1"));
        var running = app.PostAsync();
        await app.RunBegan();

        const int Length = 10 << 20;
        using var silent = await app.ConnectAsync($"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {Length}\r\n\r\n");
        using var eager = await app.ConnectAsync($"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {Length}\r\n\r\n");
        var body = new byte[Length];
        for (var sent = 0; sent < Length;)
        {
            sent += await eager.SendAsync(body.AsMemory(sent));
        }

        // The one has not sent a byte of its body, the other all.
        foreach (var socket in new[] { silent, eager })
        {
            var answer = await GatedApp.ReadAsync(socket);
            Assert.StartsWith("HTTP/1.1 503", answer, StringComparison.Ordinal);
            Assert.Contains("Retry-After: 1\r\n", answer, StringComparison.Ordinal);
            Assert.Contains("urn:smileapi:problem:overloaded", answer, StringComparison.Ordinal);
        }

        Assert.Equal((0, 1), (app.Gate.Arriving, app.Gate.Working));

        // Those who watch are never refused.
        using var live = await app.Http.GetAsync(new Uri("/health/live", UriKind.Relative));
        var gauges = await CeilingTests.GaugesAsync(app.Http);
        Assert.True(live.IsSuccessStatusCode);
        Assert.Equal(1, gauges["smileapi_requests_in_flight"]);
        Assert.True(gauges["smileapi_memory_held_bytes"] > 0);

        app.Open();
        using var first = await running;
        using var next = await app.PostAsync();
        Assert.True(first.IsSuccessStatusCode);
        Assert.True(next.IsSuccessStatusCode);
        await app.IsEmpty();
    }

    [Fact]
    public async Task Of_many_who_arrive_together_only_as_many_as_may_begin_to_work()
    {
        using var app = GatedApp.Start(("Requests:MaxInFlight", "3"), ("Requests:MaxInFlightSustained", "3"));
        var head = $"POST /classify?faces=whole HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {GatedApp.Smile.Length}\r\n\r\n";
        var sockets = new List<Socket>();
        for (var i = 0; i < 8; i++)
        {
            sockets.Add(await app.ConnectAsync(head));
        }

        await app.Arriving(8); // All are let in, since none is at work.
        for (var i = 0; i < 8; i++)
        {
            await sockets[i].SendAsync(GatedApp.Smile);
            await app.Arriving(7 - i);
        }

        for (var i = 3; i < 8; i++)
        {
            Assert.StartsWith("HTTP/1.1 503", await GatedApp.ReadAsync(sockets[i]), StringComparison.Ordinal);
        }

        app.Open();
        for (var i = 0; i < 3; i++)
        {
            Assert.StartsWith("HTTP/1.1 200", await GatedApp.ReadAsync(sockets[i]), StringComparison.Ordinal);
        }

        sockets.ForEach(socket => socket.Dispose());
        await app.IsEmpty();
    }

    [Fact]
    public async Task A_burst_is_taken_in_but_in_lasting_overload_the_queue_is_kept_short()
    {
        using var app = GatedApp.Start(("Requests:MaxInFlight", "6"), ("Requests:MaxInFlightSustained", "2"));
        await FillAsync(app, 6);

        // The burst has been worked off, but no second one is taken in while people are refused,
        await FillAsync(app, 2);
        app.Time.Advance(TimeSpan.FromSeconds(1));
        await FillAsync(app, 2);

        // and only when nobody has been for a whole second.
        app.Time.Advance(TimeSpan.FromSeconds(2));
        await FillAsync(app, 6);
    }

    [Fact]
    public async Task A_picture_of_a_batch_that_waits_for_memory_comes_in_as_soon_as_a_frame_is_gone()
    {
        using var gated = GatedApp.Start();
        Assert.True(gated.Gate.TryEnterFromStream(out var frame, out _));
        Assert.Null(await frame.HoldAsync(gated.Memory.UploadBytes / 1024 * 1024, CancellationToken.None));
        var picture = gated.Gate.EnterFromBatchAsync(CancellationToken.None).AsTask();
        Assert.False(picture.IsCompleted);

        frame.Dispose();

        (await picture.WaitAsync(TimeSpan.FromMinutes(1))).Dispose();
        await gated.IsEmpty();
    }

    [Fact]
    public async Task A_few_refused_by_chance_are_no_lasting_overload()
    {
        using var app = GatedApp.Start(("Requests:MaxInFlight", "6"), ("Requests:MaxInFlightSustained", "2"));
        await FillAsync(app, 6);
        app.Open();
        for (var i = 0; i < 60; i++)
        {
            using var answer = await app.PostAsync();
            Assert.True(answer.IsSuccessStatusCode);
        }

        app.Close();
        app.Time.Advance(TimeSpan.FromSeconds(1));
        await FillAsync(app, 6);
    }

    /// <summary>Sends until one is refused, which must be the one after so many; then all others are answered.</summary>
    private static async Task FillAsync(GatedApp app, int room)
    {
        var inside = new List<Task<HttpResponseMessage>>();
        for (var i = 1; i <= room; i++)
        {
            inside.Add(app.PostAsync());
            await app.Working(i);
        }

        using var refused = await app.PostAsync();
        await ProblemAssert.IsAsync(refused, 503, "overloaded");
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);

        app.Open();
        foreach (var request in inside)
        {
            using var answer = await request;
            Assert.True(answer.IsSuccessStatusCode);
        }

        await app.IsEmpty();
        app.Close();
    }

    [Fact]
    public async Task Uploads_have_their_memory_set_aside_by_what_they_announce_and_chunked_ones_as_they_grow()
    {
        using var app = GatedApp.Start();
        const string Head = "POST /classify HTTP/1.1\r\nHost: localhost\r\n";
        var announced = new List<Socket>();
        if (app.Memory.UploadBytes % (16 << 20) < 1 << 20)
        {
            await AnnounceAsync(8 << 20); // So that room for a small one will be left.
        }

        while (app.Memory.UploadBytes - app.Memory.UploadBytesHeld >= 16 << 20)
        {
            await AnnounceAsync(16 << 20);
        }

        // No room for another of these, but for a small one.
        using var refused = await app.ConnectAsync(Head + $"Content-Length: {(16 << 20) - 1}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 503", await GatedApp.ReadAsync(refused), StringComparison.Ordinal);
        using var growing = await app.ConnectAsync(Head + "Transfer-Encoding: chunked\r\n\r\n1000000\r\n");
        await app.Arriving(announced.Count + 1);
        var sending = SendAsync(growing, 16 << 20);
        Assert.StartsWith("HTTP/1.1 503", await GatedApp.ReadAsync(growing), StringComparison.Ordinal);
        await sending;

        announced.ForEach(socket => socket.Dispose());
        await app.IsEmpty();

        async Task AnnounceAsync(int room)
        {
            announced.Add(await app.ConnectAsync(Head + $"Content-Length: {room - 1}\r\n\r\n"));
            await app.Arriving(announced.Count);
        }

        static async Task SendAsync(Socket socket, int length)
        {
            var body = new byte[length];
            for (var sent = 0; sent < length;)
            {
                sent += await socket.SendAsync(body.AsMemory(sent));
            }
        }
    }
}
