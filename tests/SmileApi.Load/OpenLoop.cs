using System.Diagnostics;

namespace SmileApi.Load;

/// <summary>Sends at a fixed rate, whatever comes back and however late.</summary>
/// <param name="rate">Requests a second.</param>
/// <param name="mostInFlight">Most requests under way; what is due beyond is counted as not sent, and says that the client was the bottleneck.</param>
/// <param name="send">Sends one request; its argument is the <see cref="Stopwatch"/> timestamp at which it was due.</param>
internal sealed class OpenLoop(double rate, int mostInFlight, Func<long, Task> send)
{
    private readonly List<Task> _sending = [];
    private int _inFlight;

    /// <summary>Due, but not sent.</summary>
    public int NotSent { get; private set; }

    /// <summary>When the last request was on its way, a <see cref="Stopwatch"/> timestamp.</summary>
    public long Ended { get; private set; }

    /// <summary>From the first request to the last.</summary>
    public TimeSpan Took { get; private set; }

    /// <summary>Ends when everything that was sent has come back.</summary>
    public Task AllSent => Task.WhenAll(_sending);

    /// <summary>Ends when the last request is on its way.</summary>
    public async Task OfferAsync(TimeSpan duration, CancellationToken stopping)
    {
        var started = Stopwatch.GetTimestamp();
        var total = (int)(rate * duration.TotalSeconds);
        for (var sent = 0; sent < total && !stopping.IsCancellationRequested;)
        {
            var due = Math.Min(total, (int)(rate * Stopwatch.GetElapsedTime(started).TotalSeconds) + 1);
            for (; sent < due; sent++)
            {
                if (Volatile.Read(ref _inFlight) >= mostInFlight)
                {
                    NotSent++;
                    continue;
                }

                Interlocked.Increment(ref _inFlight);
                _sending.Add(SendAsync(started + (long)(sent / rate * Stopwatch.Frequency)));
            }

            await Task.Delay(1, CancellationToken.None);
        }

        Ended = Stopwatch.GetTimestamp();
        Took = Stopwatch.GetElapsedTime(started, Ended);
    }

    private async Task SendAsync(long due)
    {
        await Task.Yield();
        try
        {
            await send(due);
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }
}
