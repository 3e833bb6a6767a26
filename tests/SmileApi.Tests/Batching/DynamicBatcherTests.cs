using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SmileApi.Batching;
using SmileApi.Operations;

namespace SmileApi.Tests.Batching;

public sealed class DynamicBatcherTests
{
    [Fact]
    public async Task A_lone_face_is_answered_without_waiting_for_a_batch()
    {
        // Time stands still: whatever waited for it would never be answered.
        await using var rig = Rig.Start(runner => runner.Open());

        Assert.Equal(0.25f, (await rig.Ask(0.25f)).Probability);

        Assert.Equal([1], rig.BatchSizes);
    }

    [Fact]
    public async Task While_the_only_runner_is_busy_the_next_batch_grows()
    {
        await using var rig = Rig.Start(maxBatch: 8);
        var first = rig.Ask(0.1f);
        await rig.RunBegan();
        float[] asked = [0.2f, 0.3f, 0.4f, 0.5f, 0.6f];
        var others = Array.ConvertAll(asked, rig.Ask);

        rig.Open();

        Assert.Equal(0.1f, (await first).Probability);
        Assert.Equal(asked, (await Task.WhenAll(others)).Select(face => face.Probability));
        Assert.Equal([1, 5], rig.BatchSizes);
    }

    [Fact]
    public async Task A_batch_has_at_most_its_maximum_of_faces()
    {
        await using var rig = Rig.Start(maxBatch: 4);
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
        await using var rig = Rig.Start(runners: 2, maxBatch: 1);
        var first = rig.Ask(0.1f);
        var second = rig.Ask(0.2f);

        // Neither run may end before the gate opens, and still both begin.
        await rig.RunBegan();
        await rig.RunBegan();

        rig.Open();
        Assert.Equal([0.1f, 0.2f], (await Task.WhenAll(first, second)).Select(face => face.Probability));
    }

    [Fact]
    public async Task A_full_queue_refuses_at_once_and_goes_on_afterwards()
    {
        await using var rig = Rig.Start(maxBatch: 1, queueLimit: 2);
        var running = rig.Ask(0.1f);
        await rig.RunBegan();
        var accepted = new List<Task<ScoredFace>> { running };
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
        Assert.Equal(0.75f, (await rig.Ask(0.75f)).Probability);
    }

    [Fact]
    public async Task A_face_whose_caller_has_gone_is_not_run()
    {
        await using var rig = Rig.Start();
        var first = rig.Ask(0.1f);
        await rig.RunBegan();
        using var gone = new CancellationTokenSource();
        Assert.True(rig.TryAsk(0.9f, gone.Token, out var abandoned));
        var kept = rig.Ask(0.3f);
        await gone.CancelAsync();

        rig.Open();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);
        Assert.Equal(0.3f, (await kept).Probability);
        await first;
        Assert.Equal([1, 1], rig.BatchSizes);
        Assert.DoesNotContain(0.9f, rig.Seen);
    }

    [Fact]
    public async Task A_batch_of_callers_who_have_all_gone_does_not_stop_the_loop()
    {
        await using var rig = Rig.Start();
        var first = rig.Ask(0.1f);
        await rig.RunBegan();
        using var gone = new CancellationTokenSource();
        Assert.True(rig.TryAsk(0.9f, gone.Token, out var abandoned));
        await gone.CancelAsync();
        rig.Open();
        await first;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);

        Assert.Equal(0.4f, (await rig.Ask(0.4f)).Probability);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(-0.1f)]
    [InlineData(1.1f)]
    public async Task An_answer_that_is_no_probability_fails_its_own_face_only(float nonsense)
    {
        await using var rig = Rig.Start();
        var first = rig.Ask(0);
        await rig.RunBegan();
        var good = rig.Ask(0.6f);
        var bad = rig.Ask(nonsense);

        rig.Open();
        await first;

        await Assert.ThrowsAsync<InferenceFailedException>(() => bad);
        Assert.Equal(0.6f, (await good).Probability);
    }

    [Fact]
    public async Task When_a_run_throws_its_faces_are_tried_one_by_one()
    {
        await using var rig = Rig.Start();
        rig.ThrowOn(0.666f);
        var first = rig.Ask(0);
        await rig.RunBegan();
        var good = rig.Ask(0.6f);
        var bad = rig.Ask(0.666f);
        var alsoGood = rig.Ask(0.7f);

        rig.Open();
        await first;

        Assert.Equal(0.6f, (await good).Probability);
        Assert.Equal(0.7f, (await alsoGood).Probability);
        var failure = await Assert.ThrowsAsync<InferenceFailedException>(() => bad);
        Assert.Contains("device lost", failure.InnerException!.Message, StringComparison.Ordinal);
        Assert.Equal([1, 3, 1, 1, 1], rig.BatchSizes);

        // And the runner is back in the pool.
        Assert.Equal(0.8f, (await rig.Ask(0.8f)).Probability);
    }

    [Fact]
    public async Task Stopping_finishes_what_was_accepted_and_takes_nothing_new()
    {
        var rig = Rig.Start(maxBatch: 2);
        var accepted = Enumerable.Range(0, 7).Select(i => rig.Ask(i / 10f)).ToArray();
        await rig.RunBegan();

        var stopping = rig.Batcher.StopAsync(CancellationToken.None);

        Assert.False(rig.TryAsk(0.5f, CancellationToken.None, out _));
        Assert.False(stopping.IsCompleted);
        rig.Open();
        await stopping;
        Assert.Equal(Enumerable.Range(0, 7).Select(i => i / 10f), (await Task.WhenAll(accepted)).Select(face => face.Probability));
    }

    [Fact]
    public async Task With_a_linger_a_batch_waits_until_its_oldest_face_has_waited_that_long()
    {
        await using var rig = Rig.Start(runner => runner.Open(), linger: TimeSpan.FromMilliseconds(1));
        var first = rig.Ask(0.1f);
        var second = rig.Ask(0.2f);
        Assert.False(first.IsCompleted);

        // The dispatcher sets its timer on a thread of its own; each turn of the clock reaches it if it has.
        while (!first.IsCompleted)
        {
            rig.Time.Advance(TimeSpan.FromMilliseconds(0.25));
            await Task.Yield();
        }

        Assert.Equal(0.1f, (await first).Probability);
        Assert.Equal(0.2f, (await second).Probability);
        Assert.True((await first).Waited >= TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task With_a_linger_a_full_batch_goes_at_once()
    {
        await using var rig = Rig.Start(runner => runner.Open(), maxBatch: 2, linger: TimeSpan.FromMilliseconds(1));

        // Time stands still, so only being full can send the batch.
        var faces = await Task.WhenAll(rig.Ask(0.1f), rig.Ask(0.2f));

        Assert.Equal([0.1f, 0.2f], faces.Select(face => face.Probability));
        Assert.Equal([2], rig.BatchSizes);
    }

    [Fact]
    public async Task Many_callers_at_once_each_get_their_own_answer()
    {
        await using var rig = Rig.Start(runner => runner.Open(), runners: 3, queueLimit: 100_000);

        var asked = Enumerable.Range(0, 20_000).Select(i => i / 20_000f).ToArray();
        var answers = new ConcurrentDictionary<float, float>();
        await Parallel.ForEachAsync(asked, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (value, _) =>
            answers[value] = (await rig.Ask(value)).Probability);

        Assert.Equal(asked.Length, answers.Count);
        Assert.All(answers, pair => Assert.Equal(pair.Key, pair.Value));
        Assert.Equal(asked.Length, rig.BatchSizes.Sum());
    }

    /// <summary>A batcher over runners that answer each face with its first value, once their gate is open.</summary>
    private sealed class Rig : IAsyncDisposable
    {
        private readonly ManualResetEventSlim _gate = new();
        private readonly SemaphoreSlim _began = new(0);
        private readonly ServiceProvider _services;
        private float _poison = float.MinValue;

        private Rig(int runners, int maxBatch, int queueLimit, TimeSpan linger)
        {
            _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
            var options = new BatchingOptions { MaxBatch = maxBatch, QueueLimit = queueLimit, LingerMilliseconds = linger.TotalMilliseconds };
            Batcher = new DynamicBatcher(
                new RunnerPool([.. Enumerable.Repeat<RunBatch>(Run, runners)]), Options.Create(options), Time,
                new SmileMetrics(_services.GetRequiredService<IMeterFactory>()), NullLogger<DynamicBatcher>.Instance);
        }

        public DynamicBatcher Batcher { get; }

        public FakeTimeProvider Time { get; } = new();

        public ConcurrentQueue<int> BatchSizes { get; } = [];

        public ConcurrentQueue<float> Seen { get; } = [];

        public static Rig Start(
            Action<Rig>? prepare = null, int runners = 1, int maxBatch = 8, int queueLimit = 1000, TimeSpan linger = default)
        {
            var rig = new Rig(runners, maxBatch, queueLimit, linger);
            prepare?.Invoke(rig);
            _ = rig.Batcher.StartAsync(CancellationToken.None);
            return rig;
        }

        public void Open() => _gate.Set();

        public void ThrowOn(float value) => _poison = value;

        public Task RunBegan() => _began.WaitAsync();

        public Task<ScoredFace> Ask(float value)
        {
            Assert.True(TryAsk(value, CancellationToken.None, out var score));
            return score;
        }

        public bool TryAsk(float value, CancellationToken aborted, out Task<ScoredFace> score)
        {
            var face = ArrayPool<float>.Shared.Rent(10_000);
            face[0] = value;
            return Batcher.TryEnqueue(face, aborted, out score);
        }

        public async ValueTask DisposeAsync()
        {
            Open();
            await Batcher.StopAsync(CancellationToken.None);
            await _services.DisposeAsync();
            _gate.Dispose();
            _began.Dispose();
        }

        private void Run(ReadOnlySpan<float[]> faces, Span<float> probabilities)
        {
            BatchSizes.Enqueue(faces.Length);
            _began.Release();
            _gate.Wait();
            for (var i = 0; i < faces.Length; i++)
            {
                Seen.Enqueue(faces[i][0]);
                probabilities[i] = faces[i][0] != _poison ? faces[i][0] : throw new InvalidOperationException("device lost");
            }
        }
    }
}
