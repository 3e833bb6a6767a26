using System.Net;
using System.Net.Sockets;
using System.Text;
using SmileApi.Tests.Admission;

namespace SmileApi.Tests.Classify;

/// <summary>What only shows on the wire: bodies that are too large, cut off, or not HTTP.</summary>
public sealed class RealSocketTests(SmileApp app)
{
    [Fact]
    public async Task A_sender_of_40_megabytes_reads_its_413_although_it_sends_all_of_them_first()
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(Encoding.ASCII.GetBytes($"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {40 << 20}\r\n\r\n"));
        var chunk = new byte[1 << 20];
        for (var i = 0; i < 40; i++)
        {
            for (var sent = 0; sent < chunk.Length;)
            {
                sent += await socket.SendAsync(chunk.AsMemory(sent));
            }
        }

        var answer = await GatedApp.ReadAsync(socket);

        Assert.StartsWith("HTTP/1.1 413", answer, StringComparison.Ordinal);
        Assert.Contains("urn:smileapi:problem:upload-too-large", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sender_that_waits_for_100_continue_reads_its_413_at_once()
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"POST /classify HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {40 << 20}\r\n\r\n"));

        Assert.StartsWith("HTTP/1.1 413", await GatedApp.ReadAsync(socket), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(1L << 62)]
    public async Task A_sender_of_more_than_ever_arrives_reads_its_413(long length)
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(Encoding.ASCII.GetBytes($"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"));

        Assert.StartsWith("HTTP/1.1 413", await GatedApp.ReadAsync(socket), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mean-smile.png", "HTTP/1.1 200")]
    [InlineData(null, "HTTP/1.1 415")]
    public async Task Answers_and_problems_come_whole_with_their_length_and_not_in_chunks(string? sample, string status)
    {
        using var socket = await ConnectAsync();
        var body = sample is null ? "no picture"u8.ToArray() : Repository.Sample(sample);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"POST /classify HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n"));
        await socket.SendAsync(body);

        var answer = await ReadToEndAsync(socket);

        Assert.StartsWith(status, answer, StringComparison.Ordinal);
        var (head, json) = (answer[..answer.IndexOf("\r\n\r\n", StringComparison.Ordinal)], answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
        Assert.Contains($"Content-Length: {Encoding.UTF8.GetByteCount(json)}\r\n", head, StringComparison.Ordinal);
        Assert.DoesNotContain("Transfer-Encoding", head, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_chunked_body_that_breaks_its_own_rules_is_malformed()
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync("POST /classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nnot a length\r\n"u8.ToArray());

        var answer = await ReadToEndAsync(socket);

        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
        Assert.Contains("urn:smileapi:problem:malformed-request", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Senders_that_hang_up_in_the_middle_of_a_body_harm_nobody()
    {
        var picture = Repository.Sample("mean-smile.png");
        var expected = await app.ProbabilityAsync(picture);
        for (var i = 0; i < 50; i++)
        {
            using var socket = await ConnectAsync();
            await socket.SendAsync(Encoding.ASCII.GetBytes($"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {picture.Length}\r\n\r\n"));
            await socket.SendAsync(picture.AsMemory(0, picture.Length * i / 50));
        }

        Assert.Equal(expected, await app.ProbabilityAsync(picture));
    }

    [Fact]
    public async Task Several_requests_on_one_connection_are_answered_in_order()
    {
        using var socket = await ConnectAsync();
        var picture = Repository.Sample("mean-smile.png");
        var head = Encoding.ASCII.GetBytes($"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {picture.Length}\r\n\r\n");
        var last = Encoding.ASCII.GetBytes("GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        await socket.SendAsync((byte[])[.. head, .. picture, .. head, .. picture, .. last]);

        var answer = await ReadToEndAsync(socket);

        Assert.Equal(3, answer.Split("HTTP/1.1 200").Length - 1);
        Assert.EndsWith("Healthy\r\n0\r\n\r\n", answer, StringComparison.Ordinal);
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, app.Http.BaseAddress!.Port));
        return socket;
    }

    private static async Task<string> ReadToEndAsync(Socket socket)
    {
        using var reader = new StreamReader(new NetworkStream(socket), Encoding.UTF8);
        return await reader.ReadToEndAsync();
    }
}
