using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Admission;

public sealed class AbandonTests
{
    /// <summary>Of each sort; <c>SMILE_CLIENTS</c> asks for another number.</summary>
    private static readonly int s_clients = int.Parse(Environment.GetEnvironmentVariable("SMILE_CLIENTS") ?? "1000", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Clients_who_abort_at_random_moments_harm_none_of_those_who_do_not_and_leave_nothing_behind()
    {
        var (process, http) = await ServiceProcess.StartAsync(
            ("Requests__MaxInFlight", "100000"), ("Requests__MaxInFlightSustained", "100000"), ("Requests__DeadlineSeconds", "600"),
            ("Decoding__QueueLimit", "100000"), ("Batching__QueueLimit", "1000000"));
        using (http)
        await using (process)
        {
            var requests = Enumerable.Range(0, 16).Select(i => Request(Make.Jpeg(200 + 16 * i, 160, seed: i))).ToArray();
            var expected = new List<string>();
            foreach (var request in requests)
            {
                expected.Add(await AskAsync(http, request));
            }

            var random = new Random(1);
            var plans = Enumerable.Range(0, s_clients).Select(_ => (Share: random.NextDouble() * 1.5, Wait: random.Next(50), Reset: random.Next(2) == 0)).ToArray();
            var aborted = plans.Select((plan, i) => AbortAsync(http, requests[i % requests.Length], plan.Share, plan.Wait, plan.Reset)).ToArray();
            var answers = await Task.WhenAll(Enumerable.Range(0, s_clients).Select(i => AskAsync(http, requests[i % requests.Length])));
            await Task.WhenAll(aborted);

            Assert.All(answers.Index(), answer => Assert.Equal(expected[answer.Index % requests.Length], answer.Item));
            Dictionary<string, double> gauges;
            do
            {
                gauges = await CeilingTests.GaugesAsync(http);
            }
            while (gauges.Any(gauge => gauge.Key != "smileapi_memory_ceiling_bytes" && gauge.Value != 0)); // They do return to zero, or this test never ends.

            var gone = process.Output.Split('\n').Count(line => line.Contains("POST /classify 499", StringComparison.Ordinal));
            TestContext.Current.TestOutputHelper!.WriteLine($"{s_clients} answered as ever among {s_clients} who aborted, {gone} of them at work; peak memory {process.PeakMebibytes():0} MiB; {string.Join(", ", gauges)}");
            Assert.True(gone > 0);
            var error = process.Output.IndexOf(" ERR ", StringComparison.Ordinal);
            Assert.True(error < 0, error < 0 ? "" : process.Output[error..Math.Min(process.Output.Length, error + 3000)]);
        }
    }

    private static byte[] Request(byte[] picture) =>
        [.. Encoding.ASCII.GetBytes($"POST /classify?minFace=60 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {picture.Length}\r\n\r\n"), .. picture];

    /// <summary>Asks on a connection of its own.</summary>
    /// <returns>What the answer says of the picture.</returns>
    private static async Task<string> AskAsync(HttpClient http, byte[] request)
    {
        using var socket = await ConnectAsync(http);
        for (var sent = 0; sent < request.Length;)
        {
            sent += await socket.SendAsync(request.AsMemory(sent));
        }

        using var reader = new StreamReader(new NetworkStream(socket), Encoding.UTF8);
        var answer = await reader.ReadToEndAsync();
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);

        // The last digits of a probability depend on what else was in the run.
        var from = answer.IndexOf("\"faces\"", StringComparison.Ordinal);
        var text = answer[from..answer.IndexOf("\"model\"", StringComparison.Ordinal)];
        return System.Text.RegularExpressions.Regex.Replace(text, @"(\d\.\d{3})\d+(E-\d+)?", "$1");
    }

    /// <summary>Sends a share of a request; when that is more than 1, all of it, and waits. Then it hangs up, one way or the other.</summary>
    private static async Task AbortAsync(HttpClient http, byte[] request, double share, int wait, bool reset)
    {
        using var socket = await ConnectAsync(http);
        await socket.SendAsync(request.AsMemory(0, (int)(Math.Min(1, share) * request.Length)));
        await Task.Delay(wait);
        if (reset)
        {
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }
    }

    private static async Task<Socket> ConnectAsync(HttpClient http)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, http.BaseAddress!.Port));
        return socket;
    }
}
