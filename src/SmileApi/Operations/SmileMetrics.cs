using System.Diagnostics.Metrics;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Operations;

/// <summary>All measurements of our own, under the meter <see cref="MeterName"/>; durations in seconds.</summary>
internal sealed class SmileMetrics
{
    public const string MeterName = "SmileApi";

    private readonly Meter _meter;
    private readonly Histogram<double> _decode;
    private readonly Counter<long> _givenUp;
    private readonly Histogram<double> _detect;
    private readonly Histogram<double> _queueWait;
    private readonly Histogram<double> _inference;
    private readonly Histogram<int> _batchSize;
    private readonly Counter<long> _faces;
    private readonly Counter<long> _found;
    private readonly Counter<long> _looks;
    private readonly Counter<long> _skipped;
    private readonly Counter<long> _cache;
    private readonly Counter<long> _rejections;
    private readonly Counter<long> _failures;
    private readonly Counter<long> _runnersReplaced;
    private readonly Counter<long> _sessionsReopened;
    private readonly Counter<long> _reloads;

    public SmileMetrics(IMeterFactory factory)
    {
        _meter = factory.Create(MeterName);
        var fast = new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
        };
        var sizes = new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64] };
        _decode = _meter.CreateHistogram("smileapi.decode.duration", "s", "Decoding one picture, by format.", advice: fast);
        _givenUp = _meter.CreateCounter<long>("smileapi.decode.given_up", "{picture}", "Pictures whose decoding took too long, by format.");
        _detect = _meter.CreateHistogram("smileapi.detect.duration", "s", "Finding the faces of one picture, waiting included.", advice: fast);
        _found = _meter.CreateCounter<long>("smileapi.detect.faces", "{face}", "Faces found.");
        _looks = _meter.CreateCounter<long>("smileapi.detect.looks", "{look}", "Looks of the detector's second stage: one at each candidate, and one more at those that may be faces.");
        _queueWait = _meter.CreateHistogram("smileapi.queue.wait", "s", "The wait of a tile, candidate or face for a runner, by network.", advice: fast);
        _inference = _meter.CreateHistogram("smileapi.inference.duration", "s", "One run of a network, by network.", advice: fast);
        _batchSize = _meter.CreateHistogram("smileapi.batch.size", "{picture}", "Tiles, candidates or faces of one run, by network.", advice: sizes);
        _faces = _meter.CreateCounter<long>("smileapi.faces", "{face}", "Faces judged, by verdict.");
        _skipped = _meter.CreateCounter<long>("smileapi.work.skipped", "{picture}", "Tiles, candidates and faces dropped before their run because their caller had gone, by network.");
        _cache = _meter.CreateCounter<long>("smileapi.cache.lookups", "{picture}", "Pictures looked up among the answers kept, where any are, by outcome: hit, miss.");
        _rejections = _meter.CreateCounter<long>("smileapi.rejections", "{request}", "Requests answered with a problem, by reason.");
        _failures = _meter.CreateCounter<long>("smileapi.inference.failures", "{run}", "Runs that failed, by network and kind: threw, unsound, hung.");
        _runnersReplaced = _meter.CreateCounter<long>("smileapi.runners.replaced", "{runner}", "Runners replaced because their run did not end.");
        _sessionsReopened = _meter.CreateCounter<long>("smileapi.sessions.reopened", "{time}", "Times that the networks' sessions were opened anew, by reason: failures, hang.");
        _reloads = _meter.CreateCounter<long>("smileapi.model.reloads", "{time}", "Attempts to serve other models, by outcome: served, refused.");
    }

    /// <summary>Lets the scrape ask the batcher for its state.</summary>
    public void ObserveQueue(Func<int> length, Func<int> idleRunners, Func<int> hungRuns)
    {
        _meter.CreateObservableGauge("smileapi.queue.length", length, "{picture}", "Tiles, candidates and faces that wait for a runner.");
        _meter.CreateObservableGauge("smileapi.runners.idle", idleRunners, "{runner}", "Runners that nobody uses.");
        _meter.CreateObservableGauge("smileapi.runs.hung", hungRuns, "{run}", "Runs that were given up and still have not ended.");
    }

    /// <summary>Tells the scrape what the networks run on.</summary>
    /// <param name="sessions">The device of each.</param>
    /// <param name="fallback">Whether that is the CPU because no GPU could be used.</param>
    public void ObserveDevices(IReadOnlyList<Device> sessions, bool fallback)
    {
        Measurement<int>[] counts = [.. sessions.CountBy(device => device).Select(pair => new Measurement<int>(pair.Value, Tag("provider", pair.Key.Provider), Tag("device", pair.Key.Name)))];
        _meter.CreateObservableGauge("smileapi.inference.sessions", () => counts, "{session}", "Sessions that run the networks, by provider and device.");
        _meter.CreateObservableGauge("smileapi.inference.fallback", () => fallback ? 1 : 0, description: "1 when the networks run on the CPU because no GPU could be used, else 0.");
    }

    /// <summary>Lets the scrape ask how many decodes go on after they were given up.</summary>
    public void ObserveLostDecodes(Func<int> lost) =>
        _meter.CreateObservableGauge("smileapi.decode.lost", lost, "{picture}", "Decodes that were given up and have not ended.");

    /// <summary>Lets the scrape ask the door for its state.</summary>
    /// <param name="requests">Those whose upload is arriving, and those at work.</param>
    /// <param name="bytes">What uploads hold, and what pictures hold.</param>
    /// <param name="ceiling">Most memory of the process, in bytes.</param>
    public void ObserveAdmission(Func<(int Arriving, int Working)> requests, Func<(long Uploads, long Pictures)> bytes, long ceiling)
    {
        _meter.CreateObservableGauge<int>(
            "smileapi.requests.in_flight", () => [new(requests().Arriving, Tag("stage", "arriving")), new(requests().Working, Tag("stage", "working"))],
            "{request}", "Requests that have been let in, by stage.");
        _meter.CreateObservableGauge<long>(
            "smileapi.memory.held", () => [new(bytes().Uploads, Tag("by", "uploads")), new(bytes().Pictures, Tag("by", "pictures"))],
            "By", "Memory that requests hold or have set aside.");
        _meter.CreateObservableGauge("smileapi.memory.ceiling", () => ceiling, "By", "Most memory that the process is to hold.");
    }

    public void PictureDecoded(TimeSpan duration, ImageFormat format) =>
        _decode.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("format", format.Name()));

    public void DecodeGivenUp(ImageFormat format) => _givenUp.Add(1, new KeyValuePair<string, object?>("format", format.Name()));

    public void PictureSearched(TimeSpan duration, int faces, int looks)
    {
        _detect.Record(duration.TotalSeconds);
        _found.Add(faces);
        _looks.Add(looks);
    }

    public void Waited(Network network, TimeSpan duration) => _queueWait.Record(duration.TotalSeconds, Tag(network));

    public void BatchRun(Network network, int pictures, TimeSpan duration)
    {
        _batchSize.Record(pictures, Tag(network));
        _inference.Record(duration.TotalSeconds, Tag(network));
    }

    public void RunFailed(Network network, InferenceFailure kind) => _failures.Add(1, Tag(network), new KeyValuePair<string, object?>("kind", kind switch
    {
        InferenceFailure.Threw => "threw",
        InferenceFailure.Unsound => "unsound",
        _ => "hung",
    }));

    public void RunnerReplaced() => _runnersReplaced.Add(1);

    public void SessionsReopened(string reason) => _sessionsReopened.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void ModelsReloaded(bool served) => _reloads.Add(1, new KeyValuePair<string, object?>("outcome", served ? "served" : "refused"));

    public void Skipped(Network network) => _skipped.Add(1, Tag(network));

    public void FaceJudged(bool smile) => _faces.Add(1, new KeyValuePair<string, object?>("smile", smile ? "true" : "false"));

    public void CacheAsked(bool hit) => _cache.Add(1, Tag("outcome", hit ? "hit" : "miss"));

    public void Rejected(ProblemKind kind) => _rejections.Add(1, new KeyValuePair<string, object?>("reason", kind.Name));

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    private static KeyValuePair<string, object?> Tag(Network network) => new("network", network switch
    {
        Network.Find => "find",
        Network.Check => "check",
        _ => "smile",
    });
}
