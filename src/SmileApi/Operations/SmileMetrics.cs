using System.Diagnostics.Metrics;
using SmileApi.Classify;
using SmileApi.Imaging;

namespace SmileApi.Operations;

/// <summary>All measurements of our own, under the meter <see cref="MeterName"/>; durations in seconds.</summary>
internal sealed class SmileMetrics
{
    public const string MeterName = "SmileApi";

    private readonly Meter _meter;
    private readonly Histogram<double> _decode;
    private readonly Histogram<double> _queueWait;
    private readonly Histogram<double> _inference;
    private readonly Histogram<int> _batchSize;
    private readonly Counter<long> _faces;
    private readonly Counter<long> _skipped;
    private readonly Counter<long> _rejections;

    public SmileMetrics(IMeterFactory factory)
    {
        _meter = factory.Create(MeterName);
        var fast = new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
        };
        var sizes = new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64] };
        _decode = _meter.CreateHistogram("smileapi.decode.duration", "s", "Decoding one picture, by format.", advice: fast);
        _queueWait = _meter.CreateHistogram("smileapi.queue.wait", "s", "A face's wait for a runner.", advice: fast);
        _inference = _meter.CreateHistogram("smileapi.inference.duration", "s", "One run of the network.", advice: fast);
        _batchSize = _meter.CreateHistogram("smileapi.batch.size", "{face}", "Faces of one run.", advice: sizes);
        _faces = _meter.CreateCounter<long>("smileapi.faces", "{face}", "Faces judged, by verdict.");
        _skipped = _meter.CreateCounter<long>("smileapi.faces.skipped", "{face}", "Faces dropped before their run because their caller had gone.");
        _rejections = _meter.CreateCounter<long>("smileapi.rejections", "{request}", "Requests answered with a problem, by reason.");
    }

    /// <summary>Lets the scrape ask the batcher for its state.</summary>
    public void ObserveQueue(Func<int> length, Func<int> idleRunners)
    {
        _meter.CreateObservableGauge("smileapi.queue.length", length, "{face}", "Faces that wait for a runner.");
        _meter.CreateObservableGauge("smileapi.runners.idle", idleRunners, "{runner}", "Runners that nobody uses.");
    }

    public void PictureDecoded(TimeSpan duration, ImageFormat format) =>
        _decode.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("format", format.Name()));

    public void FaceWaited(TimeSpan duration) => _queueWait.Record(duration.TotalSeconds);

    public void BatchRun(int faces, TimeSpan duration)
    {
        _batchSize.Record(faces);
        _inference.Record(duration.TotalSeconds);
    }

    public void FaceJudged(bool smile) => _faces.Add(1, new KeyValuePair<string, object?>("smile", smile ? "true" : "false"));

    public void FaceSkipped() => _skipped.Add(1);

    public void Rejected(ProblemKind kind) => _rejections.Add(1, new KeyValuePair<string, object?>("reason", kind.Name));
}
