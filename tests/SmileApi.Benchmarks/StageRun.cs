using System.Globalization;
using System.Text;
using System.Text.Json;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.EventProcessors;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;
using SmileApi.Benchmarks.Stages;
using Spectre.Console;

namespace SmileApi.Benchmarks;

/// <summary>What each stage of a request costs by itself, one after the other on one thread, by BenchmarkDotNet.</summary>
internal static class StageRun
{
    private static readonly Type[] s_stages = [typeof(Sniff), typeof(Decode), typeof(Crop), typeof(Detect), typeof(Infer), typeof(Batcher), typeof(Json)];
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <param name="only">The stages to measure, by their names; all when there are none.</param>
    /// <param name="folder">Where the figures go, or null.</param>
    /// <returns>Exit code: 1 when a stage could not be measured.</returns>
    public static async Task<int> RunAsync(string[] only, string? folder)
    {
        if (Array.Find(only, name => !Array.Exists(s_stages, stage => Is(stage, name))) is { } unknown)
        {
            await Console.Error.WriteLineAsync($"There is no stage '{unknown}'; there are {string.Join(", ", s_stages.Select(stage => stage.Name))}.");
            return 1;
        }

        var artifacts = Directory.CreateTempSubdirectory("stages");
        try
        {
            var config = ConfigOf(artifacts.FullName);
            var rows = new List<Row>();
            foreach (var stage in s_stages.Where(stage => only.Length == 0 || Array.Exists(only, name => Is(stage, name))))
            {
                var summary = BenchmarkRunner.Run(stage, config);
                if (summary.HasCriticalValidationErrors || summary.Reports.Any(report => report.ResultStatistics is null))
                {
                    await Console.Error.WriteLineAsync($"The stage {stage.Name} could not be measured: {ReasonOf(summary)}");
                    return 1;
                }

                rows.AddRange(summary.Reports.Select(RowOf));
            }

            Print(rows);
            if (folder is not null)
            {
                Directory.CreateDirectory(folder);
                await File.WriteAllTextAsync(Path.Combine(folder, "stages.json"), JsonSerializer.Serialize(new { machine = EndToEnd.Machine(), stages = rows }, s_json) + "\n");
                await File.WriteAllTextAsync(Path.Combine(folder, "stages.md"), Markdown(rows));
            }
        }
        finally
        {
            artifacts.Delete(recursive: true);
        }

        return 0;

        static bool Is(Type stage, string name) => stage.Name.Equals(name, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>
    /// In this process: the stages run native libraries that lie beside it, under the settings of the runtime that the service has. Short,
    /// so that all are done in some minutes.
    /// </summary>
    private static ManualConfig ConfigOf(string artifacts) => ManualConfig.CreateEmpty()
        .AddJob(Job.Default
            .WithToolchain(InProcessEmitToolchain.Instance)
            .WithIterationTime(TimeInterval.FromMilliseconds(200))
            .WithWarmupCount(4)
            .WithIterationCount(9))
        .AddDiagnoser(MemoryDiagnoser.Default)
        .AddColumnProvider(DefaultColumnProviders.Instance)
        .AddLogger(NullLogger.Instance)
        .AddEventProcessor(new Progress())
        .WithArtifactsPath(artifacts)
        .WithOptions(ConfigOptions.DisableLogFile);

    private static Row RowOf(BenchmarkReport report)
    {
        var (benchmark, statistics) = (report.BenchmarkCase, report.ResultStatistics!);
        var batch = benchmark.Parameters[nameof(Infer.Batch)] as int? ?? 1;
        return new Row(
            NameOf(benchmark), Microseconds(statistics.Median), Microseconds(statistics.StandardDeviation), Microseconds(statistics.Median / batch),
            report.GcStats.GetBytesAllocatedPerOperation(benchmark) ?? 0);

        // Four digits are what short runs are good for.
        static double Microseconds(double nanoseconds) => double.Parse((nanoseconds / 1000).ToString("G4", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    private static string NameOf(BenchmarkCase benchmark) =>
        string.Concat([benchmark.Descriptor.WorkloadMethodDisplayInfo.Trim('\''), .. benchmark.Parameters.Items.Select(one => one.Name switch
        {
            nameof(Infer.Batch) => $", batch of {one.Value}",
            nameof(Json.Faces) when one.Value is int count => $", {count} face{(count == 1 ? "" : "s")}",
            nameof(Decode.Faces) => $", faces={one.Value}",
            _ => $", {one.Value}",
        })]);

    private static string ReasonOf(Summary summary) => string.Join(
        " ", summary.ValidationErrors.Select(error => error.Message).Concat(summary.Reports.SelectMany(report => report.ExecuteResults).SelectMany(result => result.Errors)).Distinct());

    private static void Print(List<Row> rows)
    {
        var table = new Table { Border = TableBorder.Rounded }.AddColumn("stage");
        foreach (var column in s_columns)
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        rows.ForEach(row => table.AddRow([row.Stage, .. row.Figures]));
        AnsiConsole.Write(table);
        Console.WriteLine($"{EndToEnd.Machine()}.");
    }

    private static string Markdown(List<Row> rows)
    {
        var text = new StringBuilder("# What each stage costs\n\nWritten by `dotnet run --project tests/SmileApi.Benchmarks -c Release -- stages --out docs/performance`.\n\n")
            .Append(CultureInfo.InvariantCulture, $"{EndToEnd.Machine()}.\n\n| stage | {string.Join(" | ", s_columns)} |\n|---|{string.Concat(Enumerable.Repeat("---:|", s_columns.Length))}\n");
        rows.ForEach(row => text.Append(CultureInfo.InvariantCulture, $"| {row.Stage} | {string.Join(" | ", row.Figures)} |\n"));
        return text.ToString();
    }

    private static readonly string[] s_columns = ["median, µs", "deviation, µs", "a picture, µs", "bytes allocated"];

    /// <summary>What one benchmark has measured.</summary>
    /// <param name="Median">Microseconds of one call.</param>
    /// <param name="Deviation">Standard deviation, microseconds.</param>
    /// <param name="PerPicture">Microseconds, of a batch divided by its size.</param>
    /// <param name="Bytes">Allocated by one call.</param>
    private sealed record Row(string Stage, double Median, double Deviation, double PerPicture, long Bytes)
    {
        public string[] Figures => [Text(Median), Text(Deviation), Text(PerPicture), Bytes.ToString("N0", CultureInfo.InvariantCulture)];

        private static string Text(double microseconds) =>
            microseconds.ToString(microseconds < 1 ? "0.000" : microseconds < 100 ? "0.0" : "N0", CultureInfo.InvariantCulture);
    }

    /// <summary>A line when a benchmark has ended, since all of them take minutes.</summary>
    private sealed class Progress : EventProcessor
    {
        public override void OnEndRunBenchmark(BenchmarkCase benchmarkCase, BenchmarkReport report) =>
            AnsiConsole.MarkupLineInterpolated($"[grey]{NameOf(benchmarkCase)}[/]");
    }
}
