using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SmileApi.Tests.Operations;

public sealed class RequestLogTests
{
    /// <summary>Of HTTP/2, where the server breaks off a request whose client has.</summary>
    [Fact]
    public async Task Uploads_that_are_broken_off_are_no_errors()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");
        var (process, http) = await ServiceProcess.StartAsync(("Kestrel__Endpoints__Http2__Url", "http://127.0.0.1:0"), ("Kestrel__Endpoints__Http2__Protocols", "Http2"));
        using (http)
        await using (process)
        {
            for (var i = 0; i < 20; i++)
            {
                using var hangUp = new CancellationTokenSource();
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(i % 2 == 0 ? "/classify" : "/classify/batch", UriKind.Relative))
                {
                    Version = HttpVersion.Version20,
                    VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                    Content = new StreamContent(new Stalling(hangUp)),
                };
                request.Content.Headers.ContentType = new(i % 2 == 0 ? "image/jpeg" : "application/x-ndjson");
                await Assert.ThrowsAnyAsync<Exception>(() => http.SendAsync(request, hangUp.Token));
            }

            Assert.Equal(0, await process.StopAsync());
        }

        Assert.Equal(20, process.Output.Split('\n').Count(line => line.Contains(" 499 in ", StringComparison.Ordinal)));
        Assert.DoesNotContain(" ERR ", process.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_request_can_forge_a_line_or_speak_to_the_terminal_that_shows_it()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");
        var (process, http) = await ServiceProcess.StartAsync();
        using (http)
        await using (process)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(http.BaseAddress!.Host, http.BaseAddress.Port);
            await socket.SendAsync(Encoding.ASCII.GetBytes("GET /x%0A12:00:00.000%20INF%20POST%20/admin/model%20200%1B[2J/%C3%BC HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
            using var reader = new StreamReader(new NetworkStream(socket));
            Assert.StartsWith("HTTP/1.1 404", await reader.ReadToEndAsync(), StringComparison.Ordinal);
            Assert.Equal(0, await process.StopAsync());
        }

        Assert.Contains("GET /x%0A12:00:00.000%20INF%20POST%20/admin/model%20200%1B", process.Output, StringComparison.Ordinal);
        Assert.Contains(" 404 in ", process.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', process.Output);
        Assert.DoesNotContain(process.Output.Split('\n'), line => line.StartsWith("12:00:00.000 INF POST /admin", StringComparison.Ordinal));
    }

    /// <summary>The beginning of an upload whose sender hangs up.</summary>
    private sealed class Stalling(CancellationTokenSource hangUp) : MemoryStream
    {
        private int _reads;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (++_reads > 1)
            {
                await Task.Delay(20, CancellationToken.None); // Until the service waits for more.
                await hangUp.CancelAsync();
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }

            buffer.Span[0] = (byte)'{';
            return 1;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }
}
