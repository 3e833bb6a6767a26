using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SmileApi.Client;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Client;

/// <summary>The packaged client, against the real service.</summary>
public sealed class SmileClientTests(SmileApp app)
{
    private static readonly byte[] s_smile = Repository.Sample("mean-smile.png");
    private static readonly byte[] s_neutral = Repository.Sample("mean-neutral.png");
    private static readonly ClassifyOptions s_whole = new() { Faces = FaceMode.Whole };

    private SmileClient Smiles => new(app.Http);

    [Fact]
    public async Task It_asks_about_bytes_streams_and_files_and_reads_the_whole_verdict()
    {
        var expected = await app.ProbabilityAsync(s_smile);
        var path = Path.Combine(Repository.Root, "samples", "mean-smile.png");

        var verdict = await Smiles.ClassifyAsync(s_smile, s_whole);
        using var stream = new MemoryStream([0, 0, .. s_smile]) { Position = 2 };
        var ofStream = await Smiles.ClassifyAsync(stream, s_whole);
        await using var pipe = new Forward(s_smile);
        var ofPipe = await Smiles.ClassifyAsync(pipe, s_whole);
        var ofFile = await Smiles.ClassifyFileAsync(path, s_whole);

        Assert.Equal((true, expected, 0.5f), (verdict.Smile, verdict.Probability, verdict.Threshold));
        Assert.Equal(("png", 100, 100), (verdict.Image.Format, verdict.Image.Width, verdict.Image.Height));
        Assert.Equal(new FaceBox(0, 0, 100, 100), verdict.Faces.Single().Box);
        Assert.Null(verdict.Faces[0].Confidence);
        Assert.Equal((await Smiles.GetModelAsync()).Sha256, verdict.Model.Sha256);
        Assert.True(verdict.Timings.TotalMs > 0);
        Assert.NotEmpty(verdict.RequestId);
        Assert.All(new[] { ofStream, ofPipe, ofFile }, other => Assert.Equal(expected, other.Probability));
    }

    [Fact]
    public async Task It_says_everything_that_may_be_said_about_a_picture()
    {
        using var photograph = new Photograph(480, 360).With(new SmileApi.Imaging.FaceSquare(40, 60, 150)).With(new SmileApi.Imaging.FaceSquare(280, 90, 120), smile: false);
        var options = new ClassifyOptions { Threshold = 0.875f, Limit = 1, MinFace = 60, Confidence = 0.5f, Deadline = TimeSpan.FromSeconds(20) };

        var verdict = await Smiles.ClassifyAsync(photograph.Jpeg(), options);

        Assert.Equal(0.875f, verdict.Threshold);
        Assert.NotNull(Assert.Single(verdict.Faces).Confidence);
        var late = await Assert.ThrowsAsync<SmileApiException>(() => Smiles.ClassifyAsync(Make.Jpeg(4000, 3000, seed: 1), new ClassifyOptions { Deadline = TimeSpan.FromMilliseconds(1) })); // A small one may be answered by then.
        Assert.Equal((504, "deadline-exceeded"), (late.Status, late.Kind));
    }

    [Fact]
    public async Task It_asks_what_the_network_saw_as_numbers_and_as_a_drawing()
    {
        using var stream = new MemoryStream(s_smile);
        foreach (var explanation in new[] { await Smiles.ExplainAsync(s_smile, s_whole), await Smiles.ExplainAsync(stream, s_whole) })
        {
            var face = Assert.Single(explanation.Faces);
            Assert.Equal((true, await app.ProbabilityAsync(s_smile)), (face.Smile, face.Probability));
            Assert.Equal(100, face.Crop.Side);
            Assert.All(face.Map, row => Assert.Equal(face.Map[0].Count, row.Count));
            Assert.True(face.Map.Sum(row => row.Sum()) > 0);
        }

        var png = await Smiles.DrawExplanationAsync(s_smile, options: s_whole);
        var webP = await Smiles.DrawExplanationAsync(s_smile, DrawingFormat.WebP);
        Assert.Equal("PNG"u8, png.AsSpan(1, 3));
        Assert.Equal("WEBP"u8, webP.AsSpan(8, 4));
    }

    [Fact]
    public async Task A_refusal_is_an_exception_that_says_why()
    {
        var refusal = await Assert.ThrowsAsync<SmileApiException>(() => Smiles.ClassifyAsync(Make.Truncated(s_smile)));

        Assert.Equal((422, "urn:smileapi:problem:picture-truncated", "picture-truncated"), (refusal.Status, refusal.Type, refusal.Kind));
        Assert.Contains("cut off", refusal.Detail, StringComparison.Ordinal);
        Assert.Contains(refusal.Detail!, refusal.Message, StringComparison.Ordinal);
        Assert.NotEmpty(refusal.RequestId!);
        Assert.Null(refusal.RetryAfter);
        await Assert.ThrowsAsync<SmileApiException>(() => Smiles.ClassifyAsync(s_smile, new ClassifyOptions { Threshold = 2 }));
        await Assert.ThrowsAsync<FileNotFoundException>(() => Smiles.ClassifyFileAsync("no such file.png"));
    }

    [Fact]
    public async Task Many_pictures_are_answered_in_their_order_and_read_only_as_they_are_wanted()
    {
        var (read, expected) = (0, new[] { await app.ProbabilityAsync(s_smile), await app.ProbabilityAsync(s_neutral) });
        var (count, furthest) = (0, 0);

        await foreach (var result in Smiles.ClassifyManyAsync(PicturesAsync(200), s_whole))
        {
            Assert.Equal((count, $"{count} \"ö\"/.png"), (result.Index, result.Name));
            if (count == 100)
            {
                Assert.Equal((422, null), (result.Status, result.Verdict));
                Assert.Equal("picture-truncated", Assert.Throws<SmileApiException>(result.EnsureVerdict).Kind);
            }
            else
            {
                Assert.Equal(expected[count % 2], result.EnsureVerdict().Probability);
            }

            furthest = Math.Max(furthest, Volatile.Read(ref read) - count);
            count++;
        }

        Assert.Equal((200, 200), (count, read));
        Assert.InRange(furthest, 1, 3 * 16);

        async IAsyncEnumerable<SmilePicture> PicturesAsync(int pictures)
        {
            for (var i = 0; i < pictures; i++)
            {
                await Task.Yield();
                Interlocked.Increment(ref read);
                yield return new SmilePicture(i == 100 ? Make.Truncated(s_smile) : i % 2 == 0 ? s_smile : s_neutral, $"{i} \"ö\"/.png");
            }
        }
    }

    [Fact]
    public async Task Who_stops_reading_many_results_stops_their_requests()
    {
        await foreach (var result in Smiles.ClassifyManyAsync(EndlessAsync(), s_whole))
        {
            if (result.Index == 20)
            {
                break;
            }
        }

        using var giveUp = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var result in Smiles.ClassifyManyAsync(EndlessAsync(), s_whole, giveUp.Token))
            {
                await giveUp.CancelAsync();
            }
        });

        static async IAsyncEnumerable<SmilePicture> EndlessAsync()
        {
            while (true)
            {
                await Task.Yield();
                yield return new SmilePicture(s_smile);
            }
        }
    }

    [Fact]
    public async Task What_was_turned_away_is_sent_again_after_as_long_as_the_service_says()
    {
        var (process, http) = await ServiceProcess.StartAsync(("RateLimit__Requests", "2"), ("RateLimit__WindowSeconds", "2"));
        using (http)
        await using (process)
        {
            await using var services = Services(options => options.Address = http.BaseAddress!);
            var smiles = services.GetRequiredService<SmileClient>();

            for (var i = 0; i < 4; i++)
            {
                using var stream = new MemoryStream(s_smile);
                Assert.True((await smiles.ClassifyAsync(stream, s_whole)).Smile);
            }

            // What cannot be sent again is not.
            await smiles.ClassifyAsync(s_smile, s_whole);
            await using var once = new Forward(s_smile);
            var refused = await Assert.ThrowsAsync<SmileApiException>(() => smiles.ClassifyAsync(once, s_whole));
            Assert.Equal((429, "rate-limited"), (refused.Status, refused.Kind));
            Assert.InRange(refused.RetryAfter!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        }
    }

    /// <summary>A proxy may pass on the beginning of an answer, and then lose its server.</summary>
    [Fact]
    public async Task An_answer_that_breaks_off_is_asked_for_again_and_one_that_stalls_is_given_up_in_time()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var served = ServeAsync(listener, whole: 2);
        await using var services = Services(options =>
            (options.Address, options.Timeout) = (new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"), TimeSpan.FromSeconds(20)));
        var smiles = services.GetRequiredService<SmileClient>();
        Assert.True((await smiles.ClassifyAsync(s_smile, s_whole)).Smile);
        Assert.Equal(2, await served);

        await using var impatient = Services(options =>
            (options.Address, options.Timeout) = (new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"), TimeSpan.FromSeconds(1)));
        var stalled = ServeAsync(listener, whole: int.MaxValue, hangUp: false);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient.GetRequiredService<SmileClient>().ClassifyAsync(s_smile, s_whole));
        listener.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => stalled); // Nobody comes any more.

        // Answers with half of a verdict, and from the given time on with all of it.
        async Task<int> ServeAsync(TcpListener at, int whole, bool hangUp = true)
        {
            var verdict = await app.ClassifyAsync(s_smile, "?faces=whole");
            var json = Encoding.UTF8.GetBytes(verdict.GetRawText());
            var stalling = new List<TcpClient>();
            try
            {
                for (var time = 1; ; time++)
                {
                    var connection = await at.AcceptTcpClientAsync();
                    stalling.Add(connection);
                    var stream = connection.GetStream();
                    var buffer = new byte[64 << 10];
                    for (int read = 0, more = 1; read < s_smile.Length && more > 0; read += more)
                    {
                        more = await stream.ReadAsync(buffer);
                    }

                    await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {json.Length}\r\n\r\n"));
                    await stream.WriteAsync(time < whole ? json.AsMemory(0, json.Length / 2) : json);
                    if (time == whole)
                    {
                        return time;
                    }

                    if (hangUp)
                    {
                        connection.Close();
                    }
                }
            }
            finally
            {
                stalling.ForEach(connection => connection.Dispose());
            }
        }
    }

    [Fact]
    public async Task A_service_that_stops_in_the_middle_of_many_pictures_is_followed_by_the_next_one()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");
        var (first, http) = await ServiceProcess.StartAsync(("Shutdown__TimeoutSeconds", "2"));
        var address = http.BaseAddress!;
        http.Dispose();
        Task<ServiceProcess>? second = null;
        await using (first)
        {
            await using var services = Services(options => (options.Address, options.Retries) = (address, 20));
            var count = 0;
            await foreach (var result in services.GetRequiredService<SmileClient>().ClassifyManyAsync(PicturesAsync(), s_whole))
            {
                Assert.Equal((count++, true), (result.Index, result.EnsureVerdict().Smile));
                if (count == 20)
                {
                    second = ReplaceAsync();
                }
            }

            Assert.Equal(300, count);
            await using var other = await second!;
            Assert.Contains(" POST /classify/batch 200", other.Output, StringComparison.Ordinal);
        }

        async Task<ServiceProcess> ReplaceAsync()
        {
            Assert.Equal(0, await first.StopAsync());
            return (await ServiceProcess.StartAsync(("ASPNETCORE_URLS", ""), ("URLS", ""), ("Kestrel__Endpoints__Http__Url", address.ToString()))).Process;
        }

        async IAsyncEnumerable<SmilePicture> PicturesAsync()
        {
            for (var i = 0; i < 300; i++)
            {
                // The first ones come before the service is asked to stop, and the last when it has.
                await (i > 100 && second is not null ? first.ExitAsync() : Task.Delay(0));
                yield return new SmilePicture(s_smile);
            }
        }
    }

    [Fact]
    public async Task Settings_that_make_no_sense_are_named()
    {
        await using var services = Services(options => options.Retries = -1);

        Assert.Contains("Retries", Assert.Throws<OptionsValidationException>(services.GetRequiredService<SmileClient>).Message, StringComparison.Ordinal);
    }

    private static ServiceProvider Services(Action<SmileClientOptions> configure)
    {
        var services = new ServiceCollection();
        services.AddSmileClient(configure);
        return services.BuildServiceProvider();
    }

    /// <summary>A stream that cannot seek.</summary>
    private sealed class Forward(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
