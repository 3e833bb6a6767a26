using System.Text.Json;
using System.Text.RegularExpressions;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Tests.Operations;

/// <summary>The Grafana dashboard and the alerts ask for nothing but what <c>/metrics</c> tells, by its names and its labels.</summary>
public sealed partial class DashboardTests(SmileApp app)
{
    [Theory]
    [InlineData("deploy/grafana/smileapi.json")]
    [InlineData("deploy/prometheus/alerts.yml")]
    public async Task Every_name_that_is_asked_for_is_among_the_metrics(string file)
    {
        RecordEverything();
        await app.ClassifyAsync(Repository.Sample("mean-smile.png"));
        using var refused = await app.PostAsync([]);
        var metrics = await app.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        var told = Sample().Matches(metrics).GroupBy(match => match.Groups["name"].Value).ToDictionary(
            group => group.Key, group => group.SelectMany(match => Label().Matches(match.Groups["labels"].Value)).Select(label => label.Groups[1].Value).ToHashSet());

        var asked = (await QueriesAsync(file)).ToArray();

        Assert.NotEmpty(asked);
        foreach (var query in asked)
        {
            var names = Metric().Matches(query).Select(match => match.Value).ToArray();
            Assert.NotEmpty(names);
            Assert.All(names, name => Assert.True(name == "up" || told.ContainsKey(name), $"{name} of {query} is not in /metrics."));
            var known = names.Where(told.ContainsKey).SelectMany(name => told[name]).Concat(["instance", "job"]).ToHashSet();
            var labels = By().Matches(query).SelectMany(match => match.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries))
                .Concat(Filter().Matches(query).Select(match => match.Groups[1].Value));
            Assert.All(labels, label => Assert.True(known.Contains(label), $"{string.Join(" and ", names)} of {query} has no label {label}."));
        }
    }

    [Fact]
    public void Every_measurement_of_our_own_is_on_the_dashboard()
    {
        var dashboard = File.ReadAllText(Path.Combine(Repository.Root, "deploy/grafana/smileapi.json"));
        var documented = Metric().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs/configuration.md"))).Select(match => match.Value).Where(name => name.StartsWith("smileapi_", StringComparison.Ordinal));

        Assert.All(documented, name => Assert.Contains(name, dashboard, StringComparison.Ordinal));
    }

    /// <summary>What has never happened is not in <c>/metrics</c>.</summary>
    private void RecordEverything()
    {
        var metrics = app.Get<SmileMetrics>();
        metrics.DecodeGivenUp(ImageFormat.Jpeg);
        metrics.RunFailed(Network.Smile, InferenceFailure.Hung);
        metrics.RunnerReplaced();
        metrics.SessionsReopened("hang");
        metrics.ModelsReloaded(served: false);
        metrics.Skipped(Network.Find);
        metrics.CacheAsked(hit: false);
        metrics.Rejected(ProblemKind.Overloaded);
    }

    private static async Task<IEnumerable<string>> QueriesAsync(string file)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(Repository.Root, file));
        if (Path.GetExtension(file) == ".yml")
        {
            return Expression().Matches(text).Select(match => match.Groups[1].Value);
        }

        using var dashboard = JsonDocument.Parse(text);
        return [.. dashboard.RootElement.GetProperty("panels").EnumerateArray()
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray())
            .Select(target => target.GetProperty("expr").GetString()!)];
    }

    [GeneratedRegex(@"^(?<name>[a-z][a-z0-9_]*)(\{(?<labels>.*)\})? ", RegexOptions.Multiline)]
    private static partial Regex Sample();

    [GeneratedRegex(@"([a-z_]+)=""")]
    private static partial Regex Label();

    [GeneratedRegex(@"\b(smileapi|http_server|kestrel|dotnet)_[a-z0-9_]+|\bup\b")]
    private static partial Regex Metric();

    [GeneratedRegex(@"\b(?:by|on) \(([a-z_, ]+)\)")]
    private static partial Regex By();

    [GeneratedRegex(@"[{,]\s*([a-z_]+)=~?""")]
    private static partial Regex Filter();

    [GeneratedRegex(@"^ +expr: (?:\|\n)?(.+(?:\n {12,}.+)*)", RegexOptions.Multiline)]
    private static partial Regex Expression();
}
