using System.Net.Sockets;
using SmileApi.Batching;
using SmileApi.Tests.Classify;

namespace SmileApi.Tests.Admission;

/// <summary>Requests whose time is over, whose caller has gone, or who never come to an end.</summary>
public sealed class DeadlineTests
{
    private static readonly TimeSpan s_default = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_request_that_is_not_answered_in_time_is_told_so_although_its_run_has_not_ended()
    {
        using var app = GatedApp.Start();
        var request = app.PostAsync();
        await app.RunBegan();

        app.Time.Advance(s_default);

        using var answer = await request;
        Assert.Contains("30 seconds", await ProblemAssert.IsAsync(answer, 504, "deadline-exceeded"), StringComparison.Ordinal);
        await app.IsEmpty();
    }

    [Fact]
    public async Task A_caller_may_shorten_the_deadline()
    {
        using var app = GatedApp.Start();
        var request = app.PostAsync(timeout: "0.25");
        await app.RunBegan();

        app.Time.Advance(TimeSpan.FromSeconds(0.25));

        using var answer = await request;
        Assert.Contains("0.25 seconds", await ProblemAssert.IsAsync(answer, 504, "deadline-exceeded"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_caller_may_not_lengthen_the_deadline()
    {
        using var app = GatedApp.Start(("Requests:DeadlineSeconds", "2"));
        var request = app.PostAsync(timeout: "3600");
        await app.RunBegan();

        app.Time.Advance(TimeSpan.FromSeconds(2));

        using var answer = await request;
        Assert.Contains("2 seconds", await ProblemAssert.IsAsync(answer, 504, "deadline-exceeded"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deadline_that_is_no_number_of_seconds_is_refused()
    {
        using var app = GatedApp.Start();
        foreach (var timeout in new[] { "soon", "", "0", "-1", "NaN", "1,5", "1s", "1e3" })
        {
            using var answer = await app.PostAsync(timeout);

            Assert.Contains("X-Request-Timeout", await ProblemAssert.IsAsync(answer, 400, "invalid-parameter"), StringComparison.Ordinal);
        }

        await app.IsEmpty();
    }

    [Fact]
    public async Task Work_whose_time_is_over_is_not_run()
    {
        using var app = GatedApp.Start();
        var running = app.PostAsync();
        await app.RunBegan();
        var waiting = app.PostAsync(timeout: "1"); // The only runner is busy.
        await app.Working(2);

        app.Time.Advance(TimeSpan.FromSeconds(1));
        using var late = await waiting;
        await ProblemAssert.IsAsync(late, 504, "deadline-exceeded");
        app.Open();
        using var answer = await running;

        Assert.True(answer.IsSuccessStatusCode);
        await app.IsEmpty();
        Assert.Equal([Network.Smile], app.Runs);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Content-Type: application/json\r\n")]
    [InlineData("Content-Type: multipart/form-data; boundary=b\r\n")]
    public async Task An_upload_that_does_not_end_in_time_is_answered_and_its_memory_freed(string header)
    {
        const string Begun = "--b\r\n";
        using var app = GatedApp.Start();
        using var socket = await app.ConnectAsync($"POST /classify HTTP/1.1\r\nHost: localhost\r\n{header}Content-Length: 5000000\r\n\r\n{Begun}");
        await app.Arriving(1);

        Assert.True(app.Memory.UploadBytesHeld >= 5_000_000);
        app.Time.Advance(s_default);

        var answer = await GatedApp.ReadAsync(socket);
        Assert.StartsWith("HTTP/1.1 504", answer, StringComparison.Ordinal);
        Assert.Contains("urn:smileapi:problem:deadline-exceeded", answer, StringComparison.Ordinal);
        await app.IsEmpty();

        // The connection is whole: what is left of the upload is taken in, and the next request is answered.
        byte[] rest = [.. new byte[5_000_000 - Begun.Length], .. "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"u8];
        for (var sent = 0; sent < rest.Length;)
        {
            sent += await socket.SendAsync(rest.AsMemory(sent));
        }

        using var reader = new StreamReader(new NetworkStream(socket));
        Assert.StartsWith("HTTP/1.1 200", await reader.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_who_leaves_or_closes_half_frees_everything_at_once(bool reset)
    {
        using var app = GatedApp.Start();
        var head = $"POST /classify?faces=whole HTTP/1.1\r\nHost: localhost\r\nContent-Length: {GatedApp.Smile.Length}\r\n\r\n";
        using var socket = await app.ConnectAsync(head);
        await socket.SendAsync(GatedApp.Smile);
        await app.RunBegan();
        Assert.Equal(1, app.Gate.Working);
        Assert.True(app.Memory.UploadBytesHeld > 0);
        Assert.True(app.Memory.PictureBytesHeld > 0);

        if (reset)
        {
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
            socket.Close();
        }
        else
        {
            socket.Shutdown(SocketShutdown.Send);
        }

        await app.IsEmpty(); // Although the run has not ended.
    }

    [Fact]
    public async Task A_caller_who_leaves_in_the_middle_of_an_upload_frees_everything()
    {
        using var app = GatedApp.Start();
        var sockets = new List<Socket>();
        foreach (var framing in new[] { "Content-Length: 5000000", "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 5000000", "Content-Type: application/json\r\nContent-Length: 5000000" })
        {
            sockets.Add(await app.ConnectAsync($"POST /classify HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n--b\r\n"));
        }

        await app.Arriving(sockets.Count);

        sockets[0].LingerState = new LingerOption(enable: true, seconds: 0);
        sockets.ForEach(socket => socket.Dispose());

        await app.IsEmpty();
    }

    [Fact]
    public async Task Senders_who_are_too_slow_for_what_they_announced_are_told_so()
    {
        using var app = GatedApp.Start();

        // In its own time, the server's: five seconds for a body, ten for headers.
        using var headers = await app.ConnectAsync("POST /classify HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        using var body = await app.ConnectAsync("POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n");
        await body.SendAsync(new byte[100_000]); // In five seconds, where 417,000 are half of what must have come.

        Assert.StartsWith("HTTP/1.1 408", await GatedApp.ReadAsync(body), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 408", await GatedApp.ReadAsync(headers), StringComparison.Ordinal);
        await app.IsEmpty();
    }
}
