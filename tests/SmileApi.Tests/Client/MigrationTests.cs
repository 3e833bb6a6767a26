using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;
using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Client;

/// <summary>What <c>docs/migration.md</c> gives to those who come from elsewhere is run as it stands there.</summary>
public sealed partial class MigrationTests(SmileApp app)
{
    [Theory]
    [InlineData("", "bash", "ask.sh", "curl")]
    [InlineData("python", "python3", "ask.py", "python3")]
    [InlineData("csharp", "dotnet", "ask.cs", "dotnet")]
    public async Task The_code_of_the_guide_runs(string language, string program, string file, string needs)
    {
        Assert.SkipUnless(IsHere(program) && IsHere(needs), $"the guide's code needs {program}{(needs == program ? "" : $" and {needs}")}, not installed here");
        var guide = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "migration.md"));
        var code = Ours().Matches(guide).Single(match => match.Groups["language"].Value == language).Groups["code"].Value
            .Replace("http://localhost:8080", app.Http.BaseAddress!.ToString().TrimEnd('/'), StringComparison.Ordinal);
        using var photo = new Photograph(640, 480).With(new FaceSquare(60, 100, 240)).With(new FaceSquare(400, 200, 160), smile: false);
        var folder = Directory.CreateTempSubdirectory("smile-migration-");
        try
        {
            await File.WriteAllBytesAsync(Path.Combine(folder.FullName, "photo.jpg"), photo.Jpeg());
            var project = $"#:project {Path.Combine(Repository.Root, "src", "SmileApi.Client", "SmileApi.Client.csproj")}\n";
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, file), language == "csharp" ? project + code : code);

            var said = await RunAsync(folder.FullName, program, language == "csharp" ? ["run", "-c", "Release", file] : [file]);

            // Once for each request of the page: curl has two.
            var (yes, no) = language.Length == 0 ? ("""{"smile":true,""", """{"smile":false,""") : ("True 0.", "False 0.");
            Assert.Equal(language.Length == 0 ? 2 : 1, said.Split(no).Length - 1);
            Assert.Contains(yes[..^2], said, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> RunAsync(string folder, string program, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["KEY"] = "any" },
        })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, output + await errors);
        return output;
    }

    private static bool IsHere(string program)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, "--version") { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    [GeneratedRegex(@"^SmileApi[^\n]*:\n\n```(?<language>\w*)\n(?<code>.+?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Ours();
}
