using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using SmileApi.Tests.Classify;
using SmileApi.Tests.Operations;

namespace SmileApi.Tests.Access;

/// <summary>Ports and certificates, as operators configure them, in a process of its own.</summary>
public sealed class PortTests
{
    [Fact]
    public async Task What_is_the_operators_is_only_at_the_management_port_and_all_else_is_not()
    {
        var port = FreePort();
        var (process, http) = await ServiceProcess.StartAsync(
        [
            ("Management__Port", port), ("Management__Address", "127.0.0.1"),
            .. GuardedApp.Key(0, "alice", "key-of-alice").Select(setting => (setting.Name.Replace(":", "__", StringComparison.Ordinal), setting.Value)),
        ]);
        using var management = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        using (http)
        await using (process)
        {
            foreach (var (method, path) in new[] { (HttpMethod.Get, "/metrics"), (HttpMethod.Post, "/metrics"), (HttpMethod.Get, "/admin"), (HttpMethod.Post, "/admin/model"), (HttpMethod.Get, "/METRICS/") })
            {
                foreach (var host in new[] { "localhost", $"127.0.0.1:{port}" })
                {
                    using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Headers = { Host = host } };
                    using var hidden = await http.SendAsync(request);
                    await ProblemAssert.IsAsync(hidden, 404, "not-found");
                }
            }

            foreach (var path in new[] { "/classify", "/model", "/swagger/index.html", "/" })
            {
                using var elsewhere = await GetAsync(management, path);
                await ProblemAssert.IsAsync(elsewhere, 404, "not-found");
            }

            using var metrics = await GetAsync(management, "/metrics");
            Assert.Contains("smileapi_", await metrics.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            foreach (var client in new[] { http, management })
            {
                using var live = await GetAsync(client, "/health/live");
                Assert.Equal(HttpStatusCode.OK, live.StatusCode);
            }

            using var model = await GetAsync(http, "/model");
            await ProblemAssert.IsAsync(model, 401, "unauthorized");
        }
    }

    [Fact]
    public async Task It_speaks_TLS_with_the_certificate_of_the_configuration_and_the_management_port_is_added_to_it()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var certificateFile = new TemporaryFile(System.Text.Encoding.ASCII.GetBytes(certificate.ExportCertificatePem()));
        using var keyFile = new TemporaryFile(System.Text.Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()));
        var port = FreePort();

        var (process, http) = await ServiceProcess.StartAsync(
            ("Kestrel__Endpoints__Https__Url", "https://127.0.0.1:0"),
            ("Kestrel__Endpoints__Https__Certificate__Path", certificateFile.Path),
            ("Kestrel__Endpoints__Https__Certificate__KeyPath", keyFile.Path),
            ("Management__Port", port), ("Management__Address", "127.0.0.1"));
        using (http)
        await using (process)
        {
            byte[]? presented = null;
            using var handler = new HttpClientHandler
            {
                ServerCertificateCustomValidationCallback = (_, theirs, _, _) =>
                {
                    presented = theirs!.RawData;
                    return true;
                },
            };

            // Of the two addresses that are printed, the one of the configuration's own endpoint.
            var address = process.Output.Split('\n').Single(line => line.Contains("Now listening on: https://", StringComparison.Ordinal));
            using var secure = new HttpClient(handler) { BaseAddress = new Uri(address[address.IndexOf("https://", StringComparison.Ordinal)..].Trim()) };
            using var picture = new ByteArrayContent(Repository.Sample("mean-smile.png"));
            using var answer = await secure.PostAsync(new Uri("/classify?faces=whole", UriKind.Relative), picture);
            using var hidden = await GetAsync(secure, "/metrics");
            using var management = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
            using var metrics = await GetAsync(management, "/metrics");

            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal(certificate.RawData, presented);
            Assert.Equal(HttpStatusCode.NotFound, hidden.StatusCode);
            Assert.Equal(HttpStatusCode.OK, metrics.StatusCode);
        }
    }

    [Fact]
    public async Task A_certificate_that_is_not_there_stops_the_start_with_a_line_that_says_so()
    {
        var (exitCode, output) = await ServiceProcess.RunToEndAsync(
            ("Kestrel__Endpoints__Https__Url", "https://127.0.0.1:0"), ("Kestrel__Endpoints__Https__Certificate__Path", "/no/such/cert.pem"));

        Assert.Equal(1, exitCode);
        Assert.Contains("/no/such/cert.pem", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Doors_that_are_configured_wrongly_are_all_named_at_the_start()
    {
        var hash = new string('a', 64);
        var (exitCode, output) = await ServiceProcess.RunToEndAsync(
            ("Access__Keys__0__Name", "twice"), ("Access__Keys__0__Sha256", hash),
            ("Access__Keys__1__Name", "twice"), ("Access__Keys__1__Sha256", "the-key-itself"),
            ("Access__Keys__2__Name", "a name"), ("Access__Keys__2__Sha256", hash),
            ("Access__Keys__3__Name", "fine"), ("Access__Keys__3__Sha256", hash), ("Access__Keys__3__Requests", "-1"),
            ("Access__Proxies__0", "proxy.example"), ("Access__Origins__0", "https://app.example/page"),
            ("RateLimit__WindowSeconds", "0"), ("Management__Port", "0"));

        Assert.Equal(1, exitCode);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
        Assert.DoesNotContain(hash, output, StringComparison.Ordinal);
        Assert.DoesNotContain("the-key-itself", output, StringComparison.Ordinal);
        string[] hints =
        [
            "'twice'", "Keys[1].Sha256", "Keys[2].Name", "Keys[3].Requests", "'proxy.example'", "'https://app.example/page'", "WindowSeconds", "Port",
        ];
        Assert.All(hints, hint => Assert.Contains(hint, output, StringComparison.Ordinal));
    }

    private static Task<HttpResponseMessage> GetAsync(HttpClient http, string path) => http.GetAsync(new Uri(path, UriKind.Relative));

    /// <summary>The service takes no 0 for this port, so the system is asked beforehand.</summary>
    private static string FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
    }
}
