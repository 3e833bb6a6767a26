using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SmileApi.Admission;
using SmileApi.Batching;
using SmileApi.Imaging;

namespace SmileApi.Tests.Admission;

/// <summary>
/// The whole service on a real socket, over one runner that holds each run of the smile network until it may go on; its
/// deadlines follow a clock that only the test moves.
/// </summary>
internal sealed class GatedApp : WebApplicationFactory<Program>
{
    public static readonly byte[] Smile = Repository.Sample("mean-smile.png");

    private readonly (string Name, string Value)[] _settings;
    private readonly ManualResetEventSlim _open = new(initialState: true); // For the probe at the start.
    private readonly SemaphoreSlim _began = new(0);

    private GatedApp(params (string Name, string Value)[] settings)
    {
        _settings = settings;
        UseKestrel(port: 0);
        StartServer();
        Http = CreateClient();
    }

    public HttpClient Http { get; }

    public FakeTimeProvider Time { get; } = new();

    /// <summary>The networks that have been run, in this order.</summary>
    public ConcurrentQueue<Network> Runs { get; } = [];

    public AdmissionGate Gate => Services.GetRequiredService<AdmissionGate>();

    public MemoryBudget Memory => Services.GetRequiredService<MemoryBudget>();

    /// <summary>Starts it, its runner closed.</summary>
    public static GatedApp Start(params (string Name, string Value)[] settings)
    {
        var app = new GatedApp(settings);
        while (app._began.Wait(0))
        {
            // The probe's, which ends before the service listens.
        }

        app.Close();
        app.Runs.Clear();
        return app;
    }

    /// <summary>Lets the runner go on.</summary>
    public void Open() => _open.Set();

    /// <summary>Holds the runs that begin from now on.</summary>
    public void Close() => _open.Reset();

    /// <summary>Waits for a run of the smile network to begin.</summary>
    public async Task RunBegan() => Assert.True(await _began.WaitAsync(TimeSpan.FromMinutes(1)), "No run has begun.");

    public async Task<HttpResponseMessage> PostAsync(string? timeout = null, CancellationToken gone = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/classify?faces=whole") { Content = new ByteArrayContent(Smile) };
        if (timeout is not null)
        {
            request.Headers.TryAddWithoutValidation(AdmissionFilter.TimeoutHeader, timeout);
        }

        return await Http.SendAsync(request, gone);
    }

    public async Task<Socket> ConnectAsync(string head = "")
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, Http.BaseAddress!.Port));
        await socket.SendAsync(Encoding.ASCII.GetBytes(head));
        return socket;
    }

    /// <summary>Reads one answer, whole by the length that it announces; nobody has to wait for the end of the connection.</summary>
    public static async Task<string> ReadAsync(Socket socket)
    {
        const string Length = "Content-Length: ";
        var answer = "";
        var buffer = new byte[4096];
        while (!IsWhole())
        {
            var read = await socket.ReceiveAsync(buffer);
            Assert.NotEqual(0, read);
            answer += Encoding.UTF8.GetString(buffer, 0, read);
        }

        return answer;

        bool IsWhole()
        {
            var head = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            return head >= 0 && answer.Length - head - 4 >= LengthOf(answer[..head]);
        }

        static int LengthOf(string head) =>
            int.Parse(head[(head.IndexOf(Length, StringComparison.Ordinal) + Length.Length)..].Split('\r')[0], CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until so many uploads are arriving.</summary>
    public async Task Arriving(int uploads)
    {
        while (Gate.Arriving != uploads)
        {
            await Task.Delay(1);
        }
    }

    /// <summary>Waits until so many requests are at work.</summary>
    public async Task Working(int requests)
    {
        while (Gate.Working != requests)
        {
            await Task.Delay(1);
        }
    }

    /// <summary>Waits until no request is let in any more, nor any byte held.</summary>
    public async Task IsEmpty()
    {
        for (var left = 12_000; (Gate.Arriving, Gate.Working, Memory.UploadBytesHeld, Memory.PictureBytesHeld) != (0, 0, 0, 0); left--)
        {
            Assert.True(left > 0, $"{Gate.Arriving} arriving, {Gate.Working} at work, {Memory.UploadBytesHeld} and {Memory.PictureBytesHeld} bytes do not go.");
            await Task.Delay(5);
        }
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("Serilog:MinimumLevel:Default", "Fatal").UseSetting("Serilog:MinimumLevel:Override:Microsoft.AspNetCore", "Fatal");
        // A run that waits is not one that hangs.
        builder.UseSetting("Batching:Runners", "1").UseSetting("Batching:RunTimeoutSeconds", "600");
        foreach (var (name, value) in _settings)
        {
            builder.UseSetting(name, value);
        }

        builder.ConfigureTestServices(services => services.AddSingleton<TimeProvider>(Time).AddSingleton<OpenSessions>((smile, faces) => new Sessions(
            () => (Run, () => { }),
            () =>
            {
                smile.Dispose();
                faces.Dispose();
            })));
    }

    protected override void Dispose(bool disposing)
    {
        _open.Set();
        base.Dispose(disposing);
    }

    private void Run(WorkKind kind, ReadOnlySpan<float[]> images, Span<float[]> answers)
    {
        Runs.Enqueue(kind.Network);
        if (kind.Network == Network.Smile)
        {
            _began.Release();
            _open.Wait();
        }

        foreach (ref var answer in answers)
        {
            answer = Arrays.Rent<float>(kind.Pixels);
            answer.AsSpan().Clear();
            answer[0] = kind.Network == Network.Smile ? 0.25f : 0;
        }
    }
}
