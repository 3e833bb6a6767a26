using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SmileApi.Batching;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Tests.Batching;

/// <summary>
/// A batcher over runners that answer each picture with its first value, once their gate is open; and that fail, hang or belong
/// to broken sessions when a test wants them to.
/// </summary>
internal sealed class BatcherRig : IAsyncDisposable
{
    private readonly ManualResetEventSlim _gate = new();
    private readonly ManualResetEventSlim _hung = new();
    private readonly SemaphoreSlim _began = new(0);
    private readonly ServiceProvider _services;
    private readonly MeterListener _listener = new();
    private readonly SmileMetrics _metrics;
    private float _poison = float.MinValue;
    private float _endless = float.MinValue;
    private int _opened;
    private int _closed;
    private int _brokenUpTo;
    private readonly int _devices;

    private BatcherRig(BatchingOptions options, int devices)
    {
        _devices = devices;
        _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var factory = _services.GetRequiredService<IMeterFactory>();
        _metrics = new SmileMetrics(factory);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == factory && instrument is Counter<long>)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, count, tags, _) =>
        {
            var name = $"{instrument.Name}{string.Concat(tags.ToArray().Select(tag => $" {tag.Value}"))}";
            Counts.AddOrUpdate(name, count, (_, before) => before + count);
        });
        _listener.Start();
        Options = options;
        Runners = NewPool();
        Batcher = new DynamicBatcher(Microsoft.Extensions.Options.Options.Create(options), Time, _metrics, NullLogger<DynamicBatcher>.Instance);
    }

    public BatchingOptions Options { get; }

    public DynamicBatcher Batcher { get; }

    public RunnerPool Runners { get; }

    public FakeTimeProvider Time { get; } = new();

    public ConcurrentQueue<int> BatchSizes { get; } = [];

    public ConcurrentQueue<float> Seen { get; } = [];

    /// <summary>The number of the session of each run, in the order in which they were opened, from 1.</summary>
    public ConcurrentQueue<int> Places { get; } = [];

    public ConcurrentQueue<TimeSpan> Waited { get; } = [];

    /// <summary>All that the counters have counted, by name and the values of their tags.</summary>
    public ConcurrentDictionary<string, long> Counts { get; } = [];

    /// <summary>How often sessions were opened and closed.</summary>
    public (int Opened, int Closed) Sessions => (_opened, _closed);

    /// <summary>Whether sessions can be opened now.</summary>
    public bool CanOpen { get; set; } = true;

    /// <summary>The only network that is broken by <see cref="BreakSessions"/>; null for all.</summary>
    public Network? Broken { get; set; }

    public static BatcherRig Start(
        Action<BatcherRig>? prepare = null, int runners = 1, int maxBatch = 8, int queueLimit = 1000, TimeSpan linger = default, int maxHung = 4,
        int devices = 1)
    {
        var rig = new BatcherRig(new BatchingOptions
        {
            Runners = runners, MaxBatch = maxBatch, QueueLimit = queueLimit, LingerMilliseconds = linger.TotalMilliseconds, MaxHungRuns = maxHung,
        }, devices);
        prepare?.Invoke(rig);
        _ = rig.Batcher.StartAsync(CancellationToken.None);
        return rig;
    }

    /// <summary>The runners of other models.</summary>
    public RunnerPool NewPool() =>
        new([.. Enumerable.Range(0, _devices).Select(index => new SessionRunners(
            Device.StandIn(index), OpenSessions(), OpenSessions, Options.MaxFailuresInARow, Time, _metrics, NullLogger<SessionRunners>.Instance))]);

    public void Open() => _gate.Set();

    public void ThrowOn(float value) => _poison = value;

    /// <summary>A run over this value does not end, until <see cref="EndHungRuns"/>.</summary>
    public void HangOn(float value) => _endless = value;

    public void EndHungRuns() => _hung.Set();

    /// <summary>All sessions that are open now fail from now on.</summary>
    public void BreakSessions() => _brokenUpTo = _opened;

    /// <summary>The session that was opened first fails from now on.</summary>
    public void BreakFirstSession() => _brokenUpTo = 1;

    /// <summary>The time passes after which a run is given up.</summary>
    public void PassRunTimeout() => Time.Advance(TimeSpan.FromSeconds(Options.RunTimeoutSeconds));

    public Task RunBegan() => _began.WaitAsync();

    public WorkQueue.Place? TryEnter() => Batcher.TryEnter(Runners);

    public Task<float> Ask(float value) => Ask(value, WorkKind.Face);

    public Task<float> Ask(float value, WorkKind kind, RunnerPool? runners = null)
    {
        Assert.True(TryAsk(value, kind, CancellationToken.None, out var answer, runners));
        return answer;
    }

    /// <summary>Of a photograph that is inside.</summary>
    public async Task<float> Ask(WorkQueue.Place place, float value, WorkKind? kind = null, CancellationToken aborted = default)
    {
        var pixels = (kind ?? WorkKind.Face).Pixels;
        var image = ArrayPool<float>.Shared.Rent(pixels);
        image[0] = value;
        var answer = await Batcher.RunAsync(place, kind ?? WorkKind.Face, image, aborted);
        Waited.Enqueue(answer.Waited);
        return answer.Values[0];
    }

    public bool TryAsk(float value, CancellationToken aborted, out Task<float> answer) => TryAsk(value, WorkKind.Face, aborted, out answer);

    public async ValueTask DisposeAsync()
    {
        Open();
        EndHungRuns();
        await Batcher.StopAsync(CancellationToken.None);
        Runners.Dispose();
        _listener.Dispose();
        await _services.DisposeAsync();
        _began.Dispose();
    }

    /// <summary>A photograph of one face.</summary>
    private bool TryAsk(float value, WorkKind kind, CancellationToken aborted, out Task<float> answer, RunnerPool? runners = null)
    {
        var place = Batcher.TryEnter(runners ?? Runners);
        answer = place is null ? Task.FromResult(float.NaN) : AskAndLeave(place);
        return place is not null;

        async Task<float> AskAndLeave(WorkQueue.Place place)
        {
            using (place)
            {
                return await Ask(place, value, kind, aborted);
            }
        }
    }

    private Sessions OpenSessions()
    {
        if (!CanOpen)
        {
            throw new InvalidOperationException("still no device");
        }

        var number = Interlocked.Increment(ref _opened);
        return new Sessions(() => ((kind, images, answers) => Run(number, kind, images, answers), () => { }), () => Interlocked.Increment(ref _closed));
    }

    private void Run(int sessions, WorkKind kind, ReadOnlySpan<float[]> images, Span<float[]> answers)
    {
        BatchSizes.Enqueue(images.Length);
        Places.Enqueue(sessions);
        _began.Release();
        _gate.Wait();
        if (sessions <= _brokenUpTo && (Broken ?? kind.Network) == kind.Network)
        {
            throw new InvalidOperationException("device lost");
        }

        for (var i = 0; i < images.Length; i++)
        {
            var value = images[i][0];
            Seen.Enqueue(value);
            if (value == _endless)
            {
                _hung.Wait();
            }

            answers[i] = ArrayPool<float>.Shared.Rent(kind.Pixels);
            answers[i].AsSpan().Clear();
            answers[i][0] = value != _poison ? value : throw new InvalidOperationException("device lost");
        }
    }
}
