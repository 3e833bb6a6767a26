using System.Buffers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using SmileApi.Batching;
using SmileApi.Faces;
using SmileApi.Imaging;
using SmileApi.Inference;
using SmileApi.Models;
using SmileApi.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Batching;

/// <summary>Runs padded to fixed shapes, as on GPUs, by real sessions on the CPU: they answer as runs without padding do.</summary>
public sealed class FixedShapeTests
{
    private const int MaxBatch = 11;

    [Theory]
    [InlineData(1, new[] { 1 })]
    [InlineData(5, new[] { 1, 2, 4, 8 })]
    [InlineData(64, new[] { 1, 2, 4, 8, 16, 32, 64 })]
    public void Batches_are_powers_of_two(int maxBatch, int[] sizes) => Assert.Equal(sizes, FixedShapes.Batches(maxBatch));

    [Fact]
    public void Every_count_of_faces_gives_each_its_own_probability()
    {
        using var plain = Smile(Device.Cpu);
        using var padded = Smile(Device.StandIn(0));
        using var one = plain.CreateRunner(1);
        using var runner = padded.CreateRunner(MaxBatch);
        var faces = Noise(MaxBatch, FaceCrop.Length);
        var expected = new float[MaxBatch];
        for (var i = 0; i < MaxBatch; i++)
        {
            one.Run([faces[i]], expected.AsSpan(i, 1));
        }

        Assert.True(expected.Max() - expected.Min() > 1e-3, "Faces that are judged alike tell nothing.");
        foreach (var count in new[] { 1, 3, 11, 8, 2, 5 })
        {
            // Always other faces in other places, with those of the run before behind them.
            var shift = count % MaxBatch;
            var some = Enumerable.Range(0, count).Select(i => faces[(i + shift) % MaxBatch]).ToArray();
            var probabilities = new float[count];
            runner.Run(some, probabilities);
            Assert.All(probabilities.Index(), pair => Assert.Equal(expected[(pair.Index + shift) % MaxBatch], pair.Item, 1e-5f));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => runner.Run(new float[MaxBatch + 1][], new float[MaxBatch + 1]));
    }

    [Fact]
    public void Every_count_of_candidates_gives_each_its_own_answer()
    {
        using var plain = Detector(Device.Cpu);
        using var padded = Detector(Device.StandIn(0));
        var candidates = Noise(MaxBatch, WorkKind.Candidate.Pixels);
        using var one = plain.Check.CreateRunner(WorkKind.Candidate.Pixels);
        using var runner = padded.Check.CreateRunner(MaxBatch * WorkKind.Candidate.Pixels);
        foreach (var count in new[] { 1, 7, 11, 2 })
        {
            var answers = Run(runner, candidates[^count..], WorkKind.Candidate);
            for (var i = 0; i < count; i++)
            {
                Equal(Run(one, [candidates[^count..][i]], WorkKind.Candidate)[0], answers[i], 5);
            }
        }
    }

    [Theory]
    [InlineData(128, 64, 5)] // A fixed shape: only the batch is padded.
    [InlineData(112, 80, 3)]
    [InlineData(16, 16, 11)]
    [InlineData(272, 400, 3)] // More than one run of the padded shape can hold.
    [InlineData(640, 624, 1)]
    public void A_padded_tile_gives_the_map_of_the_tile_with_the_mean_around_it(int width, int height, int count)
    {
        using var plain = Detector(Device.Cpu);
        using var padded = Detector(Device.StandIn(0));
        using var one = plain.Find.CreateRunner(WorkKind.FindPixels);
        using var runner = padded.Find.CreateRunner(WorkKind.FindPixels);
        var tiles = Noise(count, width * height);

        var answers = Run(runner, tiles, WorkKind.Tile(width, height));

        var (w, h) = (FixedShapes.Side(width), FixedShapes.Side(height));
        var (columns, rows) = (width / 8, height / 8);
        for (var i = 0; i < count; i++)
        {
            var whole = new float[w * h];
            for (var y = 0; y < height; y++)
            {
                tiles[i].AsSpan(y * width, width).CopyTo(whole.AsSpan(y * w));
            }

            var map = Run(one, [whole], WorkKind.Tile(w, h))[0];
            var expected = from plane in Enumerable.Range(0, 4) from row in Enumerable.Range(0, rows) from column in Enumerable.Range(0, columns)
                           select map[(plane * (h / 8) + row) * (w / 8) + column];
            Equal([.. expected], answers[i], 4 * rows * columns);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(48)]
    [InlineData(64)]
    public void What_is_warm_is_every_shape_that_can_come(int maxBatch)
    {
        var warm = new HashSet<(Network Network, int Width, int Height, int Batch)>();
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var runners = new SessionRunners(
            Device.StandIn(0), new Sessions(() => (Note, () => { }), () => { }), () => throw new InvalidOperationException(), failureLimit: 3, TimeProvider.System,
            new SmileMetrics(services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>()), NullLogger<SessionRunners>.Instance);

        runners.Warm(maxBatch, CancellationToken.None);

        Assert.All(Enumerable.Range(1, maxBatch), count => Assert.Contains((Network.Smile, 100, 100, FixedShapes.Batch(count)), warm));
        Assert.All(Enumerable.Range(1, maxBatch), count => Assert.Contains((Network.Check, 40, 40, FixedShapes.Batch(count)), warm));
        for (var width = 16; width <= FaceSearch.MaxTileSide; width += 16)
        {
            for (var height = 16; height <= FaceSearch.MaxTileSide; height += 16)
            {
                var kind = WorkKind.Tile(width, height);
                for (var count = 1; count <= kind.MaxBatch(maxBatch); count++)
                {
                    Assert.All(Shapes(kind, count), shape => Assert.Contains(shape, warm));
                }
            }
        }

        void Note(WorkKind kind, ReadOnlySpan<float[]> images, Span<float[]> answers)
        {
            warm.UnionWith(Shapes(kind, images.Length));
            foreach (ref var answer in answers)
            {
                answer = ArrayPool<float>.Shared.Rent(1);
            }
        }

        // What the runners do, as their own tests above show.
        static IEnumerable<(Network, int, int, int)> Shapes(WorkKind kind, int count)
        {
            var (width, height) = kind.Network == Network.Find ? (FixedShapes.Side(kind.Width), FixedShapes.Side(kind.Height)) : (kind.Width, kind.Height);
            var most = kind.Network == Network.Find ? FixedShapes.Batches(WorkKind.FindPixels / (width * height)).Last(size => size * width * height <= WorkKind.FindPixels) : count;
            for (; count > 0; count -= most)
            {
                yield return (kind.Network, width, height, FixedShapes.Batch(Math.Min(most, count)));
            }
        }
    }

    [Fact]
    public async Task On_stand_ins_for_two_devices_with_two_sessions_each_the_service_answers_as_on_the_cpu()
    {
        await using var gpus = Service([.. s_devices, .. s_devices]);
        await using var cpu = Service([Device.Cpu]);
        using var http = gpus.CreateClient();
        using var reference = cpu.CreateClient();

        var card = await http.GetFromJsonAsync<JsonElement>(new Uri("/model", UriKind.Relative));
        Assert.Equal(["stand-in:0", "stand-in:1"], card.GetProperty("devices").EnumerateArray().Select(device => device.GetString()));
        var metrics = await http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Matches("(?m)smileapi_inference_sessions{[^}]*device=\"stand-in:1\"[^}]*} 2$", metrics);
        Assert.Equal(64, gpus.Services.GetRequiredService<Microsoft.Extensions.Options.IOptions<BatchingOptions>>().Value.ResolvedMaxBatch);
        Assert.Equal(4, gpus.Services.GetRequiredService<Microsoft.Extensions.Options.IOptions<BatchingOptions>>().Value.ResolvedRunners);

        foreach (var sample in new[] { "mean-smile.png", "mean-neutral.png" })
        {
            var expected = Assert.Single(await FacesAsync(reference, Repository.Sample(sample)));
            var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => FacesAsync(http, Repository.Sample(sample))));
            Assert.All(answers, answer =>
            {
                Assert.Equal(expected.Probability, Assert.Single(answer).Probability, 0.01);
                Assert.True(answer[0].IsWhere(expected));
            });
        }
    }

    [Fact]
    public async Task On_real_photographs_padding_changes_little()
    {
        Assert.SkipUnless(RealFaces.AreHere, RealFaces.Missing);
        await using var padded = Service([s_devices[0]]);
        await using var plain = Service([Device.Cpu]);
        using var http = padded.CreateClient();
        using var reference = plain.CreateClient();
        var (both, onlyPlain, onlyPadded, difference) = (0, 0, 0, 0.0);
        foreach (var photo in RealFaces.Photographs())
        {
            var (expected, actual) = (await FacesAsync(reference, photo), await FacesAsync(http, photo));
            foreach (var face in expected)
            {
                var match = actual.FirstOrDefault(other => other.IsWhere(face));
                (both, onlyPlain) = match is null ? (both, onlyPlain + 1) : (both + 1, onlyPlain);
                difference = Math.Max(difference, Math.Abs((match?.Probability ?? face.Probability) - face.Probability));
            }

            onlyPadded += actual.Count(face => !expected.Any(other => other.IsWhere(face)));
        }

        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{both} faces found by both, {onlyPlain} only without padding, {onlyPadded} only with it; largest difference of probability {difference:F4}");
        Assert.InRange(both, 150, int.MaxValue);
        Assert.InRange(onlyPlain + onlyPadded, 0, both / 25);
        Assert.InRange(difference, 0, 0.1);
    }

    [Fact]
    public async Task Models_on_a_device_are_tried_there_before_they_are_served()
    {
        using var smile = Smile(Device.StandIn(0));
        using var faces = Detector(Device.StandIn(0));

        Assert.Null(await GoldenCheck.WhatIsWrongAsync(smile, faces, CancellationToken.None));
        using var again = smile.Reopen();
        Assert.Same(smile.Device, again.Device);
        using var elsewhere = smile.Reopen(Device.Cpu);
        Assert.Same(Device.Cpu, elsewhere.Device);
    }

    private static readonly Device[] s_devices = [Device.StandIn(0), Device.StandIn(1)];

    private static WebApplicationFactory<Program> Service(Device[] sessions) => new WebApplicationFactory<Program>().WithWebHostBuilder(host => host
        .UseSetting("Serilog:MinimumLevel:Default", "Fatal").UseSetting("Serilog:MinimumLevel:Override:Microsoft.AspNetCore", "Fatal")
        .UseSetting("Serilog:MinimumLevel:Override:Microsoft.Hosting.Lifetime", "Fatal")
        .UseSetting("Requests:MaxInFlight", "1000").UseSetting("Requests:MaxInFlightSustained", "1000")
        .ConfigureTestServices(services => services.AddSingleton(new InferenceDevices(sessions))));

    private static async Task<Face[]> FacesAsync(HttpClient http, byte[] photo)
    {
        using var picture = new ByteArrayContent(photo);
        using var response = await http.PostAsync(new Uri("/classify", UriKind.Relative), picture);
        var faces = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("faces").EnumerateArray();
        return [.. faces.Select(face =>
        {
            var box = face.GetProperty("box");
            return new Face(box.GetProperty("x").GetDouble(), box.GetProperty("y").GetDouble(), box.GetProperty("width").GetDouble(), face.GetProperty("probability").GetDouble());
        })];
    }

    private sealed record Face(double X, double Y, double Side, double Probability)
    {
        /// <summary>Whether both are the same face of a picture, a twentieth of its side apart at most.</summary>
        public bool IsWhere(Face other) =>
            new[] { X - other.X, Y - other.Y, Side - other.Side }.All(distance => Math.Abs(distance) <= 1 + other.Side / 20);
    }

    private static SmileModel Smile(Device device) =>
        SmileModel.TryLoad(Path.Combine(Repository.Root, "models", "smile.onnx"), device, out var model, out var reason) ? model : throw new InvalidOperationException(reason);

    private static FaceDetector Detector(Device device) => FaceDetector.TryLoad(
        Path.Combine(Repository.Root, "models", "faces.onnx"), Path.Combine(Repository.Root, "models", "faces-check.onnx"), device, out var detector, out var reason)
        ? detector : throw new InvalidOperationException(reason);

    private static float[][] Noise(int count, int pixels)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, count).Select(i => Enumerable.Range(0, pixels).Select(_ => (float)((random.NextDouble() - 0.5) * (1 + i / 3.0) + i % 3 - 1)).ToArray())];
    }

    private static float[][] Run(FaceRunner runner, float[][] images, WorkKind kind)
    {
        var answers = new float[images.Length][];
        runner.Run(images, kind.Width, kind.Height, answers);
        return answers;
    }

    private static void Equal(float[] expected, float[] actual, int length)
    {
        for (var i = 0; i < length; i++)
        {
            Assert.Equal(expected[i], actual[i], 1e-4f);
        }
    }
}
