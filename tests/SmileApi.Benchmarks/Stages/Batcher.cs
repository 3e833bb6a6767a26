using System.Buffers;
using System.Diagnostics.Metrics;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SmileApi.Batching;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Benchmarks.Stages;

/// <summary>What the way through the batcher costs by itself: its runner answers at once. One runner, batches of at most 8.</summary>
public class Batcher : IDisposable
{
    private const int Together = 32;

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly DynamicBatcher _batcher;
    private readonly RunnerPool _runners;

    public Batcher()
    {
        var options = new BatchingOptions { Runners = 1 };
        var metrics = new SmileMetrics(_services.GetRequiredService<IMeterFactory>());
        _runners = new RunnerPool([new SessionRunners(
            Device.Cpu, OpenIdle(), OpenIdle, options.MaxFailuresInARow, TimeProvider.System, metrics, NullLogger<SessionRunners>.Instance)]);
        _batcher = new DynamicBatcher(Options.Create(options), TimeProvider.System, metrics, NullLogger<DynamicBatcher>.Instance);
    }

    [GlobalSetup]
    public Task StartAsync() => _batcher.StartAsync(CancellationToken.None);

    [Benchmark(Description = "batcher, a request alone")]
    public Task<float> Alone() => AskAsync();

    [Benchmark(Description = "batcher, a request among 32", OperationsPerInvoke = Together)]
    public async Task<float> Among()
    {
        var requests = new Task<float>[Together];
        for (var i = 0; i < requests.Length; i++)
        {
            requests[i] = AskAsync();
        }

        return (await Task.WhenAll(requests))[0];
    }

    [GlobalCleanup]
    public Task StopAsync() => _batcher.StopAsync(CancellationToken.None);

    public void Dispose()
    {
        _runners.Dispose();
        _services.Dispose();
        GC.SuppressFinalize(this);
    }

    private async Task<float> AskAsync()
    {
        using var place = _batcher.TryEnter(_runners) ?? throw new InvalidOperationException("The batcher's queue is full.");
        var answer = await _batcher.RunAsync(place, WorkKind.Face, ArrayPool<float>.Shared.Rent(WorkKind.Face.Pixels), CancellationToken.None);
        var probability = answer.Values[0];
        ArrayPool<float>.Shared.Return(answer.Values);
        return probability;
    }

    private static Sessions OpenIdle() => new(() => (Answer, () => { }), () => { });

    private static void Answer(WorkKind kind, ReadOnlySpan<float[]> images, Span<float[]> answers)
    {
        for (var i = 0; i < images.Length; i++)
        {
            answers[i] = ArrayPool<float>.Shared.Rent(1);
            answers[i][0] = 0.5f;
        }
    }
}
