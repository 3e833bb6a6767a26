using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SmileApi.Benchmarks;

/// <summary>What callers in a closed loop have seen.</summary>
/// <param name="Seconds">How long it took altogether.</param>
/// <param name="Milliseconds">Of each request, in order.</param>
internal sealed record Seen(double Seconds, double[] Milliseconds);

/// <summary>
/// Callers on connections that stay open, each of whom sends the next request when it has its answer. They write bytes that are
/// there already and look for the end of an answer, so that they take as little as can be from the service's processor.
/// </summary>
internal sealed class Callers : IDisposable
{
    private static readonly byte[] s_endOfChunks = "\r\n0\r\n\r\n"u8.ToArray();

    private readonly Socket[] _sockets;

    private Callers(Socket[] sockets) => _sockets = sockets;

    /// <param name="address">Of this machine.</param>
    public static async Task<Callers> ConnectAsync(Uri address, int count)
    {
        var sockets = new Socket[count];
        for (var i = 0; i < count; i++)
        {
            sockets[i] = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await sockets[i].ConnectAsync(IPAddress.Loopback, address.Port);
        }

        return new Callers(sockets);
    }

    /// <returns>A whole request, head and body.</returns>
    public static byte[] Post(string path, string contentType, byte[] body) =>
        [.. Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {contentType}\r\nContent-Length: {body.Length}\r\n\r\n"), .. body];

    /// <summary>The first of the callers send one request after another.</summary>
    /// <param name="pick">The request to be sent next; called by all callers.</param>
    /// <param name="seen">Told of each request that was answered, and of its milliseconds; null where nobody wants to know.</param>
    /// <exception cref="InvalidOperationException">An answer was not 200.</exception>
    public async Task<Seen> RunAsync(int count, TimeSpan duration, Func<byte[]> pick, Action<byte[], double>? seen = null)
    {
        var started = Stopwatch.GetTimestamp();
        var times = await Task.WhenAll(_sockets.Take(count).Select(socket => Task.Run(() => CallAsync(socket))));
        return new Seen(Stopwatch.GetElapsedTime(started).TotalSeconds, [.. times.SelectMany(all => all).Order()]);

        async Task<List<double>> CallAsync(Socket socket)
        {
            var all = new List<double>();
            var buffer = new byte[64 << 10];
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                var request = pick();
                var asked = Stopwatch.GetTimestamp();
                for (var sent = 0; sent < request.Length;)
                {
                    sent += await socket.SendAsync(request.AsMemory(sent));
                }

                var filled = 0;
                do
                {
                    var read = await socket.ReceiveAsync(buffer.AsMemory(filled));
                    filled += read > 0 ? read : throw new InvalidOperationException("The service hung up.");
                }
                while (!IsWhole(buffer.AsSpan(0, filled)));
                var took = Stopwatch.GetElapsedTime(asked).TotalMilliseconds;
                if (!buffer.AsSpan().StartsWith("HTTP/1.1 200"u8))
                {
                    throw new InvalidOperationException($"The service answered {Encoding.UTF8.GetString(buffer, 0, filled)}");
                }

                all.Add(took);
                seen?.Invoke(request, took);
            }

            return all;
        }
    }

    public void Dispose() => Array.ForEach(_sockets, socket => socket.Dispose());

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var head = answer.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return false;
        }

        const string Length = "Content-Length: ";
        var at = answer[..head].IndexOf("Content-Length: "u8);
        if (at < 0)
        {
            return answer.EndsWith(s_endOfChunks);
        }

        var text = answer[(at + Length.Length)..];
        return answer.Length >= head + 4 + int.Parse(Encoding.ASCII.GetString(text[..text.IndexOf((byte)'\r')]), System.Globalization.CultureInfo.InvariantCulture);
    }
}
