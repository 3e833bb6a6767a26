using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace SmileApi.Load;

/// <summary>How one request ended.</summary>
/// <param name="Status">HTTP status code; 0 when there was no answer.</param>
/// <param name="Milliseconds">From when it was due, not from when this client got round to sending it.</param>
/// <param name="RetryAfter">In seconds, if the answer said so.</param>
/// <param name="Failure">Why there was no answer: <c>reset</c>, <c>refused</c>, <c>timeout</c>, <c>cut off</c>.</param>
/// <param name="Body">The answer.</param>
internal readonly record struct Outcome(int Status, double Milliseconds, int? RetryAfter, string? Failure, byte[] Body)
{
    /// <summary>A verdict, but not the one on <see cref="SmileApi.Benchmarks.Photo.WithOneFace"/>, which smiles; by <see cref="Body"/>, while it is kept.</summary>
    public bool IsWrong => Status == 200 && Body.AsSpan().IndexOf("\"smile\":true"u8) < 0;
}

/// <summary>Sends pictures to the service, on this machine only.</summary>
internal sealed class Caller : IDisposable
{
    private readonly HttpClient _http;

    /// <param name="connections">Most connections at a time.</param>
    /// <exception cref="ArgumentException">The address is not one of this machine.</exception>
    public Caller(Uri address, int connections)
    {
        if (!address.IsLoopback)
        {
            throw new ArgumentException($"{address.Host} is not this machine: loads go to loopback addresses only.", nameof(address));
        }

        _http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = connections, UseProxy = false, AllowAutoRedirect = false })
        {
            BaseAddress = address,
            Timeout = TimeSpan.FromSeconds(30),
        };
    }

    /// <param name="due">When the request was to be sent, a timestamp of <see cref="Stopwatch"/>.</param>
    public async Task<Outcome> PostAsync(byte[] body, string query, string contentType, long due)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        try
        {
            using var response = await _http.PostAsync(new Uri($"classify?{query}", UriKind.Relative), content);
            var answer = await response.Content.ReadAsByteArrayAsync();
            return new Outcome((int)response.StatusCode, Since(due), (int?)response.Headers.RetryAfter?.Delta?.TotalSeconds, null, answer);
        }
        catch (TaskCanceledException)
        {
            return new Outcome(0, Since(due), null, "timeout", []);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new Outcome(0, Since(due), null, Reason(e), []);
        }
    }

    /// <summary>The gauges of the service's own, and of requests under way, by name and labels.</summary>
    public async Task<SortedDictionary<string, double>> GaugesAsync()
    {
        var text = await _http.GetStringAsync(new Uri("metrics", UriKind.Relative));
        var gauges = new SortedDictionary<string, double>(StringComparer.Ordinal);
        var isGauge = false;
        foreach (var line in text.Split('\n'))
        {
            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                isGauge = line.EndsWith(" gauge", StringComparison.Ordinal)
                    && (line.StartsWith("# TYPE smileapi_", StringComparison.Ordinal) || line.Contains("http_server_active_requests", StringComparison.Ordinal));
            }
            else if (isGauge && line.Length > 0 && line[0] != '#')
            {
                // Name, labels, value and perhaps a time; the scope that measures is no news here.
                var name = line[..line.IndexOfAny(['{', ' '])];
                var value = line[(line.LastIndexOf('}') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                gauges[name] = gauges.GetValueOrDefault(name) + double.Parse(value[value[0] == name ? 1 : 0], CultureInfo.InvariantCulture);
            }
        }

        return gauges;
    }

    public void Dispose() => _http.Dispose();

    private static double Since(long due) => Stopwatch.GetElapsedTime(due).TotalMilliseconds;

    private static string Reason(Exception e) => e.GetBaseException() switch
    {
        SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.Shutdown } => "reset",
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } => "refused",
        SocketException other => other.SocketErrorCode.ToString(),
        _ => "cut off",
    };
}
