using System.Buffers.Binary;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Configurations;
using SmileApi.Benchmarks;
using SmileApi.Tests;

namespace SmileApi.Container.Tests;

/// <summary>The service's image, with every restriction that SECURITY.md names at once.</summary>
public sealed class HardenedServiceTests(ServiceImage image)
{
    [Fact]
    public async Task It_classifies_with_every_native_library_that_it_has()
    {
        await using var service = await image.StartAsync();

        // PNG by SkiaSharp, JPEG by libturbojpeg, both judged by ONNX Runtime.
        using var png = await service.PostAsync(Repository.Sample("mean-smile.png"));
        using var jpeg = await service.PostAsync(Photo.WithOneFace(640, 480));

        Assert.True((await png.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("smile").GetBoolean());
        Assert.True((await jpeg.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("smile").GetBoolean());
        var model = await service.Http.GetFromJsonAsync<JsonElement>(new Uri("/model", UriKind.Relative));
        Assert.Equal("libturbojpeg", model.GetProperty("jpegDecoder").GetString());
        var metrics = await service.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Contains("smileapi_decode_duration_seconds_count", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_kernel_knows_it_as_a_user_without_rights()
    {
        await using var service = await image.StartAsync();
        await using var onlooker = new ContainerBuilder("nginx:stable")
            .WithCommand("cat", "/proc/1/status")
            .WithCreateParameterModifier(create => create.HostConfig!.PidMode = $"container:{service.Container.Id}")
            .WithWaitStrategy(Wait.ForUnixContainer().UntilMessageIsLogged("voluntary_ctxt_switches", wait => wait.WithMode(WaitStrategyMode.OneShot)))
            .Build();
        await onlooker.StartAsync();
        var (status, _) = await onlooker.GetLogsAsync(timestampsEnabled: false);
        var lines = status.Split('\n').Select(line => line.Split(':', 2, StringSplitOptions.TrimEntries)).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);

        Assert.Equal("1654\t1654\t1654\t1654", lines["Uid"]);
        Assert.Equal(0UL, ulong.Parse(lines["CapEff"], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        Assert.Equal(0UL, ulong.Parse(lines["CapBnd"], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        Assert.Equal("1", lines["NoNewPrivs"]);
    }

    [Fact]
    public async Task There_is_no_shell_in_it_and_its_own_program_says_how_it_is()
    {
        await using var service = await image.StartAsync();

        var shell = await service.Container.ExecAsync(["/bin/sh", "-c", "true"]);
        var ready = await service.Container.ExecAsync(["dotnet", "SmileApi.dll", "healthcheck"]);
        var nobody = await service.Container.ExecAsync(["dotnet", "SmileApi.dll", "healthcheck", "http://localhost:9"]);
        var unclear = await service.Container.ExecAsync(["dotnet", "SmileApi.dll", "healthcheck", "localhost"]);

        Assert.NotEqual(0, shell.ExitCode);
        Assert.Equal((0, "200 Healthy"), (ready.ExitCode, ready.Stdout.Trim()));
        Assert.Equal(1, nobody.ExitCode);
        Assert.StartsWith("No answer from http://localhost:9/", nobody.Stdout, StringComparison.Ordinal);
        Assert.Equal(2, unclear.ExitCode);
        Assert.Contains("healthcheck", await service.InspectAsync("{{json .Config.Healthcheck.Test}}"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Asked_to_stop_it_ends_with_0()
    {
        await using var service = await image.StartAsync();

        await service.Container.StopAsync();

        Assert.Equal("0 false", await service.InspectAsync("{{.State.ExitCode}} {{.State.OOMKilled}}"));
    }

    [Fact]
    public async Task What_is_too_large_is_refused_and_memory_stays_below_the_limit()
    {
        await using var service = await image.StartAsync();
        var tooLarge = new byte[30 << 20];
        var large = Photo.WithOneFace(5000, 4000);
        var bomb = JpegThatClaims(30_000, 30_000);

        using var refused = await service.PostAsync(tooLarge);
        using var unfolded = await service.PostAsync(bomb);
        var many = await Task.WhenAll(Enumerable.Range(0, 16).Select(async _ =>
        {
            using var answer = await service.PostAsync(large);
            return (int)answer.StatusCode;
        }));

        Assert.Equal((413, "urn:smileapi:problem:upload-too-large"), await ProblemOfAsync(refused));
        Assert.Equal((422, "urn:smileapi:problem:picture-too-large"), await ProblemOfAsync(unfolded));
        Assert.All(many, status => Assert.True(status is 200 or 503, $"{status}"));
        Assert.Contains(200, many);
        using var ready = await service.Http.GetAsync(new Uri("/health/ready", UriKind.Relative));
        Assert.True(ready.IsSuccessStatusCode);
        Assert.Equal("true false 0", await service.InspectAsync("{{.State.Running}} {{.State.OOMKilled}} {{.RestartCount}}"));
    }

    [Fact]
    public async Task A_setting_that_is_wrong_ends_it_with_one_line_that_says_which()
    {
        var (exitCode, output) = await image.RunToEndAsync(("Model__Path", "/no/such.onnx"));

        Assert.Equal(1, exitCode);
        Assert.Contains("/no/such.onnx", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_image_is_small_and_says_what_it_is_and_under_which_licence()
    {
        var name = await image.NameAsync();

        var size = long.Parse(await Command.RunAsync("docker", ["image", "inspect", "--format", "{{.Size}}", name]), CultureInfo.InvariantCulture);
        var labels = JsonSerializer.Deserialize<Dictionary<string, string>>(await Command.RunAsync("docker", ["image", "inspect", "--format", "{{json .Config.Labels}}", name]))!;

        TestContext.Current.SendDiagnosticMessage($"The image has {size / 1e6:F0} MB.");
        Assert.InRange(size, 1, 220_000_000);
        Assert.Equal("SmileApi", labels["org.opencontainers.image.title"]);
        Assert.Contains("Research-Only", labels["org.opencontainers.image.licenses"], StringComparison.Ordinal);
    }

    private static async Task<(int Status, string? Type)> ProblemOfAsync(HttpResponseMessage answer) =>
        ((int)answer.StatusCode, (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("type").GetString());

    /// <returns>A small JPEG whose header claims another size.</returns>
    private static byte[] JpegThatClaims(ushort width, ushort height)
    {
        var jpeg = Photo.WithOneFace(64, 64);
        var frame = jpeg.AsSpan()[jpeg.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xff, 0xc0])..];
        BinaryPrimitives.WriteUInt16BigEndian(frame[5..], height);
        BinaryPrimitives.WriteUInt16BigEndian(frame[7..], width);
        return jpeg;
    }
}
