using SmileApi.Batching;
using SmileApi.Imaging;

namespace SmileApi.Tests.Batching;

/// <summary>Runs that hang and sessions that break: what it costs others, and how they are got rid of.</summary>
public sealed class FaultTests
{
    [Fact]
    public async Task A_run_that_does_not_end_is_given_up_and_another_takes_its_place()
    {
        await using var rig = BatcherRig.Start(rig => rig.Open());
        rig.HangOn(0.9f);
        var hung = rig.Ask(0.9f);
        await rig.RunBegan();
        var waiting = rig.Ask(0.3f);

        rig.PassRunTimeout();

        var failure = await Assert.ThrowsAsync<InferenceFailedException>(() => hung);
        Assert.Equal(InferenceFailure.Hung, failure.Kind);
        Assert.Equal(0.3f, await waiting);
        Assert.Equal(1, rig.Batcher.Runners);
        Assert.Equal(1, rig.Counts["smileapi.inference.failures smile hung"]);
        Assert.Equal(1, rig.Counts["smileapi.runners.replaced"]);
    }

    [Theory]
    [InlineData(0)] // Network.Find
    [InlineData(1)] // Network.Check
    [InlineData(2)] // Network.Smile
    public async Task After_a_run_that_hangs_every_network_has_new_sessions_and_the_old_ones_are_closed_when_it_ends_after_all(int network)
    {
        WorkKind[] kinds = [WorkKind.Tile(64, 64), WorkKind.Candidate, WorkKind.Face];
        await using var rig = BatcherRig.Start(rig => rig.Open());
        rig.HangOn(0.9f);
        var hung = rig.Ask(0.9f, kinds[network]);
        await rig.RunBegan();
        rig.PassRunTimeout();
        await Assert.ThrowsAsync<InferenceFailedException>(() => hung);

        foreach (var kind in kinds)
        {
            Assert.Equal(0.3f, await rig.Ask(0.3f, kind));
        }

        // The hung run still is in the old ones.
        Assert.Equal((2, 0), rig.Sessions);
        Assert.Equal(1, rig.Counts["smileapi.sessions.reopened hang"]);
        rig.EndHungRuns();
        while (rig.Sessions.Closed == 0)
        {
            await Task.Yield();
        }

        Assert.Equal((2, 1), rig.Sessions);
    }

    [Fact]
    public async Task A_picture_that_a_hung_run_may_still_read_is_not_given_to_anybody_else()
    {
        await using var rig = BatcherRig.Start(rig => rig.Open());
        rig.HangOn(0.9f);
        var image = Arrays.Rent<float>(WorkKind.Face.Pixels);
        image[0] = 0.9f;
        using (var place = rig.TryEnter()!)
        {
            var hung = rig.Batcher.RunAsync(place, WorkKind.Face, image, CancellationToken.None);
            await rig.RunBegan();
            rig.PassRunTimeout();
            await Assert.ThrowsAsync<InferenceFailedException>(() => hung);
        }

        var rented = Enumerable.Range(0, 100).Select(_ => Arrays.Rent<float>(WorkKind.Face.Pixels)).ToArray();
        Assert.All(rented, other => Assert.NotSame(image, other));
    }

    [Fact]
    public async Task A_hung_run_fails_the_pictures_that_shared_it_and_no_others()
    {
        await using var rig = BatcherRig.Start(runners: 2);
        rig.HangOn(0.9f);
        var first = rig.Ask(0.1f);
        await rig.RunBegan();
        var second = rig.Ask(0.2f);
        await rig.RunBegan();
        Task<float>[] shared = [rig.Ask(0.3f), rig.Ask(0.9f), rig.Ask(0.4f)];
        rig.Open();
        await Task.WhenAll(first, second);
        await rig.RunBegan();
        var other = rig.Ask(0.5f);
        Assert.Equal(0.5f, await other);

        rig.PassRunTimeout();

        foreach (var answer in shared)
        {
            await Assert.ThrowsAsync<InferenceFailedException>(() => answer);
        }

        Assert.Equal(0.6f, await rig.Ask(0.6f));
    }

    [Fact]
    public async Task When_too_many_runs_hang_all_further_work_is_refused_at_once_until_one_ends_after_all()
    {
        await using var rig = BatcherRig.Start(rig => rig.Open(), runners: 2, maxHung: 1);
        rig.HangOn(0.9f);
        Assert.Null(rig.Batcher.Trouble);
        for (var i = 0; i < 3; i++)
        {
            var hung = rig.Ask(0.9f);
            await rig.RunBegan();
            rig.PassRunTimeout();
            await Assert.ThrowsAsync<InferenceFailedException>(() => hung);
            Assert.Equal(2 - i, rig.Batcher.Runners);
        }

        Assert.Contains("3 runs have not ended, and 0 of 2", rig.Batcher.Trouble, StringComparison.Ordinal);
        var refused = Enumerable.Range(0, 20).Select(i => rig.Ask(i / 20f)).ToArray();
        foreach (var answer in refused)
        {
            var failure = await Assert.ThrowsAsync<InferenceFailedException>(() => answer);
            Assert.Equal(InferenceFailure.NoRunner, failure.Kind);
        }

        rig.EndHungRuns();
        while (rig.Batcher.Runners < 2)
        {
            await Task.Yield();
        }

        var answers = await Task.WhenAll(rig.Ask(0.1f), rig.Ask(0.2f), rig.Ask(0.3f));
        Assert.Equal([0.1f, 0.2f, 0.3f], answers);
    }

    [Fact]
    public async Task A_run_that_takes_strangely_long_is_told_of_before_it_is_given_up()
    {
        await using var rig = BatcherRig.Start(rig => rig.Open());
        rig.HangOn(0.9f);
        var slow = rig.Ask(0.9f);
        await rig.RunBegan();
        Assert.Null(rig.Batcher.Trouble);

        rig.Time.Advance(TimeSpan.FromSeconds(1.5));

        Assert.Contains("going on for 1.5 seconds", rig.Batcher.Trouble, StringComparison.Ordinal);
        rig.EndHungRuns();
        Assert.Equal(0.9f, await slow);
    }

    [Fact]
    public async Task A_stop_does_not_wait_for_a_run_that_was_given_up()
    {
        var rig = BatcherRig.Start(rig => rig.Open());
        rig.HangOn(0.9f);
        var hung = rig.Ask(0.9f);
        await rig.RunBegan();
        var stopping = rig.Batcher.StopAsync(CancellationToken.None);
        Assert.False(stopping.IsCompleted);

        rig.PassRunTimeout();

        await Assert.ThrowsAsync<InferenceFailedException>(() => hung);
        await stopping;
        rig.EndHungRuns();
    }

    [Theory]
    [InlineData(0)] // Network.Find
    [InlineData(1)] // Network.Check
    [InlineData(2)] // Network.Smile
    public async Task A_network_that_fails_three_times_in_a_row_gets_new_sessions_although_the_others_work(int network)
    {
        WorkKind[] kinds = [WorkKind.Tile(64, 64), WorkKind.Candidate, WorkKind.Face];
        await using var rig = BatcherRig.Start(rig => rig.Open());
        Assert.Equal(0.1f, await rig.Ask(0.1f, kinds[network]));
        rig.Time.Advance(TimeSpan.FromSeconds(2));
        rig.Broken = (Network)network;
        rig.BreakSessions();

        for (var i = 0; i < 3; i++)
        {
            var failed = rig.Ask(0.2f, kinds[network]);
            Assert.Equal(InferenceFailure.Threw, (await Assert.ThrowsAsync<InferenceFailedException>(() => failed)).Kind);
            Assert.Equal(0.3f, await rig.Ask(0.3f, kinds[(network + 1) % 3]));
        }

        Assert.Equal(0.4f, await rig.Ask(0.4f, kinds[network]));
        Assert.Equal((2, 1), rig.Sessions);
        Assert.Equal(1, rig.Counts["smileapi.sessions.reopened failures"]);
        Assert.Equal(3, rig.Counts[$"smileapi.inference.failures {((Network)network).ToString().ToLowerInvariant()} threw"]);
    }

    [Fact]
    public async Task Pictures_that_fail_among_others_that_do_not_leave_the_sessions_as_they_are()
    {
        await using var rig = BatcherRig.Start(rig => rig.Open());
        rig.Time.Advance(TimeSpan.FromSeconds(2));
        rig.ThrowOn(0.666f);

        for (var i = 0; i < 10; i++)
        {
            await Assert.ThrowsAsync<InferenceFailedException>(() => rig.Ask(0.666f));
            await Assert.ThrowsAsync<InferenceFailedException>(() => rig.Ask(float.NaN));
            Assert.Equal(0.5f, await rig.Ask(0.5f));
        }

        Assert.Equal((1, 0), rig.Sessions);
        Assert.Equal(10, rig.Counts["smileapi.inference.failures smile unsound"]);
    }

    [Fact]
    public async Task While_sessions_cannot_be_opened_anew_nothing_stalls_and_later_attempts_succeed_at_most_one_a_second()
    {
        await using var rig = BatcherRig.Start(rig => rig.Open());
        rig.Time.Advance(TimeSpan.FromSeconds(2));
        rig.BreakSessions();
        rig.CanOpen = false;
        for (var i = 0; i < 20; i++)
        {
            await Assert.ThrowsAsync<InferenceFailedException>(() => rig.Ask(0.5f));
        }

        rig.CanOpen = true;

        // Enough has failed, but it is not yet time for another attempt.
        await Assert.ThrowsAsync<InferenceFailedException>(() => rig.Ask(0.5f));
        rig.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(0.5f, await rig.Ask(0.5f));
        Assert.Equal((2, 1), rig.Sessions);
    }

    [Fact]
    public async Task Work_for_different_models_never_shares_a_run()
    {
        await using var rig = BatcherRig.Start();
        using var other = rig.NewPool();
        var first = rig.Ask(0.1f);
        await rig.RunBegan();
        Task<float>[] answers = [rig.Ask(0.2f), rig.Ask(0.3f, WorkKind.Face, other), rig.Ask(0.4f), rig.Ask(0.5f, WorkKind.Face, other)];

        rig.Open();

        await first;
        var received = await Task.WhenAll(answers);
        Assert.Equal([0.2f, 0.3f, 0.4f, 0.5f], received);
        Assert.Equal([1, 2, 2], rig.BatchSizes);
    }

    [Fact]
    public async Task Models_that_are_no_longer_served_are_closed_when_their_last_run_has_ended_and_not_before()
    {
        await using var rig = BatcherRig.Start();
        var old = rig.NewPool();
        var last = rig.Ask(0.1f, WorkKind.Face, old);
        await rig.RunBegan();

        old.Dispose();

        Assert.Equal((2, 0), rig.Sessions);
        rig.Open();
        Assert.Equal(0.1f, await last);
        while (rig.Sessions.Closed == 0)
        {
            await Task.Yield();
        }

        Assert.Equal((2, 1), rig.Sessions);
    }
}
