using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SmileApi.Batching;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Tests.Batching;

/// <summary>Several sessions on several devices: who gets a run, and what one that fails costs.</summary>
public sealed class RunnerPoolTests
{
    private static readonly Device s_first = Device.StandIn(0);
    private static readonly Device s_second = Device.StandIn(1);

    [Fact]
    public void A_run_goes_to_the_device_with_the_fewest_and_there_to_the_session_with_the_fewest()
    {
        using var pool = PoolOf(s_first, s_second, s_first, s_second);

        var chosen = Enumerable.Range(0, 4).Select(_ => pool.Choose(failed: null)).ToArray();

        Assert.Equal(4, chosen.Distinct().Count());
        Assert.Equal([s_first, s_second, s_first, s_second], chosen.Select(place => place.Device));
        foreach (var place in chosen)
        {
            pool.Leave(place);
            Assert.Same(place, pool.Choose(failed: null));
        }
    }

    [Fact]
    public void A_device_with_one_session_gets_as_many_runs_as_one_with_two()
    {
        using var pool = PoolOf(s_first, s_second, s_first);

        var chosen = Enumerable.Range(0, 8).Select(_ => pool.Choose(failed: null)).ToArray();

        Assert.Equal(4, chosen.Count(place => place.Device == s_second));
        Assert.Equal([2, 2], chosen.Where(place => place.Device == s_first).CountBy(place => place).Select(pair => pair.Value));
    }

    [Fact]
    public void What_has_failed_in_a_session_goes_to_another_however_busy_that_is()
    {
        using var pool = PoolOf(s_first, s_second);
        var first = pool.Choose(failed: null);
        pool.Leave(first);
        var busy = Enumerable.Range(0, 3).Select(_ => pool.Choose(failed: first)).ToArray();

        Assert.All(busy, place => Assert.NotSame(first, place));
        Assert.Same(first, pool.Choose(failed: null));
    }

    [Fact]
    public void A_pool_of_one_session_always_gives_it()
    {
        using var pool = PoolOf(Device.Cpu);
        var only = pool.Choose(failed: null);

        Assert.False(pool.HasSeveral);
        Assert.Same(only, pool.Choose(failed: only));
    }

    [Fact]
    public async Task Runs_at_the_same_time_are_on_different_devices()
    {
        await using var rig = BatcherRig.Start(runners: 3, maxBatch: 1, devices: 3);
        Task<float>[] answers = [rig.Ask(0.1f), rig.Ask(0.2f), rig.Ask(0.3f)];
        for (var i = 0; i < 3; i++)
        {
            await rig.RunBegan();
        }

        rig.Open();

        var received = await Task.WhenAll(answers);
        Assert.Equal([0.1f, 0.2f, 0.3f], received);
        Assert.Equal([1, 2, 3], rig.Places.Order());
    }

    [Fact]
    public async Task A_device_that_is_lost_costs_nobody_an_answer_while_another_works()
    {
        await using var rig = BatcherRig.Start(rig => rig.Open(), runners: 2, devices: 2);
        rig.Time.Advance(TimeSpan.FromSeconds(2));
        rig.BreakFirstSession();
        rig.CanOpen = false;

        for (var i = 0; i < 100; i++)
        {
            rig.Time.Advance(TimeSpan.FromSeconds(0.3));
            Assert.Equal(i / 100f, await rig.Ask(i / 100f));
        }

        // It got no more than what it took to see that it is broken, and an attempt a second.
        Assert.InRange(rig.Places.Count(place => place == 1), 3, 3 + 30);
        Assert.Equal(100, rig.Places.Count(place => place == 2));

        // Back again, it does its share.
        rig.CanOpen = true;
        rig.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(0.5f, await rig.Ask(0.5f));
        Assert.Equal((3, 1), rig.Sessions);
        Assert.Equal(3, rig.Places.Last());
    }

    [Fact]
    public async Task A_batch_that_fails_on_one_device_is_answered_by_another()
    {
        await using var rig = BatcherRig.Start(maxBatch: 4, devices: 2);
        rig.BreakFirstSession();
        var first = rig.Ask(0.1f);
        await rig.RunBegan();
        Task<float>[] others = [rig.Ask(0.2f), rig.Ask(0.3f), rig.Ask(0.4f)];

        rig.Open();

        Assert.Equal(0.1f, await first);
        var received = await Task.WhenAll(others);
        Assert.Equal([0.2f, 0.3f, 0.4f], received);
    }

    [Fact]
    public async Task A_picture_that_no_device_can_judge_fails_after_the_second_and_alone()
    {
        await using var rig = BatcherRig.Start(rig => rig.Open(), devices: 3);
        rig.ThrowOn(0.666f);

        await Assert.ThrowsAsync<InferenceFailedException>(() => rig.Ask(0.666f));

        Assert.Equal(2, rig.Places.Distinct().Count());
        Assert.Equal(2, rig.Places.Count);
        Assert.Equal(0.5f, await rig.Ask(0.5f));
    }

    [Fact]
    public async Task After_a_hang_the_next_runs_go_to_the_other_device_until_it_may_be_mended()
    {
        await using var rig = BatcherRig.Start(rig => rig.Open(), devices: 2);
        rig.HangOn(0.9f);
        var hung = rig.Ask(0.9f);
        await rig.RunBegan();
        rig.CanOpen = false;
        rig.PassRunTimeout();
        await Assert.ThrowsAsync<InferenceFailedException>(() => hung);

        // The first to come tries to open it anew, which fails; nobody notices.
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(0.3f, await rig.Ask(0.3f));
        }

        Assert.Equal(1, rig.Counts["smileapi.inference.failures smile hung"]);
        Assert.InRange(rig.Places.Count(place => place == 1), 1, 2);
    }

    private static RunnerPool PoolOf(params Device[] devices)
    {
        var metrics = new SmileMetrics(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>());
        return new RunnerPool([.. devices.Select(device => new SessionRunners(
            device, Sessions(), Sessions, failureLimit: 3, new FakeTimeProvider(), metrics, NullLogger<SessionRunners>.Instance))]);

        static Sessions Sessions() => new(() => throw new InvalidOperationException("Nothing is run here."), () => { });
    }
}
