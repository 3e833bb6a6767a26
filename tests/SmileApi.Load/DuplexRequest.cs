using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace SmileApi.Load;

/// <summary>
/// One request of HTTP/1.1 whose answer is read while its body is sent; <see cref="HttpClient"/> does that with HTTP/2 only. One may
/// send and another read at the same time.
/// </summary>
internal sealed class DuplexRequest : IDisposable
{
    private readonly NetworkStream _stream;
    private readonly byte[] _buffer = new byte[32 << 10];
    private int _start;
    private int _end;
    private long _left; // Of this chunk of the answer.
    private bool _ended;

    private DuplexRequest(Socket socket) => _stream = new NetworkStream(socket, ownsSocket: true);

    /// <summary>The status of the answer; 0 until it has begun.</summary>
    public int Status { get; private set; }

    /// <summary>Sends the head of a request with a body of unknown length.</summary>
    /// <param name="headers">Further ones, each with its end of line.</param>
    public static async Task<DuplexRequest> PostAsync(Uri address, string path, string contentType, string headers = "")
    {
        if (!address.IsLoopback)
        {
            throw new ArgumentException($"{address.Host} is not this machine.", nameof(address));
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address.Host, address.Port);
        var request = new DuplexRequest(socket);
        await request._stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {contentType}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"));
        return request;
    }

    /// <summary>Sends a part of the body.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        await _stream.WriteAsync(Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n"));
        await _stream.WriteAsync(bytes);
        await _stream.WriteAsync("\r\n"u8.ToArray());
    }

    /// <summary>Says that the body has ended.</summary>
    public Task EndAsync() => _stream.WriteAsync("0\r\n\r\n"u8.ToArray()).AsTask();

    /// <summary>Reads a line of the answer.</summary>
    /// <returns>Null at its end.</returns>
    /// <exception cref="EndOfStreamException">The connection ends before the answer does.</exception>
    public async Task<string?> ReadLineAsync()
    {
        if (Status == 0)
        {
            await ReadHeadAsync();
        }

        var line = new MemoryStream();
        while (await NextAsync() is { } next)
        {
            if (next == '\n')
            {
                return Encoding.UTF8.GetString(line.GetBuffer(), 0, (int)line.Length);
            }

            line.WriteByte(next);
        }

        return line.Length == 0 ? null : Encoding.UTF8.GetString(line.GetBuffer(), 0, (int)line.Length);
    }

    public void Dispose() => _stream.Dispose();

    private async Task ReadHeadAsync()
    {
        Status = int.Parse((await RawLineAsync()).Split(' ')[1], CultureInfo.InvariantCulture);
        while (await RawLineAsync() is { Length: > 0 })
        {
            // Headers; the body is chunked.
        }
    }

    /// <summary>The next byte of the answer's body.</summary>
    private async ValueTask<byte?> NextAsync()
    {
        if (_left == 0 && !_ended)
        {
            var length = await RawLineAsync();
            length = length.Length == 0 ? await RawLineAsync() : length; // The end of the chunk before.
            _left = long.Parse(length, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            _ended = _left == 0;
        }

        if (_ended)
        {
            return null;
        }

        _left--;
        return await RawAsync();
    }

    private async ValueTask<string> RawLineAsync()
    {
        var line = new StringBuilder();
        for (var next = await RawAsync(); next != '\n'; next = await RawAsync())
        {
            line.Append((char)next);
        }

        return line.ToString().TrimEnd('\r');
    }

    private async ValueTask<byte> RawAsync()
    {
        if (_start == _end)
        {
            (_start, _end) = (0, await _stream.ReadAsync(_buffer));
            if (_end == 0)
            {
                throw new EndOfStreamException("The connection ended before the answer did.");
            }
        }

        return _buffer[_start++];
    }
}
