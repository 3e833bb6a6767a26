using SmileApi.Imaging;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Classify;

public sealed class HostileUploadTests
{
    private static (int Status, string Name) Expected(ImageProblem problem) => problem switch
    {
        ImageProblem.Empty => (400, "empty-upload"),
        ImageProblem.UnsupportedFormat => (415, "unsupported-format"),
        ImageProblem.TooManyBytes => (413, "upload-too-large"),
        ImageProblem.TooLarge => (422, "picture-too-large"),
        ImageProblem.Truncated => (422, "picture-truncated"),
        ImageProblem.Corrupt => (422, "picture-corrupt"),
        ImageProblem.UnsupportedVariant => (422, "unsupported-variant"),
        _ => throw new ArgumentOutOfRangeException(nameof(problem)),
    };

    [Fact]
    public async Task Each_hostile_upload_gets_its_problem_the_next_good_picture_is_answered_and_memory_stays_under_400_mebibytes()
    {
        // A process of its own, so that its memory is the service's alone.
        var (process, http) = await ServiceProcess.StartAsync(("Requests__MaxInFlight", "1000"), ("Requests__MaxInFlightSustained", "1000"));
        using (http)
        await using (process)
        {
            var good = Repository.Sample("mean-smile.png");
            var expected = await PostAsync(http, good);
            foreach (var hostile in Hostile.All)
            {
                using var content = new ByteArrayContent(hostile.Bytes);
                using var response = await http.PostAsync(new Uri("/classify", UriKind.Relative), content);
                var (status, name) = Expected(hostile.Problem);
                await ProblemAssert.IsAsync(response, status, name);
                Assert.True(expected == await PostAsync(http, good), $"After {hostile.Name} a good picture got another answer.");
            }

            using var large = new ByteArrayContent(new byte[40 << 20]);
            using var refused = await http.PostAsync(new Uri("/classify", UriKind.Relative), large);
            await ProblemAssert.IsAsync(refused, 413, "upload-too-large");

            // And all of them together, several times.
            var uploads = Enumerable.Repeat(Hostile.All, 4).SelectMany(all => all).Select(async hostile =>
            {
                using var content = new ByteArrayContent(hostile.Bytes);
                using var response = await http.PostAsync(new Uri("/classify", UriKind.Relative), content);
                Assert.Equal(Expected(hostile.Problem).Status, (int)response.StatusCode);
            });
            await Task.WhenAll(uploads);
            Assert.Equal(expected, await PostAsync(http, good));

            if (OperatingSystem.IsLinux())
            {
                var peak = process.PeakMebibytes();
                TestContext.Current.TestOutputHelper!.WriteLine($"{Hostile.All.Count} kinds of hostile upload, peak memory {peak:0} MiB");
                Assert.InRange(peak, 20, 400);
            }

            Assert.DoesNotContain(" ERR ", process.Output, StringComparison.Ordinal);
        }
    }

    private static async Task<string> PostAsync(HttpClient http, byte[] picture)
    {
        using var content = new ByteArrayContent(picture);
        using var response = await http.PostAsync(new Uri("/classify?faces=whole", UriKind.Relative), content);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return text[..text.IndexOf("\"timings\"", StringComparison.Ordinal)];
    }
}
