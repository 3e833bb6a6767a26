using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace SmileApi.Tests.Operations;

/// <summary>The service as its users start it: a process of its own, with settings from the environment.</summary>
internal sealed class ServiceProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _warm = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServiceProcess(IReadOnlyDictionary<string, string> settings, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "SmileApi.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Everything printed so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Starts the service on a free port and waits until it listens.</summary>
    public static async Task<(ServiceProcess Process, HttpClient Http)> StartAsync(params (string Name, string Value)[] settings)
    {
        var process = new ServiceProcess(settings.ToDictionary(setting => setting.Name, setting => setting.Value), ["--urls", "http://127.0.0.1:0"]);
        var ended = process._process.WaitForExitAsync();
        Assert.True(await Task.WhenAny(process._listening.Task, ended) != ended, process.Output);
        return (process, new HttpClient { BaseAddress = await process._listening.Task });
    }

    /// <summary>Starts the service and asks it to stop when its sessions are warm, most likely before it listens.</summary>
    /// <returns>Its exit code and what it printed.</returns>
    public static async Task<(int ExitCode, string Output)> StopWhileStartingAsync()
    {
        await using var process = new ServiceProcess(new Dictionary<string, string>(), ["--urls", "http://127.0.0.1:0"]);
        await process._warm.Task;
        return (await process.StopAsync(), process.Output);
    }

    /// <summary>Starts the service with settings that it must refuse.</summary>
    /// <returns>Its exit code and what it printed.</returns>
    public static async Task<(int ExitCode, string Output)> RunToEndAsync(params (string Name, string Value)[] settings)
    {
        await using var process = new ServiceProcess(settings.ToDictionary(setting => setting.Name, setting => setting.Value), ["--urls", "http://127.0.0.1:0"]);
        await process._process.WaitForExitAsync();
        return (process._process.ExitCode, process.Output);
    }

    /// <summary>The most memory that the process has held at once, in MiB, as the kernel counts it.</summary>
    public double PeakMebibytes() => Mebibytes("VmHWM");

    /// <summary>The memory that the process holds now, in MiB, as the kernel counts it.</summary>
    public double ResidentMebibytes() => Mebibytes("VmRSS");

    /// <summary>Waits until the process ends by itself.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    /// <summary>Asks the process to stop (SIGTERM) and waits for its end.</summary>
    public async Task<int> StopAsync()
    {
        Terminate();
        return await ExitAsync();
    }

    /// <summary>Asks the process to stop (SIGTERM).</summary>
    public void Terminate()
    {
        using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private double Mebibytes(string name)
    {
        var line = File.ReadLines($"/proc/{_process.Id}/status").First(line => line.StartsWith($"{name}:", StringComparison.Ordinal));
        return long.Parse(line.Split(':', 'k')[1].Trim(), CultureInfo.InvariantCulture) / 1024.0;
    }

    private void Read(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_output)
        {
            _output.AppendLine(line);
        }

        if (line.Contains("is warm for", StringComparison.Ordinal))
        {
            _warm.TrySetResult();
        }

        const string Listening = "Now listening on: ";
        var at = line.IndexOf(Listening, StringComparison.Ordinal);
        if (at >= 0)
        {
            _listening.TrySetResult(new Uri(line[(at + Listening.Length)..].Trim()));
        }
    }
}
