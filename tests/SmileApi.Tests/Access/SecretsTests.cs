using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using SmileApi.Tests.Operations;

namespace SmileApi.Tests.Access;

/// <summary>What no log may hold, however talkative it is set.</summary>
public sealed class SecretsTests
{
    private const string Key = "5ec4e70f-key-that-nobody-may-read";
    private const string WrongKey = "5ec4e70f-key-that-is-wrong";

    [Fact]
    public async Task No_key_and_nothing_of_a_picture_is_ever_logged_and_the_name_of_the_key_is()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");
        var picture = Repository.Sample("mean-smile.png");
        var (process, http) = await ServiceProcess.StartAsync(
        [
            .. GuardedApp.Key(0, "alice", Key).Select(setting => (setting.Name.Replace(":", "__", StringComparison.Ordinal), setting.Value)),
            ("Serilog__MinimumLevel__Default", "Verbose"),
            ("Serilog__MinimumLevel__Override__Microsoft.AspNetCore", "Verbose"),
            ("Serilog__MinimumLevel__Override__Microsoft.Extensions.Hosting.Internal.Host", "Verbose"),
            ("Serilog__MinimumLevel__Override__Microsoft.Hosting.Lifetime", "Verbose"),
        ]);
        using (http)
        await using (process)
        {
            await PostAsync(http, HttpStatusCode.OK, new ByteArrayContent(picture), ("X-API-Key", Key));
            await PostAsync(http, HttpStatusCode.OK, JsonContent.Create(new { image = Convert.ToBase64String(picture) }), ("Authorization", $"Bearer {Key}"));
            await PostAsync(http, HttpStatusCode.OK, new MultipartFormDataContent { { new ByteArrayContent(picture), "image", "private-name.png" } }, ("X-API-Key", Key));
            await PostAsync(http, HttpStatusCode.Unauthorized, new ByteArrayContent(picture), ("X-API-Key", WrongKey));
            await PostAsync(http, HttpStatusCode.Unauthorized, new ByteArrayContent(picture), ("Authorization", $"Basic {WrongKey}"));
            await PostAsync(http, HttpStatusCode.UnprocessableEntity, new ByteArrayContent(picture[..^200]), ("X-API-Key", Key));
            await PostAsync(http, HttpStatusCode.BadRequest, new StringContent($"{{\"image\": \"{Convert.ToBase64String(picture)}!", MediaTypeHeaderValue.Parse("application/json")), ("X-API-Key", Key));
            await SendMalformedAsync(http.BaseAddress!);

            Assert.Equal(0, await process.StopAsync());
        }

        var log = process.Output;
        Assert.Contains("DBG", log, StringComparison.Ordinal); // It is talkative.
        Assert.Contains("VRB", log, StringComparison.Ordinal);
        Assert.DoesNotContain("5ec4e70f", log, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("private-name", log, StringComparison.Ordinal);

        // No 24 characters of it, as base64 in each of its three alignments, or as hexadecimal digits; nor as it is.
        var forms = Enumerable.Range(0, 3).Select(shift => Convert.ToBase64String(picture.AsSpan(shift))).Append(Convert.ToHexString(picture))
            .SelectMany(text => text.Chunk(12)).Where(chunk => chunk.Length == 12).Select(chunk => new string(chunk));
        Assert.All(forms, form => Assert.DoesNotContain(form, log, StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain("IHDR", log, StringComparison.Ordinal);
        Assert.Contains(log.Split('\n'), line => line.Contains("POST /classify 200", StringComparison.Ordinal) && line.Contains(" ok alice [", StringComparison.Ordinal));
        Assert.Contains(log.Split('\n'), line => line.Contains("POST /classify 401", StringComparison.Ordinal) && line.Contains(" unauthorized - [", StringComparison.Ordinal));
    }

    private static async Task PostAsync(HttpClient http, HttpStatusCode expected, HttpContent content, (string Name, string Value) header)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/classify?faces=whole", UriKind.Relative)) { Content = content };
        request.Headers.TryAddWithoutValidation(header.Name, header.Value);
        using var answer = await http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(expected == answer.StatusCode, $"{(int)answer.StatusCode}: {text}");
        Assert.DoesNotContain("5ec4e70f", text, StringComparison.Ordinal);
    }

    /// <summary>A header without a colon: the server's own log of bad requests quotes it.</summary>
    private static async Task SendMalformedAsync(Uri address)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, address.Port);
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET /model HTTP/1.1\r\nHost: localhost\r\nX-API-Key {Key}\r\n\r\n"));
        using var reader = new StreamReader(socket.GetStream());
        Assert.StartsWith("HTTP/1.1 400", await reader.ReadToEndAsync(), StringComparison.Ordinal);
    }
}
