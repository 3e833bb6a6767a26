using System.Net.Sockets;
using System.Text;

namespace SmileApi.Tests.Operations;

public sealed class RequestLogTests
{
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
}
