using System.Diagnostics.Metrics;
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
        using var batches = new BatchSizes();

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

    /// <summary>Listens to the service's own measurement of batch sizes.</summary>
    private sealed class BatchSizes : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _runs;
        private long _faces;

        public BatchSizes()
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == SmileMetrics.MeterName && instrument.Name == "smileapi.batch.size")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<int>((_, size, _, _) =>
            {
                Interlocked.Increment(ref _runs);
                Interlocked.Add(ref _faces, size);
            });
            _listener.Start();
        }

        public double Mean => (double)_faces / _runs;

        public void Dispose() => _listener.Dispose();
    }
}
