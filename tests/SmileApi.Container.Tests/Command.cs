using System.ComponentModel;
using System.Diagnostics;

namespace SmileApi.Container.Tests;

/// <summary>A program of the system, run to its end.</summary>
internal static class Command
{
    /// <returns>What it printed on its standard output.</returns>
    /// <exception cref="InvalidOperationException">It ended with another code than 0; the message has all that it printed.</exception>
    public static async Task<string> RunAsync(string program, string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = SmileApi.Tests.Repository.Root, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{await output}\n{await errors}");
    }

    /// <returns>What it printed, or null when there is no such program or it failed.</returns>
    public static async Task<string?> TryAsync(string program, params string[] arguments)
    {
        try
        {
            return await RunAsync(program, arguments);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            return null;
        }
    }
}
