using System.Collections.Concurrent;
using SmileApi.Batching;

namespace SmileApi.Tests.Batching;

public sealed class DynamicBatcherTests
{
    [Fact]
    public async Task A_lone_face_is_answered_without_waiting_for_a_batch()
    {
        // Time stands still: whatever waited for it would never be answered.
        await using var rig = BatcherRig.Start(runner => runner.Open());

        Assert.Equal(0.25f, await rig.Ask(0.25f));

        Assert.Equal([1], rig.BatchSizes);
    }

    [Fact]
    public async Task While_the_only_runner_is_busy_the_next_batch_grows()
    {
        await using var rig = BatcherRig.Start(maxBatch: 8);
        var first = rig.Ask(0.1f);
        await rig.RunBegan();
        float[] asked = [0.2f, 0.3f, 0.4f, 0.5f, 0.6f];
        var others = Array.ConvertAll(asked, rig.Ask);

        rig.Open();

        Assert.Equal(0.1f, await first);
        Assert.Equal(asked, await Task.WhenAll(others));
        Assert.Equal([1, 5], rig.BatchSizes);
    }

    [Fact]
    public async Task A_batch_has_at_most_its_maximum_of_faces()
    {
        await using var rig = BatcherRig.Start(maxBatch: 4);
        var first = rig.Ask(0);
        await rig.RunBegan();
        var others = Enumerable.Range(0, 10).Select(_ => rig.Ask(0.5f)).ToArray();

        rig.Open();
        await first;
        await Task.WhenAll(others);

        Assert.Equal([1, 4, 4, 2], rig.BatchSizes);
    }

    [Fact]
    public async Task Two_runners_work_at_the_same_time()
    {
        await using var rig = BatcherRig.Start(runners: 2, maxBatch: 1);
        var first = rig.Ask(0.1f);
        var second = rig.Ask(0.2f);

        // Neither run may end before the gate opens, and still both begin.
        await rig.RunBegan();
        await rig.RunBegan();

        rig.Open();
        Assert.Equal(0.1f, await first);
        Assert.Equal(0.2f, await second);
    }

    [Fact]
    public async Task A_full_queue_refuses_at_once_and_goes_on_afterwards()
    {
        await using var rig = BatcherRig.Start(maxBatch: 1, queueLimit: 2);
        var running = rig.Ask(0.1f);
        await rig.RunBegan();
        var accepted = new List<Task<float>> { running };
        var refused = 0;
        for (var i = 0; i < 10; i++)
        {
            if (rig.TryAsk(0.5f, CancellationToken.None, out var score))
            {
                accepted.Add(score);
            }
            else
            {
                refused++;
            }
        }

        Assert.Equal(8, refused);
        Assert.True(rig.Batcher.DrainTime > TimeSpan.Zero);

        rig.Open();
        await Task.WhenAll(accepted);
        Assert.Equal(0.75f, await rig.Ask(0.75f));
    }

    [Fact]
    public async Task A_face_whose_caller_has_gone_is_not_run()
    {
        await using var rig = BatcherRig.Start();
        var first = rig.Ask(0.1f);
        await rig.RunBegan();
        using var gone = new CancellationTokenSource();
        Assert.True(rig.TryAsk(0.9f, gone.Token, out var abandoned));
        var kept = rig.Ask(0.3f);
        await gone.CancelAsync();

        rig.Open();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);
        Assert.Equal(0.3f, await kept);
        await first;
        Assert.Equal([1, 1], rig.BatchSizes);
        Assert.DoesNotContain(0.9f, rig.Seen);
    }

    [Fact]
    public async Task A_batch_of_callers_who_have_all_gone_does_not_stop_the_loop()
    {
        await using var rig = BatcherRig.Start();
        var first = rig.Ask(0.1f);
        await rig.RunBegan();
        using var gone = new CancellationTokenSource();
        Assert.True(rig.TryAsk(0.9f, gone.Token, out var abandoned));
        await gone.CancelAsync();
        rig.Open();
        await first;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);

        Assert.Equal(0.4f, await rig.Ask(0.4f));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(-0.1f)]
    [InlineData(1.1f)]
    public async Task An_answer_that_is_no_probability_fails_its_own_face_only(float nonsense)
    {
        await using var rig = BatcherRig.Start();
        var first = rig.Ask(0);
        await rig.RunBegan();
        var good = rig.Ask(0.6f);
        var bad = rig.Ask(nonsense);

        rig.Open();
        await first;

        await Assert.ThrowsAsync<InferenceFailedException>(() => bad);
        Assert.Equal(0.6f, await good);
    }

    [Fact]
    public async Task When_a_run_throws_its_faces_are_tried_one_by_one()
    {
        await using var rig = BatcherRig.Start();
        rig.ThrowOn(0.666f);
        var first = rig.Ask(0);
        await rig.RunBegan();
        var good = rig.Ask(0.6f);
        var bad = rig.Ask(0.666f);
        var alsoGood = rig.Ask(0.7f);

        rig.Open();
        await first;

        Assert.Equal(0.6f, await good);
        Assert.Equal(0.7f, await alsoGood);
        var failure = await Assert.ThrowsAsync<InferenceFailedException>(() => bad);
        Assert.Contains("device lost", failure.InnerException!.Message, StringComparison.Ordinal);
        Assert.Equal([1, 3, 1, 1, 1], rig.BatchSizes);

        // And the runner is back in the pool.
        Assert.Equal(0.8f, await rig.Ask(0.8f));
    }

    [Fact]
    public async Task Stopping_finishes_what_was_accepted_and_takes_nothing_new()
    {
        var rig = BatcherRig.Start(maxBatch: 2);
        var accepted = Enumerable.Range(0, 7).Select(i => rig.Ask(i / 10f)).ToArray();
        await rig.RunBegan();

        var stopping = rig.Batcher.StopAsync(CancellationToken.None);

        Assert.False(rig.TryAsk(0.5f, CancellationToken.None, out _));
        Assert.False(stopping.IsCompleted);
        rig.Open();
        await stopping;
        Assert.Equal(Enumerable.Range(0, 7).Select(i => i / 10f), await Task.WhenAll(accepted));
    }

    [Fact]
    public async Task With_a_linger_a_batch_waits_until_its_oldest_face_has_waited_that_long()
    {
        await using var rig = BatcherRig.Start(runner => runner.Open(), linger: TimeSpan.FromMilliseconds(1));
        var first = rig.Ask(0.1f);
        var second = rig.Ask(0.2f);
        Assert.False(first.IsCompleted);

        // The dispatcher sets its timer on a thread of its own; each turn of the clock reaches it if it has.
        while (!first.IsCompleted)
        {
            rig.Time.Advance(TimeSpan.FromMilliseconds(0.25));
            await Task.Yield();
        }

        Assert.Equal(0.1f, await first);
        Assert.Equal(0.2f, await second);
        Assert.True(rig.Waited.Max() >= TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task With_a_linger_a_full_batch_goes_at_once()
    {
        await using var rig = BatcherRig.Start(runner => runner.Open(), maxBatch: 2, linger: TimeSpan.FromMilliseconds(1));

        // Time stands still, so only being full can send the batch.
        var faces = await Task.WhenAll(rig.Ask(0.1f), rig.Ask(0.2f));

        Assert.Equal([0.1f, 0.2f], faces);
        Assert.Equal([2], rig.BatchSizes);
    }

    [Fact]
    public async Task Many_callers_at_once_each_get_their_own_answer()
    {
        await using var rig = BatcherRig.Start(runner => runner.Open(), runners: 3, queueLimit: 100_000);

        var asked = Enumerable.Range(0, 20_000).Select(i => i / 20_000f).ToArray();
        var answers = new ConcurrentDictionary<float, float>();
        await Parallel.ForEachAsync(asked, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (value, _) =>
            answers[value] = await rig.Ask(value));

        Assert.Equal(asked.Length, answers.Count);
        Assert.All(answers, pair => Assert.Equal(pair.Key, pair.Value));
        Assert.Equal(asked.Length, rig.BatchSizes.Sum());
    }

    [Fact]
    public async Task Only_work_of_one_kind_shares_a_run_and_the_oldest_goes_first()
    {
        await using var rig = BatcherRig.Start();
        (float Value, WorkKind Kind)[] asked =
        [
            (0.1f, WorkKind.Face), (0.2f, WorkKind.Tile(64, 64)), (0.3f, WorkKind.Face), (0.4f, WorkKind.Candidate),
            (0.5f, WorkKind.Tile(64, 128)), (0.6f, WorkKind.Tile(64, 64)), (0.7f, WorkKind.Face),
        ];
        var answers = new List<Task<float>> { rig.Ask(asked[0].Value, asked[0].Kind) };
        await rig.RunBegan();
        foreach (var (value, kind) in asked.Skip(1))
        {
            rig.Time.Advance(TimeSpan.FromMilliseconds(1));
            answers.Add(rig.Ask(value, kind));
        }

        rig.Open();

        var received = await Task.WhenAll(answers);
        Assert.Equal(asked.Select(one => one.Value), received);
        Assert.Equal([0.1f, 0.2f, 0.6f, 0.3f, 0.7f, 0.4f, 0.5f], rig.Seen);
        Assert.Equal([1, 2, 2, 1, 1], rig.BatchSizes);
    }

    [Theory]
    [InlineData(640, 640, 1)]
    [InlineData(512, 384, 2)]
    [InlineData(64, 64, 8)]
    public async Task Tiles_of_a_run_have_no_more_pixels_together_than_the_largest_one(int width, int height, int most)
    {
        await using var rig = BatcherRig.Start(maxBatch: 8);
        var first = rig.Ask(0);
        await rig.RunBegan();
        var tiles = Enumerable.Range(0, 8).Select(_ => rig.Ask(0.5f, WorkKind.Tile(width, height))).ToArray();

        rig.Open();
        await first;
        await Task.WhenAll(tiles);

        Assert.Equal([1, .. Enumerable.Repeat(most, 8 / most)], rig.BatchSizes);
    }

    [Fact]
    public async Task A_photograph_that_has_been_let_in_is_never_turned_away_half_way()
    {
        await using var rig = BatcherRig.Start(maxBatch: 1, queueLimit: 2);
        var running = rig.Ask(0.1f);
        await rig.RunBegan();
        using var place = rig.TryEnter()!;
        var accepted = Enumerable.Range(0, 20).Select(_ => rig.Ask(place, 0.5f)).ToArray();

        Assert.Null(rig.TryEnter());

        rig.Open();
        await running;
        await Task.WhenAll(accepted);
    }

    [Fact]
    public async Task Who_has_been_let_in_takes_up_room_until_it_leaves_though_it_has_queued_nothing()
    {
        await using var rig = BatcherRig.Start(queueLimit: 1);
        using (var place = rig.TryEnter())
        {
            Assert.NotNull(place);
            Assert.Null(rig.TryEnter());
        }

        using var next = rig.TryEnter();
        Assert.NotNull(next);
    }

    [Fact]
    public async Task Stopping_waits_for_the_photographs_that_are_inside_and_takes_what_they_still_need()
    {
        var rig = BatcherRig.Start(runner => runner.Open());
        var place = rig.TryEnter()!;
        Assert.Equal(0.1f, await rig.Ask(place, 0.1f));

        var stopping = rig.Batcher.StopAsync(CancellationToken.None);

        Assert.Null(rig.TryEnter());
        Assert.Equal(0.2f, await rig.Ask(place, 0.2f));
        Assert.False(stopping.IsCompleted);
        place.Dispose();
        await stopping;
    }
}
