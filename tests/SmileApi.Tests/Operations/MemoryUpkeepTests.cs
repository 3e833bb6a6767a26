using Microsoft.Extensions.Time.Testing;
using SmileApi.Operations;

namespace SmileApi.Tests.Operations;

[Collection(nameof(Alone))]
public sealed class MemoryUpkeepTests
{
    [Fact(Timeout = 30_000)]
    public async Task Each_minute_the_two_youngest_generations_are_collected_and_spare_blocks_let_go_and_each_fifth_the_oldest()
    {
        var aborted = TestContext.Current.CancellationToken;
        var time = new FakeTimeProvider();
        using var received = new ReceiveMemory();
        received.Rent().Dispose();
        using var upkeep = new MemoryUpkeep(received, time);
        await upkeep.StartAsync(aborted);
        var whole = GC.CollectionCount(2);
        for (var minute = 0; minute < 5; minute++)
        {
            var collected = GC.CollectionCount(1);
            do
            {
                time.Advance(TimeSpan.FromMinutes(1)); // Again, because the first ones may come before the service has begun.
                await Task.Delay(10, aborted);
            }
            while (GC.CollectionCount(1) == collected); // Not for ever: the test has a limit.
        }

        while (GC.CollectionCount(2) == whole)
        {
            time.Advance(TimeSpan.FromMinutes(1)); // Minutes that pass together count as one.
            await Task.Delay(10, aborted);
        }

        await upkeep.StopAsync(aborted);
        Assert.Equal(0, received.Free);
        Assert.True(upkeep.ExecuteTask!.IsCompletedSuccessfully);
    }
}
