using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using SmileApi.Tests.Classify;

namespace SmileApi.Tests.Operations;

/// <summary>A real process that is asked to stop while it works.</summary>
public sealed class ShutdownTests
{
    private const string NoSignals = "Windows has no SIGTERM to send to another process";

    private static readonly byte[] s_smile = Repository.Sample("mean-smile.png");
    private static readonly Uri s_classify = new("/classify", UriKind.Relative);
    private static readonly Uri s_ready = new("/health/ready", UriKind.Relative);

    [Fact]
    public async Task Behind_a_load_balancer_that_watches_readiness_no_request_is_lost_and_the_exit_code_is_zero()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), NoSignals);
        var (process, http) = await ServiceProcess.StartAsync(("Shutdown__DelaySeconds", "3"));
        using (http)
        await using (process)
        {
            var answers = new ConcurrentQueue<(HttpStatusCode Status, bool Closed)>();
            using var notReady = new CancellationTokenSource();
            using var underLoad = new SemaphoreSlim(0);
            var callers = Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
            {
                while (!notReady.IsCancellationRequested)
                {
                    answers.Enqueue(await PostAsync(http));
                    underLoad.Release();
                }
            })).ToArray();
            for (var i = 0; i < 50; i++)
            {
                await underLoad.WaitAsync();
            }

            process.Terminate();
            while (true)
            {
                using var ready = await http.GetAsync(s_ready);
                if (!ready.IsSuccessStatusCode)
                {
                    Assert.Contains("about to stop", await ProblemAssert.IsAsync(ready, 503, "not-ready"), StringComparison.Ordinal);
                    break;
                }
            }

            // Not ready, and still who comes is answered, on a connection that ends with the answer.
            Assert.Equal((HttpStatusCode.OK, true), await PostAsync(http));
            await notReady.CancelAsync();
            await Task.WhenAll(callers);
            Assert.Equal(0, await process.ExitAsync());

            Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
            Assert.Contains(answers, answer => !answer.Closed);
            Assert.Contains(answers, answer => answer.Closed);
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{answers.Count} requests of 8 callers, {answers.Count(answer => answer.Closed)} of them after SIGTERM, all answered 200; exit code 0");
        }
    }

    [Fact]
    public async Task A_request_that_is_half_sent_when_the_service_stops_is_finished()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), NoSignals);
        var (process, http) = await ServiceProcess.StartAsync();
        using (http)
        await using (process)
        {
            using var socket = await HalfSentAsync(http.BaseAddress!);
            process.Terminate();
            await UntilRefusedAsync(http.BaseAddress!);

            await socket.SendAsync(s_smile.AsMemory(s_smile.Length / 2));

            using var stream = new NetworkStream(socket);
            using var reader = new StreamReader(stream);
            var answer = await reader.ReadToEndAsync();
            Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
            Assert.Contains("\"smile\":true", answer, StringComparison.Ordinal);
            Assert.Equal(0, await process.ExitAsync());
        }
    }

    [Fact]
    public async Task A_client_that_never_sends_the_rest_holds_the_end_up_for_the_timeout_and_no_longer()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), NoSignals);
        var (process, http) = await ServiceProcess.StartAsync(("Shutdown__TimeoutSeconds", "1"));
        using (http)
        await using (process)
        {
            using var socket = await HalfSentAsync(http.BaseAddress!);

            Assert.Equal(0, await process.StopAsync());
        }
    }

    private static async Task<(HttpStatusCode Status, bool Closed)> PostAsync(HttpClient http)
    {
        using var content = new ByteArrayContent(s_smile);
        using var response = await http.PostAsync(s_classify, content);
        await response.Content.ReadAsByteArrayAsync();
        return (response.StatusCode, response.Headers.ConnectionClose == true);
    }

    /// <summary>A request that the service has begun to read: it answers the first half with "100 Continue".</summary>
    private static async Task<Socket> HalfSentAsync(Uri address)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(address.Host, address.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"POST /classify HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {s_smile.Length}\r\n\r\n"));
        var goOn = new byte["HTTP/1.1 100 Continue\r\n\r\n".Length];
        for (var read = 0; read < goOn.Length;)
        {
            read += await socket.ReceiveAsync(goOn.AsMemory(read));
        }

        await socket.SendAsync(s_smile.AsMemory(0, s_smile.Length / 2));
        return socket;
    }

    private static async Task UntilRefusedAsync(Uri address)
    {
        while (true)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(address.Host, address.Port);
            }
            catch (SocketException)
            {
                return;
            }
        }
    }
}
