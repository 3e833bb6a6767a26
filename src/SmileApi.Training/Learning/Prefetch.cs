using System.Collections.Concurrent;

namespace SmileApi.Training;

/// <summary>Keeps the second core busy.</summary>
internal static class Prefetch
{
    /// <summary>Has a second thread make the next few items while this one uses the last.</summary>
    public static IEnumerable<T> Ahead<T>(IEnumerable<T> items)
    {
        using var queue = new BlockingCollection<T>(boundedCapacity: 4);
        using var enough = new CancellationTokenSource();
        var producer = Task.Run(() =>
        {
            try
            {
                foreach (var item in items)
                {
                    queue.Add(item, enough.Token);
                }
            }
            catch (OperationCanceledException) when (enough.IsCancellationRequested)
            {
                // The consumer has stopped early.
            }
            finally
            {
                queue.CompleteAdding();
            }
        });
        try
        {
            foreach (var item in queue.GetConsumingEnumerable())
            {
                yield return item;
            }
        }
        finally
        {
            enough.Cancel();
            producer.GetAwaiter().GetResult();
        }
    }
}
