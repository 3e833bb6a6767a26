using System.Globalization;
using System.Net;
using SkiaSharp;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Admission;

/// <summary>The ceiling and the quota of a container, in processes of their own.</summary>
public sealed class CeilingTests
{
    /// <summary>What the runtime takes for all the memory there is; a container's limit, in the place of one.</summary>
    private const string ContainerLimit = "DOTNET_GCTotalPhysicalMemory";

    [Fact]
    public async Task Without_a_setting_the_ceiling_follows_the_containers_limit_and_the_threads_its_quota()
    {
        var (process, http) = await ServiceProcess.StartAsync((ContainerLimit, "0x20000000"), ("DOTNET_PROCESSOR_COUNT", "1"));
        using (http)
        await using (process)
        {
            Assert.InRange((await GaugesAsync(http))["smileapi_memory_ceiling_bytes"], 460 << 20, 461 << 20);
            Assert.Contains(" on 1 runners ", process.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_container_that_is_too_small_for_the_limits_stops_the_start_with_a_line_that_says_so()
    {
        var (exitCode, output) = await ServiceProcess.RunToEndAsync((ContainerLimit, "0x10000000"));

        Assert.Equal(1, exitCode);
        Assert.Contains("Memory:MaxBytes is 230 MiB (90 % of the container's or machine's memory)", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Memory_stays_under_the_stated_ceiling_whatever_is_sent_at_once()
    {
        const int Ceiling = 460;
        var (process, http) = await ServiceProcess.StartAsync(("Memory__MaxBytes", $"{Ceiling << 20}"), ("Requests__DeadlineSeconds", "600"));
        using (http)
        using (var patient = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(10) }) { BaseAddress = http.BaseAddress })
        await using (process)
        {
            // Each kind more often than there is room for.
            var pictures = Demanding();
            var statuses = await Task.WhenAll(Enumerable.Range(0, 12 * pictures.Length).Select(async i =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, i % 4 == 0 ? "/classify?minFace=60" : "/classify") { Content = new ByteArrayContent(pictures[i % pictures.Length]) };
                request.Headers.ExpectContinue = true;
                using var response = await patient.SendAsync(request);
                return response.StatusCode;
            }));

            var peak = process.PeakMebibytes();
            var counts = string.Join(", ", statuses.GroupBy(status => status).Select(group => $"{group.Count()} x {(int)group.Key}"));
            TestContext.Current.TestOutputHelper!.WriteLine($"{counts}; peak memory {peak:0} MiB under a ceiling of {Ceiling}");
            Assert.All(statuses, status => Assert.True(status is HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable, $"{(int)status}"));
            Assert.Contains(HttpStatusCode.OK, statuses);
            Assert.Contains(HttpStatusCode.ServiceUnavailable, statuses);
            Assert.InRange(peak, 50, Ceiling);
            Assert.Equal(0, (await GaugesAsync(http)).Where(gauge => gauge.Key is not "smileapi_memory_ceiling_bytes").Sum(gauge => gauge.Value));
        }
    }

    [Fact]
    public async Task Batches_stay_under_it_too_and_wait_for_room_instead_of_being_refused()
    {
        const int Ceiling = 460;
        const int Batches = 6;
        var (process, http) = await ServiceProcess.StartAsync(("Memory__MaxBytes", $"{Ceiling << 20}"), ("Requests__DeadlineSeconds", "600"));
        using (http)
        await using (process)
        {
            var pictures = Demanding();
            var answers = await Task.WhenAll(Enumerable.Range(0, Batches).Select(async batch =>
            {
                using var form = new MultipartFormDataContent();
                for (var i = 0; i < pictures.Length; i++)
                {
                    form.Add(new ByteArrayContent(pictures[(i + batch) % pictures.Length]), "images", $"{i}");
                }

                using var response = await http.PostAsync(new Uri("/classify/batch", UriKind.Relative), form);
                return await response.Content.ReadAsStringAsync();
            }));

            var peak = process.PeakMebibytes();
            TestContext.Current.TestOutputHelper!.WriteLine($"{Batches} batches of {pictures.Length}; peak memory {peak:0} MiB under a ceiling of {Ceiling}");
            Assert.All(answers, answer => Assert.True(answer.Split("\"status\":200").Length - 1 == pictures.Length, answer));
            Assert.InRange(peak, 50, Ceiling);
            Assert.Equal(0, (await GaugesAsync(http)).Where(gauge => gauge.Key is not "smileapi_memory_ceiling_bytes").Sum(gauge => gauge.Value));
        }
    }

    /// <summary>What the door measures, by name.</summary>
    internal static async Task<Dictionary<string, double>> GaugesAsync(HttpClient http)
    {
        var metrics = await http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        return metrics.Split('\n')
            .Where(line => line.StartsWith("smileapi_memory_", StringComparison.Ordinal) || line.StartsWith("smileapi_requests_in_flight", StringComparison.Ordinal) || line.StartsWith("smileapi_queue_length", StringComparison.Ordinal))
            .GroupBy(line => line.Split('{', ' ')[0])
            .ToDictionary(lines => lines.Key, lines => lines.Sum(line => double.Parse(line[(line.IndexOf('}', StringComparison.Ordinal) + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture)));
    }

    /// <summary>Pictures that are large in bytes, in pixels, in both, and small.</summary>
    private static byte[][] Demanding() =>
    [
        Padded(Repository.Sample("mean-smile.png"), 20 << 20), Padded(Make.Jpeg(320, 240, seed: 1), 6 << 20),
        White(5000, 4000, SKEncodedImageFormat.Png), Padded(White(4000, 4000, SKEncodedImageFormat.Png), 15 << 20),
        White(4000, 3000, SKEncodedImageFormat.Jpeg), Make.Jpeg(320, 240, seed: 2),
    ];

    private static byte[] White(int width, int height, SKEncodedImageFormat format)
    {
        using var bitmap = new SKBitmap(width, height);
        bitmap.Erase(SKColors.White);
        using var data = bitmap.Encode(format, 90);
        return data.ToArray();
    }

    private static byte[] Padded(byte[] picture, int length)
    {
        Array.Resize(ref picture, Math.Max(length, picture.Length)); // What follows a picture's end is passed over.
        return picture;
    }
}
