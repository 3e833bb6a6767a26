using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using SmileApi.Batching;
using SmileApi.Imaging;
using SmileApi.Tests.Classify;

namespace SmileApi.Tests.Operations;

/// <summary>The whole service over a runner that fails or hangs: what callers and probes are told.</summary>
public sealed class BrokenInferenceTests
{
    private static readonly byte[] s_smile = Repository.Sample("mean-smile.png");

    [Fact]
    public async Task A_network_that_throws_is_a_problem_of_each_request_and_turns_readiness_off()
    {
        await using var broken = Over((_, _, _) => throw new InvalidOperationException("device lost"));
        using var http = broken.CreateClient();

        using var answer = await PostAsync(http);
        using var ready = await http.GetAsync(new Uri("/health/ready", UriKind.Relative));
        using var live = await http.GetAsync(new Uri("/health/live", UriKind.Relative));

        await ProblemAssert.IsAsync(answer, 500, "inference-failed");
        await ProblemAssert.IsAsync(ready, 503, "not-ready");
        Assert.True(live.IsSuccessStatusCode);
    }

    [Theory]
    [InlineData(0)] // Network.Find
    [InlineData(1)] // Network.Check
    public async Task A_detector_that_throws_is_a_problem_of_those_who_want_faces_found_and_turns_readiness_off(int network)
    {
        await using var broken = Over((kind, _, answers) =>
        {
            if (kind.Network == (Network)network)
            {
                throw new InvalidOperationException("device lost");
            }

            Answer(kind, answers, 0.9f);
        });
        using var http = broken.CreateClient();

        using var answer = await PostAsync(http, "detect");
        using var whole = await PostAsync(http, "whole");
        using var ready = await http.GetAsync(new Uri("/health/ready", UriKind.Relative));

        await ProblemAssert.IsAsync(answer, 500, "inference-failed");
        Assert.True(whole.IsSuccessStatusCode);
        await ProblemAssert.IsAsync(ready, 503, "not-ready");
    }

    [Theory]
    [InlineData(float.NaN, 0)]
    [InlineData(2, 0)]
    [InlineData(0.9f, float.PositiveInfinity)]
    public async Task A_detector_that_answers_nonsense_is_a_problem_as_well(float probability, float offset)
    {
        await using var broken = Over((kind, _, answers) =>
        {
            Answer(kind, answers, kind.Network == Network.Find ? probability : 0.9f);
            if (kind.Network == Network.Find)
            {
                answers[0][kind.Pixels / 64] = offset;
            }
        });
        using var http = broken.CreateClient();

        using var answer = await PostAsync(http, "detect");

        await ProblemAssert.IsAsync(answer, 500, "inference-failed");
    }

    [Fact]
    public async Task A_full_queue_is_refused_at_once_with_the_time_to_come_back_and_what_was_accepted_is_answered()
    {
        using var gate = new ManualResetEventSlim(initialState: true); // Open for the probe at the start.
        using var began = new SemaphoreSlim(0);
        await using var slow = Over(
            (kind, _, answers) =>
            {
                if (kind.Network == Network.Smile)
                {
                    began.Release();
                    gate.Wait();
                }

                Answer(kind, answers, 0.25f);
            },
            ("Batching:QueueLimit", "1"));
        using var http = slow.CreateClient();
        while (began.Wait(TimeSpan.Zero))
        {
            // The runs of the start.
        }

        gate.Reset();

        var running = PostAsync(http);
        await began.WaitAsync();
        // The runner is busy: of these, one finds the place in the queue, and it waits there until the gate opens.
        var others = Enumerable.Range(0, 4).Select(_ => PostAsync(http)).ToList();
        for (var refused = 0; refused < 3; refused++)
        {
            var first = await Task.WhenAny(others);
            others.Remove(first);
            using var refusal = await first;
            await ProblemAssert.IsAsync(refusal, 503, "overloaded");
            Assert.InRange(refusal.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        }

        gate.Set();
        using var answer = await running;
        using var queued = await others.Single();
        Assert.True(answer.IsSuccessStatusCode);
        Assert.True(queued.IsSuccessStatusCode);
    }

    private static WebApplicationFactory<Program> Over(RunBatch run, params (string Name, string Value)[] settings) =>
        new WebApplicationFactory<Program>().WithWebHostBuilder(host =>
        {
            host.UseSetting("Serilog:MinimumLevel:Default", "Fatal").UseSetting("Serilog:MinimumLevel:Override:Microsoft.AspNetCore", "Fatal");
            foreach (var (name, value) in settings)
            {
                host.UseSetting(name, value);
            }

            host.UseSetting("Batching:Runners", "1");
            host.ConfigureTestServices(services => services.AddSingleton<OpenSessions>((smile, faces) => new Sessions(
                () => (run, () => { }),
                () =>
                {
                    smile.Dispose();
                    faces.Dispose();
                })));
        });

    /// <summary>Answers all with this probability, and with boxes where they were.</summary>
    private static void Answer(WorkKind kind, Span<float[]> answers, float probability)
    {
        foreach (ref var answer in answers)
        {
            answer = Arrays.Rent<float>(kind.Pixels);
            answer.AsSpan().Clear();
            answer.AsSpan(0, kind.Network == Network.Find ? kind.Pixels / 64 : 1).Fill(probability);
        }
    }

    private static async Task<HttpResponseMessage> PostAsync(HttpClient http, string faces = "whole")
    {
        using var content = new ByteArrayContent(s_smile);
        return await http.PostAsync(new Uri($"/classify?faces={faces}", UriKind.Relative), content);
    }
}
