using System.Globalization;
using SmileApi.Tests.Classify;

namespace SmileApi.Tests.Operations;

[Collection(nameof(Alone))]
public sealed class MetricsTests : IDisposable
{
    private readonly SmileApp _app = new();

    public void Dispose() => _app.Dispose();

    [Fact]
    public async Task The_metrics_count_what_was_done()
    {
        await _app.ClassifyAsync(Repository.Sample("mean-smile.png"), "?faces=whole");
        await _app.ClassifyAsync(Repository.Sample("mean-smile.png"), "?faces=detect");
        using var refused = await _app.PostAsync([]);
        await ProblemAssert.IsAsync(refused, 400, "empty-upload");

        var metrics = await _app.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative));

        Assert.True(Metric(metrics, "smileapi_decode_duration_seconds_count", "format=\"png\"") >= 1);
        Assert.True(Metric(metrics, "smileapi_detect_duration_seconds_count") >= 1);
        Assert.True(Metric(metrics, "smileapi_detect_faces_total") >= 0);
        Assert.True(Metric(metrics, "smileapi_detect_looks_total") >= 0);
        foreach (var network in new[] { "find", "smile" })
        {
            Assert.True(Metric(metrics, "smileapi_queue_wait_seconds_count", $"network=\"{network}\"") >= 1);
            Assert.True(Metric(metrics, "smileapi_inference_duration_seconds_count", $"network=\"{network}\"") >= 1);
            Assert.True(Metric(metrics, "smileapi_batch_size_sum", $"network=\"{network}\"") >= 1);
        }

        Assert.True(Metric(metrics, "smileapi_faces_total", "smile=\"true\"") >= 1);
        Assert.True(Metric(metrics, "smileapi_rejections_total", "reason=\"empty-upload\"") >= 1);
        Assert.True(Metric(metrics, "smileapi_queue_length") >= 0);
        Assert.True(Metric(metrics, "smileapi_runners_idle") >= 0);
        Assert.True(Metric(metrics, "http_server_request_duration_seconds_count") >= 1);
    }

    /// <summary>The sum over all series of this name whose labels contain a text.</summary>
    private static double Metric(string metrics, string name, string label = "")
    {
        var series = metrics.Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal) && line[name.Length] is ' ' or '{' && line.Contains(label, StringComparison.Ordinal))
            .Select(line => line[(line.LastIndexOf('}') + 1)..].Trim().Split(' '))
            .Select(fields => double.Parse(fields[fields.Length > 1 && fields[0] == name ? 1 : 0], CultureInfo.InvariantCulture))
            .ToArray();
        Assert.NotEmpty(series);
        return series.Sum();
    }
}
