using SmileApi.Imaging;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Classify;

public sealed class HostileUploadTests(SmileApp app)
{
    private static (int Status, string? Name) Expected(ImageProblem? problem) => problem switch
    {
        null => (200, null),
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
    public async Task Mutated_files_are_pictures_or_are_refused_as_the_senders_fault() =>
        await Parallel.ForEachAsync(Enumerable.Range(1000, 300), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (number, _) =>
        {
            using var response = await app.PostAsync(Mutated.File(number), number % 4 == 0 ? "" : "?faces=whole");
            Assert.True((int)response.StatusCode is 200 or 400 or 415 or 422, $"file {number}: {(int)response.StatusCode}");
        });

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
            HostilePicture[] cut = [.. Hostile.CutAtBoundaries()];
            foreach (var hostile in Hostile.All)
            {
                await IsAnsweredAsync(http, hostile);
                Assert.True(expected == await PostAsync(http, good), $"After {hostile.Name} a good picture got another answer.");
            }

            foreach (var hostile in cut.Concat(Hostile.Huge()))
            {
                await IsAnsweredAsync(http, hostile);
            }

            // And all of them together, twice.
            await Task.WhenAll(Enumerable.Repeat(Hostile.All, 2).SelectMany(all => all).Select(hostile => IsAnsweredAsync(http, hostile)));
            Assert.Equal(expected, await PostAsync(http, good));

            if (OperatingSystem.IsLinux())
            {
                var peak = process.PeakMebibytes();
                TestContext.Current.TestOutputHelper!.WriteLine($"{Hostile.All.Count + Hostile.Huge().Count()} kinds of hostile upload, {cut.Length} cut off at a boundary, peak memory {peak:0} MiB");
                Assert.InRange(peak, 20, 400);
            }

            Assert.DoesNotContain(" ERR ", process.Output, StringComparison.Ordinal);
        }
    }

    private static async Task IsAnsweredAsync(HttpClient http, HostilePicture hostile)
    {
        using var content = new ByteArrayContent(hostile.Bytes);
        using var response = await http.PostAsync(new Uri("/classify", UriKind.Relative), content);
        var (status, name) = Expected(hostile.Problem);
        if (name is null)
        {
            Assert.True(status == (int)response.StatusCode, $"{hostile.Name}: {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
            return;
        }

        Assert.True(status == (int)response.StatusCode, $"{hostile.Name}: {(int)response.StatusCode}");
        await ProblemAssert.IsAsync(response, status, name);
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
