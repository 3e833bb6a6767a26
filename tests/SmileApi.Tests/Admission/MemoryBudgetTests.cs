using Microsoft.Extensions.Options;
using SmileApi.Admission;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Tests.Admission;

public sealed class MemoryBudgetTests
{
    [Theory]
    [InlineData(460, 1)] // A container of 512 MiB.
    [InlineData(460, 8)]
    [InlineData(922, 8)]
    [InlineData(2048, 64)]
    public void The_parts_of_the_ceiling_are_together_no_more_than_that_and_one_of_the_largest_fits(int mebibytes, int runners)
    {
        using var budget = Of(mebibytes, runners);

        Assert.Equal((long)mebibytes << 20, budget.Ceiling);
        Assert.True(budget.UploadBytes + budget.PictureBytes + (176 << 20) <= budget.Ceiling);
        Assert.True(budget.UploadBytes >= 2 * MemoryBudget.BufferFor(28 << 20));
        Assert.True(budget.PictureBytes >= new ImageLimits().MaxHeldBytes);
        Assert.True(budget.MaxConnections >= 600);
    }

    [Fact]
    public void Limits_that_do_not_fit_under_the_ceiling_are_refused_with_their_names()
    {
        var refusal = Assert.Throws<StartRefusedException>(() => Of(300, 2));

        Assert.All(["Memory:MaxBytes is 300 MiB", "Images:MaxBytes", "Images:MaxHeldBytes"], hint => Assert.Contains(hint, refusal.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_picture_waits_for_its_memory_until_another_is_gone_or_its_caller_is()
    {
        using var budget = Of(460, 2);
        var most = budget.PictureBytes / 1024 * 1024;
        var first = await budget.TakeForPictureAsync(most, CancellationToken.None);
        Assert.Equal(most, budget.PictureBytesHeld);
        using var gone = new CancellationTokenSource();
        var impatient = budget.TakeForPictureAsync(1, gone.Token).AsTask();
        var second = budget.TakeForPictureAsync(most, CancellationToken.None).AsTask();
        Assert.False(second.IsCompleted);

        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        first.Dispose();
        (await second).Dispose();

        Assert.Equal(0, budget.PictureBytesHeld);
    }

    [Fact]
    public void A_picture_costs_what_it_holds_while_it_is_decoded_or_while_it_is_searched()
    {
        // A PNG is held as RGBA, and its grey levels besides; a baseline JPEG is read row by row.
        Assert.InRange(MemoryBudget.CostOf(new ImageHeader(ImageFormat.Png, 5000, 4000, HeldBytesPerPixel: 4), reduction: 1), 100_000_000, 110_000_000);
        Assert.InRange(MemoryBudget.CostOf(new ImageHeader(ImageFormat.Jpeg, 4000, 3000), reduction: 4), 750_000, 15_000_000);
        Assert.InRange(MemoryBudget.CostOf(new ImageHeader(ImageFormat.Jpeg, 10_000, 10_000), reduction: 1), 200_000_000, 250_000_000);
    }

    private static MemoryBudget Of(int mebibytes, int runners) => new(
        Options.Create(new MemoryOptions { MaxBytes = (long)mebibytes << 20 }), Options.Create(new RequestOptions()),
        Options.Create(new ImageLimits()), Options.Create(new BatchingOptions { Runners = runners }),
        Options.Create(new CacheOptions()));
}
