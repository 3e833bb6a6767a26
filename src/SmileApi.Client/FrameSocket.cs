using System.Net;
using System.Net.WebSockets;
using System.Runtime.ExceptionServices;
using System.Text.Json;

namespace SmileApi.Client;

/// <summary>The WebSocket of a stream: frames out, answers in.</summary>
/// <param name="http">Asks for the WebSocket, with its headers and handlers. Not disposed.</param>
internal sealed class FrameSocket(HttpClient http) : IDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly HttpMessageInvoker _invoker = new(new Handshake(http));

    /// <exception cref="SmileApiException">The service has refused.</exception>
    /// <exception cref="HttpRequestException">There is no answer.</exception>
    public async Task OpenAsync(Uri address, TimeSpan? deadline, CancellationToken cancellationToken)
    {
        if (deadline is { } time)
        {
            _socket.Options.SetRequestHeader(SmileClient.TimeoutHeader, SmileClient.Seconds(time));
        }

        try
        {
            await _socket.ConnectAsync(address, _invoker, cancellationToken).ConfigureAwait(false);
        }
        catch (WebSocketException e) when (e.InnerException is SmileApiException or HttpRequestException)
        {
            ExceptionDispatchInfo.Throw(e.InnerException);
        }
        catch (WebSocketException e)
        {
            throw new HttpRequestException("What answers is no WebSocket.", e);
        }
    }

    /// <summary>
    /// Sends frames until there are none left, and then that there are none left. A broken connection ends it; who reads hears of that.
    /// Frames that fail break the connection, so that nobody waits for their answers.
    /// </summary>
    public async Task SendAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> frames, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var frame in frames.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                if (!await TryAsync(() => _socket.SendAsync(frame, WebSocketMessageType.Binary, endOfMessage: true, cancellationToken).AsTask()).ConfigureAwait(false))
                {
                    return;
                }
            }
        }
        catch
        {
            _socket.Abort();
            throw;
        }

        await TryAsync(() => _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, cancellationToken)).ConfigureAwait(false);
    }

    /// <returns>The next answer; null when the stream has been closed because there was nothing more to say.</returns>
    public async Task<FrameAnswer?> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            // First into nothing: it tells what comes before memory is needed for it.
            var message = await _socket.ReceiveAsync(Memory<byte>.Empty, cancellationToken).ConfigureAwait(false);
            if (message.MessageType == WebSocketMessageType.Close)
            {
                await TryAsync(() => _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, cancellationToken)).ConfigureAwait(false);
                return _socket.CloseStatus is null or WebSocketCloseStatus.NormalClosure or WebSocketCloseStatus.Empty ? null : throw new SmileApiException(Closed());
            }

            var answer = await JsonSerializer.DeserializeAsync(WebSocketStream.CreateReadableMessageStream(_socket), ClientJson.Default.FrameAnswer, cancellationToken).ConfigureAwait(false);
            return answer ?? throw new HttpRequestException("The service has answered with nothing.");
        }
        catch (Exception e) when (e is WebSocketException or IOException or JsonException or ObjectDisposedException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            cancellationToken.ThrowIfCancellationRequested(); // Then that is what has broken it.
            throw new HttpRequestException("The stream has broken off.", e);
        }
    }

    public void Dispose()
    {
        _socket.Dispose();
        _invoker.Dispose();
    }

    private SmileProblem Closed() => new(
        "about:blank", "The service has closed the stream.", _socket.CloseStatus == WebSocketCloseStatus.EndpointUnavailable ? 503 : 400, _socket.CloseStatusDescription, null);

    /// <returns>False when there is no connection any more.</returns>
    private static async Task<bool> TryAsync(Func<Task> send)
    {
        try
        {
            await send().ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is WebSocketException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>Asks through the client that is there already, and reads why when the answer is no WebSocket: the socket would only say that it is none.</summary>
    private sealed class Handshake(HttpClient http) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode != HttpStatusCode.SwitchingProtocols)
            {
                using (response)
                {
                    await SmileClient.ThrowIfRefusedAsync(response, cancellationToken).ConfigureAwait(false);
                }
            }

            return response;
        }
    }
}
