using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace SmileApi.Client;

/// <summary>
/// Asks a SmileApi service. Safe for concurrent use. With <see cref="SmileClientExtensions.AddSmileClient"/> it sends again what was
/// turned away; over an <see cref="HttpClient"/> of your own it sends once.
/// </summary>
/// <param name="http">Its base address is the service's. Not disposed.</param>
public sealed class SmileClient(HttpClient http)
{
    /// <summary>Pictures and bytes of one request of <see cref="ClassifyManyAsync"/>: what is sent again when it does not come through.</summary>
    private const int PicturesAtOnce = 16;
    private const int BytesAtOnce = 8 << 20;

    /// <summary>Requests under way: the service reads one while it works at the other.</summary>
    private const int RequestsAtOnce = 2;

    /// <summary>How often a service that stops in the middle is followed by another.</summary>
    private const int MostMoves = 10;
    private const int LongestName = 255;
    private static readonly TimeSpan s_move = TimeSpan.FromSeconds(1);

    internal const string TimeoutHeader = "X-Request-Timeout";

    /// <summary>Asks about a picture in memory.</summary>
    /// <param name="picture">An encoded JPEG, PNG or WebP.</param>
    /// <param name="options">What is said about it.</param>
    /// <param name="cancellationToken">Gives up; the service then drops the work.</param>
    /// <exception cref="SmileApiException">The service has refused it.</exception>
    /// <exception cref="HttpRequestException">There is no answer.</exception>
    public Task<SmileVerdict> ClassifyAsync(ReadOnlyMemory<byte> picture, ClassifyOptions? options = null, CancellationToken cancellationToken = default) =>
        AskAsync("classify", new ReadOnlyMemoryContent(picture), options, ClientJson.Default.SmileVerdict, cancellationToken);

    /// <summary>Asks about a picture that is read from a stream.</summary>
    /// <param name="picture">An encoded JPEG, PNG or WebP, from the stream's position on. If it cannot seek, the request is sent only once. Not disposed.</param>
    /// <inheritdoc cref="ClassifyAsync(ReadOnlyMemory{byte}, ClassifyOptions?, CancellationToken)"/>
    public Task<SmileVerdict> ClassifyAsync(Stream picture, ClassifyOptions? options = null, CancellationToken cancellationToken = default) =>
        AskAsync("classify", ContentOf(picture), options, ClientJson.Default.SmileVerdict, cancellationToken);

    /// <summary>Asks about a picture in a file.</summary>
    /// <param name="path">A JPEG, PNG or WebP file.</param>
    /// <inheritdoc cref="ClassifyAsync(ReadOnlyMemory{byte}, ClassifyOptions?, CancellationToken)"/>
    public async Task<SmileVerdict> ClassifyFileAsync(string path, ClassifyOptions? options = null, CancellationToken cancellationToken = default)
    {
        var file = File.OpenRead(path);
        await using (file.ConfigureAwait(false))
        {
            return await ClassifyAsync(file, options, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Asks about many pictures: a result for each, in their order. Pictures are taken from the sequence as they are sent, some 16 ahead of
    /// the results, so that memory stays the same however many there are; whoever reads slowly is waited for. They go by in small
    /// batches, each sent again by itself when it does not come through: a service that is replaced in the middle is no matter.
    /// </summary>
    /// <param name="pictures">The pictures.</param>
    /// <param name="options">What is said about all of them.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What became of each; one that is refused says so in its <see cref="BatchResult.Problem"/> and harms no other.</returns>
    /// <exception cref="SmileApiException">The service has refused a batch as a whole. The results before hold.</exception>
    /// <exception cref="HttpRequestException">There is no answer.</exception>
    public async IAsyncEnumerable<BatchResult> ClassifyManyAsync(
        IAsyncEnumerable<SmilePicture> pictures, ClassifyOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var sent = new Queue<Task<List<BatchResult>>>();
        var index = 0;
        try
        {
            await foreach (var batch in InBatchesAsync(pictures, stop.Token).ConfigureAwait(false))
            {
                sent.Enqueue(SendAsync(batch, options, stop.Token));
                if (sent.Count == RequestsAtOnce)
                {
                    foreach (var result in await sent.Dequeue().ConfigureAwait(false))
                    {
                        yield return result with { Index = index++ };
                    }
                }
            }

            while (sent.TryDequeue(out var last))
            {
                foreach (var result in await last.ConfigureAwait(false))
                {
                    yield return result with { Index = index++ };
                }
            }
        }
        finally
        {
            // Whoever stops reading wants nothing more to be sent.
            await stop.CancelAsync().ConfigureAwait(false);
            foreach (var unread in sent)
            {
                await ((Task)unread).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>
    /// Sends the frames of a camera over a WebSocket, each as soon as it is there, and reads the answers meanwhile. The newest frame wins:
    /// where frames come faster than the service judges, or answers faster than they are read here, frames are skipped, and the next
    /// answer says how many. When the last frame has been sent, its answer is waited for. Nothing is sent again.
    /// </summary>
    /// <param name="frames">Encoded JPEGs, PNGs or WebPs. One is not used any more when the next is asked for.</param>
    /// <param name="options">What is said about all of them.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The answers, in the order of the frames; a frame that is refused says so in its <see cref="FrameAnswer.Problem"/>, and the stream goes on.</returns>
    /// <exception cref="SmileApiException">The service does not open the stream, or has closed it before its end: it stops, for instance (503).</exception>
    /// <exception cref="HttpRequestException">There is no connection, or it has broken.</exception>
    public async IAsyncEnumerable<FrameAnswer> StreamAsync(
        IAsyncEnumerable<ReadOnlyMemory<byte>> frames, SmileStreamOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(frames);
        var address = new UriBuilder(new Uri(http.BaseAddress ?? throw new InvalidOperationException("The HTTP client has no base address."), "stream" + options?.Query()));
        address.Scheme = address.Scheme == Uri.UriSchemeHttps ? Uri.UriSchemeWss : Uri.UriSchemeWs;
        using var socket = new FrameSocket(http);
        await socket.OpenAsync(address.Uri, options?.Frames.Deadline, cancellationToken).ConfigureAwait(false);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var sending = socket.SendAsync(frames, stop.Token);
        try
        {
            while (await AnswerAsync().ConfigureAwait(false) is { } answer)
            {
                yield return answer;
            }
        }
        finally
        {
            // Whoever stops reading wants nothing more to be sent.
            await stop.CancelAsync().ConfigureAwait(false);
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task<FrameAnswer?> AnswerAsync()
        {
            try
            {
                return await socket.ReadAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (HttpRequestException)
            {
                await stop.CancelAsync().ConfigureAwait(false);
                await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (sending.IsFaulted)
                {
                    await sending.ConfigureAwait(false); // The frames have failed, and not the connection.
                }

                throw;
            }
        }
    }

    /// <summary>Asks what in the faces of a picture speaks for a smile, and what against one.</summary>
    /// <inheritdoc cref="ClassifyAsync(ReadOnlyMemory{byte}, ClassifyOptions?, CancellationToken)"/>
    public Task<SmileExplanation> ExplainAsync(ReadOnlyMemory<byte> picture, ClassifyOptions? options = null, CancellationToken cancellationToken = default) =>
        AskAsync("explain", new ReadOnlyMemoryContent(picture), options, ClientJson.Default.SmileExplanation, cancellationToken);

    /// <inheritdoc cref="ExplainAsync(ReadOnlyMemory{byte}, ClassifyOptions?, CancellationToken)"/>
    /// <param name="picture">An encoded JPEG, PNG or WebP, from the stream's position on. If it cannot seek, the request is sent only once. Not disposed.</param>
    /// <param name="options">What is said about it.</param>
    /// <param name="cancellationToken">Gives up; the service then drops the work.</param>
    public Task<SmileExplanation> ExplainAsync(Stream picture, ClassifyOptions? options = null, CancellationToken cancellationToken = default) =>
        AskAsync("explain", ContentOf(picture), options, ClientJson.Default.SmileExplanation, cancellationToken);

    /// <summary>The same as a drawing: the picture in grey, over each face in colour what spoke for a smile (orange) and against one (blue).</summary>
    /// <param name="format">Of the drawing.</param>
    /// <inheritdoc cref="ClassifyAsync(ReadOnlyMemory{byte}, ClassifyOptions?, CancellationToken)"/>
    /// <returns>An encoded picture, at most 1024 pixels long.</returns>
    public async Task<byte[]> DrawExplanationAsync(
        ReadOnlyMemory<byte> picture, DrawingFormat format = DrawingFormat.Png, ClassifyOptions? options = null, CancellationToken cancellationToken = default)
    {
        using var content = new ReadOnlyMemoryContent(picture);
        using var response = await SendAsync("explain", content, options, format == DrawingFormat.WebP ? "image/webp" : "image/png", cancellationToken).ConfigureAwait(false);
        await ThrowIfRefusedAsync(response, cancellationToken).ConfigureAwait(false);
        return await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks which model judges.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SmileApiException">The service has refused to say.</exception>
    /// <exception cref="HttpRequestException">There is no answer.</exception>
    public async Task<ServedModel> GetModelAsync(CancellationToken cancellationToken = default)
    {
        using var response = await http.GetAsync(new Uri("model", UriKind.Relative), cancellationToken).ConfigureAwait(false);
        return await ReadAsync(response, ClientJson.Default.ServedModel, cancellationToken).ConfigureAwait(false);
    }

    internal static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);

    private static async IAsyncEnumerable<List<SmilePicture>> InBatchesAsync(
        IAsyncEnumerable<SmilePicture> pictures, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (batch, bytes) = (new List<SmilePicture>(), 0L);
        await foreach (var picture in pictures.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            batch.Add(picture);
            bytes += picture.Bytes.Length;
            if (batch.Count == PicturesAtOnce || bytes >= BytesAtOnce)
            {
                yield return batch;
                (batch, bytes) = ([], 0);
            }
        }

        if (batch.Count > 0)
        {
            yield return batch;
        }
    }

    /// <summary>Sends a batch; when its answer ends before it, because the service stops for instance, the rest of it again.</summary>
    private async Task<List<BatchResult>> SendAsync(List<SmilePicture> batch, ClassifyOptions? options, CancellationToken cancellationToken)
    {
        // One document at the end: over HTTP/1.1 .NET reads an answer only when the request has been sent.
        var results = new List<BatchResult>();
        for (var moves = 0; ; moves++)
        {
            var left = batch[results.Count..];
            var answer = await AskAsync("classify/batch", FormOf(left), options, ClientJson.Default.BatchDocument, cancellationToken).ConfigureAwait(false);
            results.AddRange(answer.Results);
            if (answer.Problem is null && answer.Results.Count == left.Count)
            {
                return results;
            }

            var problem = answer.Problem ?? new SmileProblem("about:blank", "The answer is not whole.", 502, $"The service gave {answer.Results.Count} results for {left.Count} pictures.", null);
            if ((problem.Status != 503 && answer.Results.Count == 0) || moves == MostMoves)
            {
                throw new SmileApiException(problem);
            }

            await Task.Delay(s_move, cancellationToken).ConfigureAwait(false);
        }
    }

    private static MultipartContent FormOf(List<SmilePicture> pictures)
    {
        var form = new MultipartContent("form-data");
        foreach (var picture in pictures)
        {
            var content = new ReadOnlyMemoryContent(picture.Bytes);

            // Encoded: a name may hold anything.
            var name = picture.Name is { Length: > LongestName } longer ? longer[..LongestName] : picture.Name;
            content.Headers.ContentDisposition = new ContentDispositionHeaderValue("form-data") { Name = "image", FileNameStar = name };
            form.Add(content);
        }

        return form;
    }

    private static HttpContent ContentOf(Stream picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        return picture.CanSeek ? new SeekableContent(picture) : new StreamContentOnce(picture);
    }

    private async Task<T> AskAsync<T>(string path, HttpContent content, ClassifyOptions? options, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(path, content, options, "application/json", cancellationToken).ConfigureAwait(false);
        return await ReadAsync(response, type, cancellationToken).ConfigureAwait(false);
    }

    private async Task<HttpResponseMessage> SendAsync(string path, HttpContent content, ClassifyOptions? options, string accept, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path + options?.Query(), UriKind.Relative)) { Content = content };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(accept));
        if (options?.Deadline is { } deadline)
        {
            request.Headers.Add(TimeoutHeader, Seconds(deadline));
        }

        // With its body, which is small: the client's time covers what is waited for here, and nothing afterwards.
        return await http.SendAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        await ThrowIfRefusedAsync(response, cancellationToken).ConfigureAwait(false);
        return await response.Content.ReadFromJsonAsync(type, cancellationToken).ConfigureAwait(false)
            ?? throw new HttpRequestException("The service has answered with nothing.");
    }

    internal static async Task ThrowIfRefusedAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.IsSuccessStatusCode)
        {
            return;
        }

        SmileProblem? problem = null;
        if (response.Content.Headers.ContentType?.MediaType == "application/problem+json")
        {
            try
            {
                problem = await response.Content.ReadFromJsonAsync(ClientJson.Default.SmileProblem, cancellationToken).ConfigureAwait(false);
            }
            catch (JsonException)
            {
                // Then its status has to do.
            }
        }

        var status = (int)response.StatusCode;
        var retryAfter = response.Headers.RetryAfter;
        throw new SmileApiException(
            problem is { Type: not null } ? problem : new SmileProblem("about:blank", response.ReasonPhrase, status, null, null),
            retryAfter?.Delta ?? (retryAfter?.Date is { } date ? date - DateTimeOffset.UtcNow : null));
    }
}
