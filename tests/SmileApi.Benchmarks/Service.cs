using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json;

namespace SmileApi.Benchmarks;

/// <summary>The service, or what it is measured against, in a process of its own, on a free port.</summary>
internal sealed class Service : IAsyncDisposable
{
    private readonly Process _process;
    private readonly HttpClient _http;

    private readonly Task _drained;

    private Service(Process process, Uri address, Task drained) => (_process, _http, _drained) = (process, new HttpClient { BaseAddress = address }, drained);

    /// <summary>Processor time that the service has used so far, in user and kernel mode.</summary>
    public TimeSpan CpuTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>The processors that it may use from now on, a bit each.</summary>
    public nint Affinity
    {
        set
        {
            if (OperatingSystem.IsLinux() || OperatingSystem.IsWindows())
            {
                _process.ProcessorAffinity = value;
            }
        }
    }

    /// <summary>Where it listens.</summary>
    public Uri Address => _http.BaseAddress!;

    /// <summary>Its process.</summary>
    public int Id => _process.Id;

    /// <summary>Memory that it holds now.</summary>
    public double Mebibytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64 / 1048576.0;
        }
    }

    /// <summary>Threads that it has now.</summary>
    public int Threads
    {
        get
        {
            _process.Refresh();
            return _process.Threads.Count;
        }
    }

    /// <summary>Handles (on Linux, file descriptors) that it has open now.</summary>
    public int Handles
    {
        get
        {
            _process.Refresh();
            return _process.HandleCount;
        }
    }

    /// <summary>The most memory that it has held at once.</summary>
    public double PeakMebibytes
    {
        get
        {
            _process.Refresh();
            return _process.PeakWorkingSet64 / 1048576.0;
        }
    }

    /// <param name="settings">By the names of environment variables: <c>Batching__MaxBatch</c>.</param>
    public static Task<Service> StartAsync(IReadOnlyDictionary<string, string>? settings = null) =>
        StartAsync(settings ?? new Dictionary<string, string>(), "SmileApi.dll", "--urls", "http://127.0.0.1:0");

    /// <param name="program">Beside this one; it says where it listens as ASP.NET does.</param>
    public static async Task<Service> StartAsync(IReadOnlyDictionary<string, string> settings, string program, params string[] arguments)
    {
        const string Listening = "Now listening on: ";
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, program), .. arguments])
        {
            RedirectStandardOutput = true,
            Environment = { ["Serilog__MinimumLevel__Override__Serilog.AspNetCore"] = "Warning" },
        };
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            var at = line.IndexOf(Listening, StringComparison.Ordinal);
            if (at >= 0)
            {
                // Read on, or the pipe fills up and the service waits.
                var drained = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
                return new Service(process, new Uri(line[(at + Listening.Length)..].Trim()), drained);
            }
        }

        throw new InvalidOperationException("The service did not start.");
    }

    /// <summary>Sends a picture and checks that as many faces come back.</summary>
    public async Task AskAsync(byte[] picture, string query, int faces)
    {
        using var body = new ByteArrayContent(picture);
        body.Headers.ContentType = new MediaTypeHeaderValue("image/jpeg");
        using var response = await _http.PostAsync(new Uri($"classify?{query}", UriKind.Relative), body);
        response.EnsureSuccessStatusCode();
        using var answer = JsonDocument.Parse(await response.Content.ReadAsStreamAsync());
        var found = answer.RootElement.GetProperty("faces").GetArrayLength();
        if (found != faces)
        {
            throw new InvalidOperationException($"The service finds {found} faces where {faces} are, so that its time says nothing.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        await _drained;
        _process.Dispose();
    }
}
