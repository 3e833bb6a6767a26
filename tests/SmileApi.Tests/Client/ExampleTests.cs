using System.ComponentModel;
using System.Diagnostics;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Client;

/// <summary>The examples, run as they are by whatever interpreter this machine has.</summary>
public sealed class ExampleTests(SmileApp app)
{
    [Theory]
    [InlineData("python3", "smile.py")]
    [InlineData("node", "smile.mjs")]
    public async Task An_example_asks_about_one_picture_and_about_many(string interpreter, string example)
    {
        Assert.SkipUnless(await RunAsync(interpreter, "--version") is { ExitCode: 0 }, $"no {interpreter}");
        using var photograph = new Photograph(320, 240).With(new SmileApi.Imaging.FaceSquare(90, 60, 120));
        using var smile = new TemporaryFile(photograph.Jpeg());
        using var broken = new TemporaryFile(Make.Truncated(photograph.Jpeg()));
        var script = Path.Combine(Repository.Root, "examples", example);

        var one = await RunAsync(interpreter, script, smile.Path);
        var refused = await RunAsync(interpreter, script, broken.Path);
        string[] many = [.. Enumerable.Range(0, 30).Select(i => i == 15 ? broken.Path : smile.Path)];
        var answers = await RunAsync(interpreter, [script, .. many]);
        var missing = await RunAsync(interpreter, script);

        var line = $"{smile.Path}: {(await app.ClassifyAsync(photograph.Jpeg())).GetProperty("probability").GetDouble():F3}";
        Assert.Equal((0, line), (one!.Value.ExitCode, one.Value.Output.Trim()));
        Assert.Contains("cut off", refused!.Value.Output, StringComparison.Ordinal);
        Assert.Equal(0, answers!.Value.ExitCode);
        var lines = answers.Value.Output.Trim().Split('\n');
        Assert.Equal(many.Length, lines.Length);
        for (var i = 0; i < lines.Length; i++)
        {
            Assert.StartsWith(i == 15 ? $"{broken.Path}: The JPEG picture is cut off" : line, lines[i], StringComparison.Ordinal);
        }

        Assert.Equal(1, missing!.Value.ExitCode);
    }

    private async Task<(int ExitCode, string Output)?> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["SMILE_API"] = app.Http.BaseAddress!.ToString().TrimEnd('/') },
        };
        try
        {
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return (process.ExitCode, output + await errors);
        }
        catch (Win32Exception)
        {
            return null; // There is no such program.
        }
    }
}
