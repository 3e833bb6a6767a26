using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using SmileApi.Client;

namespace SmileApi.Training;

/// <summary>Asks a running service instead of a model of one's own.</summary>
/// <param name="address">Where it is, ending with a slash.</param>
/// <param name="apiKey">The key that it may want.</param>
internal sealed class ServedPredictions(Uri address, string? apiKey)
{
    private static readonly TimeSpan FirstAnswer = TimeSpan.FromSeconds(30);

    /// <summary>Judges pictures; those that cannot be read here are not sent.</summary>
    /// <returns>One prediction a picture, in their order.</returns>
    /// <exception cref="CommandException">The service does not answer, or refuses to.</exception>
    public async IAsyncEnumerable<Prediction> JudgeAsync(IReadOnlyList<ListedPicture> pictures, ClassifyOptions options)
    {
        await TryOnceAsync();
        await using var services = new ServiceCollection()
            .AddSmileClient(client => (client.Address, client.ApiKey) = (address, apiKey)).Services
            .BuildServiceProvider();
        var sent = new Queue<(string Path, string? Problem)>();
        await using var results = services.GetRequiredService<SmileClient>().ClassifyManyAsync(Send(pictures, sent), options).GetAsyncEnumerator();
        while (await ExplainedAsync(() => results.MoveNextAsync().AsTask()))
        {
            foreach (var unread in Unread(sent))
            {
                yield return unread;
            }

            var (result, path) = (results.Current, sent.Dequeue().Path);
            yield return result.Verdict is { } verdict
                ? Prediction.Of(path, verdict.Faces)
                : Prediction.Unread(path, result.Problem?.Detail ?? result.Problem?.Title ?? $"The service has answered with {result.Status}.");
        }

        foreach (var unread in Unread(sent))
        {
            yield return unread;
        }
    }

    /// <summary>Whether anybody is there, asked once: the client for pictures would try for a quarter of a minute before it says so.</summary>
    private async Task TryOnceAsync()
    {
        using var http = new HttpClient { BaseAddress = address, Timeout = FirstAnswer };
        if (apiKey is { Length: > 0 })
        {
            http.DefaultRequestHeaders.Add("X-API-Key", apiKey);
        }

        await ExplainedAsync(async () =>
        {
            try
            {
                return (await new SmileClient(http).GetModelAsync()).Sha256 ?? throw new JsonException();
            }
            catch (SmileApiException busy) when (busy.Status is (int)HttpStatusCode.TooManyRequests or (int)HttpStatusCode.BadGateway or (int)HttpStatusCode.ServiceUnavailable)
            {
                return ""; // It is there; the pictures can wait.
            }
        });
    }

    /// <summary>Those that could not be read and were to come before the next one that was sent.</summary>
    private static IEnumerable<Prediction> Unread(Queue<(string Path, string? Problem)> sent)
    {
        while (sent.TryPeek(out var next) && next.Problem is not null)
        {
            yield return Prediction.Unread(next.Path, sent.Dequeue().Problem!);
        }
    }

    /// <param name="sent">To which every picture is added, when it is its turn.</param>
    private static IAsyncEnumerable<SmilePicture> Send(IReadOnlyList<ListedPicture> pictures, Queue<(string Path, string? Problem)> sent)
    {
        return Readable().ToAsyncEnumerable();

        IEnumerable<SmilePicture> Readable()
        {
            foreach (var picture in pictures)
            {
                var problem = PictureJudge.Read(picture, out var bytes);
                sent.Enqueue((picture.Path, problem));
                if (problem is null)
                {
                    yield return new SmilePicture(bytes, Path.GetFileName(picture.Path));
                }
            }
        }
    }

    private async Task<T> ExplainedAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (HttpRequestException e)
        {
            throw new CommandException($"{address} does not answer: {CsvRow.OneLine(e.GetBaseException().Message)}");
        }
        catch (TaskCanceledException)
        {
            throw new CommandException($"{address} does not answer in time.");
        }
        catch (JsonException)
        {
            throw new CommandException($"{address} does not answer as SmileApi does.");
        }
        catch (SmileApiException e) when (e.Status == (int)HttpStatusCode.Unauthorized)
        {
            throw new CommandException($"{address} wants an API key, and {(apiKey is { Length: > 0 } ? "this is none of its keys" : "there is none: --api-key, or SMILE_API_KEY")}.");
        }
        catch (SmileApiException e)
        {
            throw new CommandException($"{address} refuses: {CsvRow.OneLine(e.Message)}");
        }
    }
}
