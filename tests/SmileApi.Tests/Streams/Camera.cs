using System.Net.WebSockets;
using System.Text.Json;

namespace SmileApi.Tests.Streams;

/// <summary>A client of a stream that does nothing by itself.</summary>
internal sealed class Camera : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly byte[] _buffer = new byte[256 << 10];

    private Camera()
    {
    }

    public ClientWebSocket Socket { get; } = new();

    public static async Task<Camera> OpenAsync(HttpClient http, string query = "?faces=whole", Action<ClientWebSocketOptions>? configure = null)
    {
        var camera = new Camera();
        configure?.Invoke(camera.Socket.Options);
        await camera.Socket.ConnectAsync(AddressOf(http, query), CancellationToken.None).WaitAsync(s_patience);
        return camera;
    }

    /// <summary>Asks for a stream that must be refused.</summary>
    public static async Task<HttpResponseMessage> RefusedAsync(HttpClient http, string query = "?faces=whole", params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/stream" + query, UriKind.Relative));
        foreach (var (name, value) in headers.Concat([("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")]))
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    public Task SendAsync(byte[] frame, bool isLast = true) => Socket.SendAsync(frame, WebSocketMessageType.Binary, isLast, CancellationToken.None);

    /// <summary>Reads the next message, which must be an answer.</summary>
    public async Task<JsonElement> AnswerAsync()
    {
        var message = await Socket.ReceiveAsync(_buffer, CancellationToken.None).WaitAsync(s_patience);
        Assert.True(message.MessageType == WebSocketMessageType.Text, $"{Socket.CloseStatus} {Socket.CloseStatusDescription}");
        Assert.True(message.EndOfMessage);
        return JsonDocument.Parse(_buffer.AsMemory(0, message.Count)).RootElement.Clone();
    }

    public async Task<JsonElement> AskAsync(byte[] frame)
    {
        await SendAsync(frame);
        return await AnswerAsync();
    }

    /// <summary>Reads the next message, with which the service must close the stream, and closes it, too.</summary>
    public async Task<(int Status, string Reason)> ClosedAsync()
    {
        var message = await Socket.ReceiveAsync(_buffer, CancellationToken.None).WaitAsync(s_patience);
        Assert.Equal(WebSocketMessageType.Close, message.MessageType);
        if (Socket.State == WebSocketState.CloseReceived)
        {
            await Socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        }

        return ((int)message.CloseStatus!, message.CloseStatusDescription ?? "");
    }

    public Task SayGoodbyeAsync() => Socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);

    public void Dispose() => Socket.Dispose();

    private static Uri AddressOf(HttpClient http, string query) => new UriBuilder(new Uri(http.BaseAddress!, "/stream" + query)) { Scheme = "ws" }.Uri;
}
