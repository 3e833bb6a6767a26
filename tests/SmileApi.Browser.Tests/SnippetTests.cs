using System.Diagnostics;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace SmileApi.Browser.Tests;

/// <summary>What the page gives to copy is run as it is, beside the picture it names.</summary>
public sealed class SnippetTests(Site site)
{
    [Theory]
    [InlineData("curl", "bash", "snippet.sh")]
    [InlineData("Python", "python3", "snippet.py")]
    [InlineData("JavaScript", "node", "snippet.mjs")]
    [InlineData("C#", "dotnet", "snippet.cs")]
    public async Task The_request_as_code_runs(string language, string program, string file)
    {
        Assert.SkipUnless(Array.Exists((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'), folder => File.Exists(Path.Combine(folder, program))), $"no {program} on this system");
        await using var tab = await site.Browser.OpenAsync(site.Address, new() { Permissions = ["clipboard-read", "clipboard-write"] });
        const string Name = "it's a \"group\".jpg";
        var picture = Drawn.Group(1, 0, 1);
        await PageTests.ChooseAsync(tab, (Name, picture));
        await Expect(tab.Page.Locator("#findings .verdict-title")).ToHaveTextAsync("2 of 3 smile");
        await tab.Page.GetByText("Options", new() { Exact = true }).ClickAsync();
        await tab.Page.GetByLabel("Smallest face, in pixels").FillAsync("60");
        await tab.Page.GetByLabel("Counts as a smile from").First.FillAsync("40");
        await tab.Page.GetByRole(AriaRole.Tab, new() { Name = language, Exact = true }).ClickAsync();

        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Copy" }).ClickAsync();

        await Expect(tab.Page.Locator("#copy")).ToHaveTextAsync("Copied");
        var snippet = await tab.Page.EvaluateAsync<string>("() => navigator.clipboard.readText()");
        Assert.Contains($"{site.Address}classify?minFace=60&threshold=0.4", snippet, StringComparison.Ordinal);
        var said = await RunAsync(program, file, snippet, Name, picture);
        Assert.Equal(2, Count(said, "true"));
        Assert.Equal(1, Count(said, "false"));
        tab.AssertQuiet();
    }

    /// <summary>How many faces a program says are <paramref name="smile"/>: each language writes it its way.</summary>
    private static int Count(string said, string smile) => said.Contains("\"smile\":", StringComparison.Ordinal)
        ? said[said.IndexOf("\"faces\"", StringComparison.Ordinal)..].Split($"\"smile\":{smile}").Length - 1
        : said.Split('\n').Count(line => line.StartsWith(smile, StringComparison.OrdinalIgnoreCase));

    private static async Task<string> RunAsync(string program, string file, string snippet, string pictureName, byte[] picture)
    {
        var folder = Directory.CreateTempSubdirectory("smile-snippet-");
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, file), snippet + "\n");
            await File.WriteAllBytesAsync(Path.Combine(folder.FullName, pictureName), picture);
            using var process = Process.Start(new ProcessStartInfo(program, program == "dotnet" ? ["run", file] : [file])
            {
                WorkingDirectory = folder.FullName,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var output = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            Assert.True(process.ExitCode == 0, $"{await output}\n{await errors}\n{snippet}");
            return await output;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
