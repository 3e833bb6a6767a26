using System.Diagnostics;
using SmileApi.Inference;

namespace SmileApi.Training.Tests;

/// <summary>The program as its users start it, in a folder of its own.</summary>
public abstract class CommandLine : IDisposable
{
    private protected TemporaryFolder Folder { get; } = new();

    public void Dispose()
    {
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }

    protected void Fails(string message, params string[] arguments)
    {
        var (code, output, errors) = Smile(arguments);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(message, Assert.Single(errors.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    protected (int Code, string Output, string Errors) Smile(params string[] arguments) => Smile(Folder.Path, arguments);

    protected static (int Code, string Output, string Errors) Smile(string folder, string[] arguments, params ReadOnlySpan<(string Name, string Value)> variables)
    {
        using var process = Start(folder, arguments, variables);
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }

    protected static Process Start(string folder, string[] arguments, params ReadOnlySpan<(string Name, string Value)> variables)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "smile.dll"), .. arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>A model that knows nothing, and the history of its run.</summary>
    /// <param name="data">SHA-256 of what it claims to have learned from, by name.</param>
    private protected void WriteModel(string path, IReadOnlyDictionary<string, string>? data = null)
    {
        var checkpoint = Begun(data ?? new Dictionary<string, string>());
        var metadata = ExportCommand.Describe(checkpoint);
        AtomicFile.Write(Folder[path], OnnxWriter.Write(checkpoint.Architecture, checkpoint.Best, metadata));
        RunHistory.Of(checkpoint, metadata).Save(RunHistory.PathBeside(Folder[path]));
    }

    /// <summary>A run that has not taken a step.</summary>
    private protected static Checkpoint Begun(IReadOnlyDictionary<string, string> data)
    {
        var weights = Weights.Random(Architecture.Served.Layout, 1);
        return new Checkpoint
        {
            Options = new TrainOptions(),
            Data = data,
            Licence = "For anything.",
            Pictures = 0,
            Mean = 128,
            Deviation = 60,
            History = [new EpochRecord(0, null, new ModelScore(1, 0, 0, 0, 0), new ModelScore(1, 0, 0, 0, 0), 0)],
            BestEpoch = 0,
            Calibration = Calibration.None,
            Val = new ModelScore(1, 0, 0, 0, 0),
            Finished = DateTimeOffset.UnixEpoch,
            Current = weights,
            Velocity = weights,
            Average = weights,
            Best = weights,
        };
    }
}
