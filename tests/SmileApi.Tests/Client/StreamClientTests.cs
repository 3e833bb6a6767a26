using Microsoft.Extensions.DependencyInjection;
using SmileApi.Client;
using SmileApi.Tests.Access;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Client;

/// <summary>Streams by the packaged client, against the real service.</summary>
public sealed class StreamClientTests(SmileApp app)
{
    private static readonly byte[] s_smile = Repository.Sample("mean-smile.png");
    private static readonly byte[] s_neutral = Repository.Sample("mean-neutral.png");
    private static readonly SmileStreamOptions s_whole = new() { Frames = new ClassifyOptions { Faces = FaceMode.Whole } };

    [Fact]
    public async Task It_sends_frames_as_they_come_and_reads_answers_until_the_last_has_its_own()
    {
        byte[][] frames = [s_smile, Make.Truncated(s_smile), s_neutral, s_smile];
        var answered = new SemaphoreSlim(1);
        var answers = new List<FrameAnswer>();

        await foreach (var answer in new SmileClient(app.Http).StreamAsync(FramesAsync(), s_whole with { Start = 0.8f, End = 0.3f }))
        {
            answers.Add(answer);
            answered.Release();
        }

        Assert.Equal([1, 2, 3, 4], answers.Select(answer => answer.Frame));
        Assert.Equal([200, 422, 200, 200], answers.Select(answer => answer.Status));
        Assert.All(answers, answer => Assert.Equal(0, answer.Skipped));
        Assert.Equal(await app.ProbabilityAsync(s_smile), answers[0].Verdict!.Probability);
        Assert.Equal(1, answers[0].Verdict!.Faces.Single().Id);
        Assert.Equal("urn:smileapi:problem:picture-truncated", answers[1].Problem!.Type);
        Assert.Equal(["smile-started", "smile-ended", "smile-started"], answers.SelectMany(answer => answer.Events ?? []).Select(each => each.Type));

        async IAsyncEnumerable<ReadOnlyMemory<byte>> FramesAsync()
        {
            foreach (var frame in frames)
            {
                await answered.WaitAsync();
                yield return frame;
            }
        }
    }

    [Fact]
    public async Task It_waits_for_the_answer_to_the_last_frame_however_many_are_skipped_before()
    {
        var answers = new List<FrameAnswer>();
        await foreach (var answer in new SmileClient(app.Http).StreamAsync(ManyAsync(300), s_whole))
        {
            answers.Add(answer);
        }

        Assert.Equal(300, answers[^1].Frame);
        Assert.Equal(300, answers.Count + answers.Sum(answer => answer.Skipped));
    }

    [Fact]
    public async Task A_refusal_says_why_and_a_key_is_sent_by_the_client_of_the_factory()
    {
        await using var guarded = new GuardedApp(GuardedApp.Key(0, "alice", "alice-key"));
        await using var provider = new ServiceCollection().Configure<SmileClientOptions>(_ => { })
            .AddSmileClient(options => (options.Address, options.ApiKey, options.Retries) = (guarded.Http.BaseAddress!, "alice-key", 0)).Services.BuildServiceProvider();

        var unauthorized = await Assert.ThrowsAsync<SmileApiException>(() => AllAsync(new SmileClient(guarded.Http), s_whole));
        var wrong = await Assert.ThrowsAsync<SmileApiException>(() => AllAsync(provider.GetRequiredService<SmileClient>(), new SmileStreamOptions { Start = 0.2f, End = 0.4f }));
        var answers = await AllAsync(provider.GetRequiredService<SmileClient>(), s_whole with { Smooth = TimeSpan.FromSeconds(0.5) });

        Assert.Equal((401, "unauthorized"), (unauthorized.Status, unauthorized.Kind));
        Assert.Equal((400, "invalid-parameter"), (wrong.Status, wrong.Kind));
        Assert.Contains("'end'", wrong.Detail, StringComparison.Ordinal);
        Assert.Equal(3, answers.Count + answers.Sum(answer => answer.Skipped));

        static async Task<List<FrameAnswer>> AllAsync(SmileClient client, SmileStreamOptions options)
        {
            var answers = new List<FrameAnswer>();
            await foreach (var answer in client.StreamAsync(ManyAsync(3), options))
            {
                answers.Add(answer);
            }

            return answers;
        }
    }

    [Fact]
    public async Task Where_nobody_listens_there_is_no_answer()
    {
        using var http = new HttpClient { BaseAddress = new Uri("http://127.0.0.1:9") };

        await Assert.ThrowsAsync<HttpRequestException>(async () => await new SmileClient(http).StreamAsync(ManyAsync(1)).GetAsyncEnumerator().MoveNextAsync());
    }

    [Fact]
    public async Task Who_stops_reading_stops_the_frames_and_frames_that_fail_stop_the_reading()
    {
        await foreach (var answer in new SmileClient(app.Http).StreamAsync(ManyAsync(int.MaxValue), s_whole))
        {
            if (answer.Frame > 20)
            {
                break;
            }
        }

        var failure = await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            await foreach (var answer in new SmileClient(app.Http).StreamAsync(FailingAsync(), s_whole))
            {
                Assert.Equal(1, answer.Frame);
            }
        });
        Assert.Equal("no camera", failure.Message);

        using var giveUp = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var answer in new SmileClient(app.Http).StreamAsync(ManyAsync(int.MaxValue), s_whole, giveUp.Token))
            {
                await giveUp.CancelAsync();
            }
        });

        static async IAsyncEnumerable<ReadOnlyMemory<byte>> FailingAsync()
        {
            yield return s_smile;
            await Task.Yield();
            throw new InvalidDataException("no camera");
        }
    }

    [Fact]
    public async Task A_service_that_stops_says_so()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");
        var (process, http) = await ServiceProcess.StartAsync();
        using (http)
        await using (process)
        {
            var answers = new SmileClient(http).StreamAsync(ManyAsync(int.MaxValue), s_whole).GetAsyncEnumerator();
            Assert.True(await answers.MoveNextAsync());
            process.Terminate();
            var stopped = await Assert.ThrowsAsync<SmileApiException>(async () =>
            {
                while (await answers.MoveNextAsync())
                {
                }
            });

            Assert.Equal(503, stopped.Status);
            Assert.Contains("stop", stopped.Detail, StringComparison.Ordinal);
            Assert.Equal(0, await process.ExitAsync());
        }
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ManyAsync(int frames)
    {
        for (var i = 0; i < frames; i++)
        {
            await Task.Yield();
            yield return s_smile;
        }
    }
}
