using System.Diagnostics.Metrics;
using SmileApi.Imaging;
using SmileApi.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Classify;

public sealed class ConcurrencyTests(SmileApp app)
{
    private const int Callers = 64;

    [Fact]
    public async Task Many_callers_at_once_each_get_their_own_answer_although_their_faces_share_runs()
    {
        var pictures = Enumerable.Range(0, Callers).Select(i => Make.Jpeg(120 + i, 150, seed: i)).ToArray();
        var oneByOne = new List<float>();
        foreach (var picture in pictures)
        {
            oneByOne.Add(await app.ProbabilityAsync(picture));
        }

        Assert.Equal(Callers, oneByOne.Distinct().Count());
        using var batches = new BatchSizes("smile");

        // Each caller sends every picture, one after the other, beginning with its own: at any moment all are different.
        var callers = Enumerable.Range(0, Callers).Select(async caller =>
        {
            for (var i = 0; i < Callers; i++)
            {
                var picture = (caller + i) % Callers;

                // A batch may add up in another order than a lone face; the last bits differ, nothing more.
                Assert.Equal(oneByOne[picture], await app.ProbabilityAsync(pictures[picture]), 1e-6f);
            }
        });
        await Task.WhenAll(callers);

        TestContext.Current.TestOutputHelper!.WriteLine($"{Callers} callers with {Callers} pictures each, mean batch {batches.Mean:0.00} faces");
        Assert.True(batches.Mean > 1, $"The mean batch had {batches.Mean} faces.");
    }

    [Fact]
    public async Task Photographs_of_many_callers_share_the_runs_of_every_network_and_each_gets_its_own_faces()
    {
        var photographs = Enumerable.Range(0, 16).Select(i =>
        {
            using var photograph = new Photograph(320, 240, seed: i).With(new FaceSquare(20 + 5 * i, 30, 70 + i), i % 2 == 0).With(new FaceSquare(210, 100 + i, 60), i % 2 == 1);
            return photograph.Png();
        }).ToArray();
        var oneByOne = new List<string>();
        foreach (var photograph in photographs)
        {
            oneByOne.Add(await FacesAsync(photograph));
        }

        Assert.Equal(photographs.Length, oneByOne.Distinct().Count());
        BatchSizes[] batches = [new("find"), new("check"), new("smile")];
        var callers = Enumerable.Range(0, 32).Select(async caller =>
        {
            for (var i = 0; i < photographs.Length; i++)
            {
                var photograph = (caller + i) % photographs.Length;
                Assert.Equal(oneByOne[photograph], await FacesAsync(photographs[photograph]));
            }
        });
        await Task.WhenAll(callers);

        foreach (var sizes in batches)
        {
            TestContext.Current.TestOutputHelper!.WriteLine($"network {sizes.Network}: mean batch {sizes.Mean:0.00}");
            Assert.True(sizes.Mean > 1, $"The mean batch of the network {sizes.Network} had {sizes.Mean} pictures.");
            sizes.Dispose();
        }

        // Boxes and verdicts; a batch may add up in another order than a lone picture, which the last digits show.
        async Task<string> FacesAsync(byte[] photograph) => string.Join("; ", (await app.ClassifyAsync(photograph)).GetProperty("faces").EnumerateArray()
            .Select(face => $"{face.GetProperty("box")} {face.GetProperty("smile")} {face.GetProperty("probability").GetSingle():0.000}"));
    }

    [Fact]
    public async Task One_corrupt_picture_among_many_harms_nobody_else()
    {
        var pictures = Enumerable.Range(0, Callers).Select(i => Make.Jpeg(120 + i, 150, seed: i)).ToArray();
        var expected = await Task.WhenAll(pictures.Select(app.ProbabilityAsync));
        var corrupt = Make.Truncated(pictures[17]);

        for (var round = 0; round < 3; round++)
        {
            var refused = app.PostAsync(corrupt);
            var answers = await Task.WhenAll(pictures.Select(app.ProbabilityAsync));

            Assert.All(answers.Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-6f));
            using var response = await refused;
            await ProblemAssert.IsAsync(response, 422, "picture-truncated");
        }
    }

    [Fact]
    public async Task Callers_who_give_up_harm_nobody_else()
    {
        var pictures = Enumerable.Range(0, Callers).Select(i => Make.Jpeg(120 + i, 150, seed: i)).ToArray();
        var expected = await Task.WhenAll(pictures.Select(app.ProbabilityAsync));
        using var impatience = new CancellationTokenSource();
        var abandoned = pictures.Select(async picture =>
        {
            using var content = new ByteArrayContent(picture);
            using var response = await app.Http.PostAsync(new Uri("/classify?faces=whole", UriKind.Relative), content, impatience.Token);
        }).ToArray();
        await Task.WhenAny(abandoned);
        await impatience.CancelAsync();

        var answers = await Task.WhenAll(pictures.Select(app.ProbabilityAsync));

        Assert.All(answers.Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-6f));
        foreach (var caller in abandoned)
        {
            // Each was either answered before it gave up, or gave up.
            Assert.True(await Record.ExceptionAsync(() => caller) is null or OperationCanceledException);
        }
    }

    /// <summary>Listens to the service's own measurement of a network's batch sizes.</summary>
    private sealed class BatchSizes : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _runs;
        private long _faces;

        public BatchSizes(string network)
        {
            Network = network;
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == SmileMetrics.MeterName && instrument.Name == "smileapi.batch.size")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<int>((_, size, tags, _) =>
            {
                if ((string?)tags[0].Value == network)
                {
                    Interlocked.Increment(ref _runs);
                    Interlocked.Add(ref _faces, size);
                }
            });
            _listener.Start();
        }

        public string Network { get; }

        public double Mean => (double)_faces / _runs;

        public void Dispose() => _listener.Dispose();
    }
}
