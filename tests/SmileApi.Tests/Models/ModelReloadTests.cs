using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using SmileApi.Batching;
using SmileApi.Imaging;
using SmileApi.Inference;
using SmileApi.Tests.Classify;
using SmileApi.Tests.Faces;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Models;

/// <summary><c>POST /admin/model</c>: what may be named, what is refused, and that a picture is judged by one set of models.</summary>
public sealed class ModelReloadTests(SmileApp app, ModelReloadTests.Refusals refusals) : IClassFixture<ModelReloadTests.Refusals>
{
    private static readonly byte[] s_other = OtherModel.Of("1.2.9", bias => bias + 2);

    [Fact]
    public async Task Without_a_key_in_the_configuration_there_is_no_such_address()
    {
        using var content = new StringContent("""{"file":"smile.onnx"}""", Encoding.UTF8, "application/json");
        using var response = await app.Http.PostAsync(new Uri("/admin/model", UriKind.Relative), content);

        await ProblemAssert.IsAsync(response, 404, "not-found");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("the wrong key")]
    public async Task Without_the_right_key_nothing_is_read_and_nothing_changes(string? key)
    {
        await using var service = new Service();

        using var response = await service.ReloadAsync("not even JSON", key);

        await ProblemAssert.IsAsync(response, 401, "admin-key-invalid");
        Assert.Equal("X-Admin-Key", response.Headers.WwwAuthenticate.Single().Scheme);
        Assert.Equal("1.2.0", await service.VersionAsync());
    }

    [Fact]
    public async Task Other_models_are_served_from_the_next_picture_on_and_back_again()
    {
        await using var service = new Service();
        service.Write("next.onnx", s_other);
        var picture = Make.Jpeg(120, 150, seed: 1);
        var before = await service.JudgeAsync(picture);

        using (var response = await service.ReloadAsync("""{"file":"next.onnx"}"""))
        {
            var card = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
            Assert.True(response.IsSuccessStatusCode, card.ToString());
            Assert.Equal("1.2.9", card.GetProperty("version").GetString());
        }

        Assert.Equal("1.2.9", await service.VersionAsync());
        var after = await service.JudgeAsync(picture);
        Assert.Equal(("1.2.0", "1.2.9"), (before.Version, after.Version));
        Assert.Equal(Logit(before.Probability) + 2, Logit(after.Probability), 1e-3);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(s_other)), after.Sha256);

        using var back = await service.ReloadAsync("""{"file":"smile.onnx","find":"faces.onnx","check":"faces-check.onnx"}""");
        Assert.True(back.IsSuccessStatusCode);
        Assert.Equal(before, await service.JudgeAsync(picture));

        // The first two sets are closed; the third is in use.
        Assert.Equal((3, 2), (service.Opened, service.Closed));
    }

    [Fact]
    public async Task The_network_in_8_bits_is_served_in_place_of_the_one_in_32_and_keeps_its_story()
    {
        await using var service = new Service();
        service.Write("smile-int8.onnx", await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "models", "smile-int8.onnx")));
        foreach (var file in new[] { "history.json", "story.json" })
        {
            service.Write(Path.Combine("training", file), await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "models", "training", file)));
        }

        byte[][] pictures = [Repository.Sample("mean-smile.png"), Repository.Sample("mean-neutral.png"), Make.Jpeg(120, 150, seed: 1)];
        var before = new List<Judgement>();
        foreach (var picture in pictures)
        {
            before.Add(await service.JudgeAsync(picture));
        }

        using var response = await service.ReloadAsync("""{"file":"smile-int8.onnx"}""");

        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        foreach (var (picture, whole) in pictures.Zip(before))
        {
            var small = await service.JudgeAsync(picture);
            Assert.Equal("1.2.0+int8", small.Version);
            Assert.Equal(whole.Probability, small.Probability, 0.05f);
        }

        Assert.Equal("1.2.0", JsonDocument.Parse(await service.GetAsync("/model/history")).RootElement.GetProperty("version").GetString());
    }

    [Fact]
    public async Task An_answer_that_was_kept_is_not_given_for_other_models()
    {
        await using var service = new Service(("Cache:MaxBytes", "100000"));
        service.Write("next.onnx", s_other);
        var picture = Make.Jpeg(120, 150, seed: 1);
        var before = await service.JudgeAsync(picture);
        Assert.Equal(before, await service.JudgeAsync(picture));

        using var reloaded = await service.ReloadAsync("""{"file":"next.onnx"}""");
        var after = await service.JudgeAsync(picture);
        Assert.Equal("1.2.9", after.Version);
        Assert.Equal(Logit(before.Probability) + 2, Logit(after.Probability), 1e-3);

        using var back = await service.ReloadAsync("""{"file":"smile.onnx"}""");
        Assert.Equal(before, await service.JudgeAsync(picture));
    }

    [Fact]
    public async Task A_picture_that_is_being_judged_is_judged_to_its_end_and_named_by_the_models_it_began_with()
    {
        await using var service = new Service();
        service.Write("next.onnx", s_other);
        using var photograph = new Photograph(320, 240).With(new FaceSquare(90, 50, 120), smile: false);
        var picture = photograph.Png();
        var before = await service.JudgeAsync(picture, "detect");
        using (service.HoldRuns(Network.Find, ofModelsToCome: false))
        {
            var underWay = service.JudgeAsync(picture, "detect");
            await service.RunHeldAsync();

            using var response = await service.ReloadAsync("""{"file":"next.onnx"}""");

            Assert.True(response.IsSuccessStatusCode);
            Assert.Equal("1.2.9", await service.VersionAsync());
            Assert.Equal((2, 0), (service.Opened, service.Closed));
            service.LetGo();
            Assert.Equal(before, await underWay);
        }

        var after = await service.JudgeAsync(picture, "detect");
        Assert.Equal("1.2.9", after.Version);
        Assert.Equal(Logit(before.Probability) + 2, Logit(after.Probability), 1e-2);
        while (service.Closed == 0)
        {
            await Task.Yield();
        }
    }

    [Theory]
    [InlineData("""{"file":"../models/smile.onnx"}""")]
    [InlineData("""{"file":"/etc/passwd"}""")]
    [InlineData("""{"file":"sub/smile.onnx"}""")]
    [InlineData("""{"file":"sub\\smile.onnx"}""")]
    [InlineData("""{"file":"C:smile.onnx"}""")]
    [InlineData("""{"file":".."}""")]
    [InlineData("""{"file":"."}""")]
    [InlineData("""{"file":""}""")]
    [InlineData("""{"file":"smile.onnx\u0000"}""")]
    [InlineData("""{"file":7}""")]
    [InlineData("""{"path":"smile.onnx"}""")]
    [InlineData("""{"find":"faces.onnx"}""")]
    [InlineData("""{"file":"smile.onnx","check":"faces-check.onnx"}""")]
    [InlineData("""{"find":"faces.onnx","check":"../faces-check.onnx"}""")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("smile.onnx")]
    public async Task Whatever_is_not_the_bare_name_of_a_file_is_a_malformed_request(string body)
    {
        using var response = await Shared.ReloadAsync(body);

        await ProblemAssert.IsAsync(response, 400, "malformed-request");
        Assert.Equal("1.2.0", await Shared.VersionAsync());
    }

    [Theory]
    [InlineData("nothing.onnx", "There is no file 'nothing.onnx' in the models folder.")]
    [InlineData("sub", "There is no file 'sub'")]
    [InlineData("no-model.onnx", "is not a readable ONNX file")]
    [InlineData("cut-off.onnx", "is not a readable ONNX file")]
    [InlineData("faces.onnx", "was not made by the smile trainer")]
    [InlineData("no-number.onnx", "no probability")]
    [InlineData("all-smile.onnx", "for a face that smiles and")]
    [InlineData("out.onnx", "'out.onnx' is a link that leads out of the models folder.")]
    [InlineData("out-by-folder.onnx", "'out-by-folder.onnx' is a link that leads out of the models folder.")]
    [InlineData("circle.onnx", "'circle.onnx' cannot be read")]
    public async Task A_file_that_cannot_be_served_is_refused_with_the_reason_and_the_old_model_goes_on(string file, string reason)
    {
        using var response = await Shared.ReloadAsync(JsonSerializer.Serialize(new { file }));

        var detail = await ProblemAssert.IsAsync(response, 422, "model-refused");
        Assert.Contains(reason, detail, StringComparison.Ordinal);
        Assert.EndsWith("What was served before still is.", detail, StringComparison.Ordinal);
        Assert.Equal("1.2.0", await Shared.VersionAsync());
        Assert.Equal("1.2.0", (await Shared.JudgeAsync(Make.Jpeg(120, 150, seed: 1))).Version);
        Assert.Equal(Shared.Opened, Shared.Closed + 1);
    }

    [Theory]
    [InlineData("blind.onnx", "The detector finds no face in mean-smile.png.")]
    [InlineData("faces.onnx", "it is the stage 'find' of the detector, where the stage 'check' must be")]
    public async Task A_detector_that_finds_no_face_is_refused(string check, string reason)
    {
        using var response = await Shared.ReloadAsync(JsonSerializer.Serialize(new { find = "faces.onnx", check }));

        Assert.Contains(reason, await ProblemAssert.IsAsync(response, 422, "model-refused"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_link_that_stays_in_the_folder_is_followed()
    {
        await using var service = new Service();
        service.Write("1.2.9/smile.onnx", s_other);
        Directory.CreateSymbolicLink(service.File("..data"), "1.2.9");
        File.CreateSymbolicLink(service.File("linked.onnx"), Path.Combine("..data", "smile.onnx"));

        using var response = await service.ReloadAsync("""{"file":"linked.onnx"}""");

        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        Assert.Equal("1.2.9", await service.VersionAsync());
    }

    [Fact]
    public async Task While_models_are_being_loaded_others_are_refused()
    {
        await using var service = new Service();
        using (service.HoldRuns(Network.Smile, ofModelsToCome: true))
        {
            var first = service.ReloadAsync("""{"file":"smile.onnx"}""");
            await service.RunHeldAsync(); // It is warming up.

            using var second = await service.ReloadAsync("""{"file":"smile.onnx"}""");

            await ProblemAssert.IsAsync(second, 409, "reload-in-progress");
            service.LetGo();
            Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
        }
    }

    [Fact]
    public async Task A_configured_file_that_changes_is_served_when_that_is_wanted()
    {
        await using var service = new Service(("Model:Watch", "true"));
        service.Write("new", s_other);
        File.Move(service.File("new"), service.File("smile.onnx"), overwrite: true);

        while (await service.VersionAsync() != "1.2.9")
        {
            await Task.Delay(50); // The file is looked at every few seconds.
        }
    }

    private static double Logit(double probability) => Math.Log(probability / (1 - probability));

    /// <summary>One service for all that is refused.</summary>
    public sealed class Refusals : IAsyncDisposable
    {
        public Refusals()
        {
            var service = Service;
            service.Write("no-model.onnx", "this is no model"u8.ToArray());
            service.Write("cut-off.onnx", OtherModel.Committed[..1_000_000]);
            service.Write("no-number.onnx", OtherModel.Of("1.2.9", _ => float.NaN));
            service.Write("all-smile.onnx", OtherModel.Of("1.2.9", _ => 1e9f));
            service.Write("blind.onnx", TinyDetector.CheckModel(logit: -40));
            service.Write("sub/smile.onnx", OtherModel.Committed);
            File.CreateSymbolicLink(service.File("out.onnx"), Path.Combine(Repository.Root, "models", "smile.onnx"));
            Directory.CreateSymbolicLink(service.File("outside"), Path.Combine(Repository.Root, "models"));
            File.CreateSymbolicLink(service.File("out-by-folder.onnx"), Path.Combine("outside", "smile.onnx"));
            File.CreateSymbolicLink(service.File("circle.onnx"), "circle.onnx");
        }

        internal Service Service { get; } = new();

        public ValueTask DisposeAsync() => Service.DisposeAsync();
    }

    private Service Shared => refusals.Service;

    internal sealed record Judgement(string Version, string Sha256, float Probability);

    /// <summary>The real service over a models folder of its own, whose runs can be held.</summary>
    internal sealed class Service : IAsyncDisposable
    {
        private const string Key = "open, sesame";

        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("smile-test-");
        private readonly WebApplicationFactory<Program> _factory;
        private readonly HttpClient _http;
        private readonly SemaphoreSlim _held = new(0);
        private readonly ManualResetEventSlim _gate = new(initialState: true);
        private (Network Network, bool ToCome, int Opened)? _holding;
        private int _opened;
        private int _closed;

        public Service(params (string Name, string Value)[] settings)
        {
            foreach (var name in new[] { "smile.onnx", "faces.onnx", "faces-check.onnx" })
            {
                System.IO.File.Copy(Path.Combine(Repository.Root, "models", name), File(name));
            }

            _factory = new WebApplicationFactory<Program>().WithWebHostBuilder(host =>
            {
                host.UseSetting("Serilog:MinimumLevel:Default", "Fatal").UseSetting("Serilog:MinimumLevel:Override:Microsoft.AspNetCore", "Fatal");
                host.UseSetting("Batching:RunTimeoutSeconds", "600"); // Held runs are not to be given up.
                host.UseSetting("Model:Folder", _folder.FullName).UseSetting("Model:Path", File("smile.onnx"));
                host.UseSetting("Admin:KeyHash", Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Key))));
                foreach (var (name, value) in settings)
                {
                    host.UseSetting(name, value);
                }

                host.ConfigureTestServices(services => services.AddSingleton<OpenSessions>(Open));
            });
            _http = _factory.CreateClient();
        }

        public int Opened => _opened;

        public int Closed => _closed;

        public string File(string name) => Path.Combine(_folder.FullName, name);

        public void Write(string name, byte[] content)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(File(name))!);
            System.IO.File.WriteAllBytes(File(name), content);
        }

        public async Task<HttpResponseMessage> ReloadAsync(string body, string? key = Key)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/model") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
            if (key is not null)
            {
                request.Headers.TryAddWithoutValidation("X-Admin-Key", key);
            }

            return await _http.SendAsync(request);
        }

        public Task<string> GetAsync(string path) => _http.GetStringAsync(new Uri(path, UriKind.Relative));

        public async Task<string> VersionAsync() => JsonDocument.Parse(await GetAsync("/model")).RootElement.GetProperty("version").GetString()!;

        public async Task<Judgement> JudgeAsync(byte[] picture, string faces = "whole")
        {
            using var content = new ByteArrayContent(picture);
            using var response = await _http.PostAsync(new Uri($"/classify?faces={faces}", UriKind.Relative), content);
            var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
            var model = answer.GetProperty("model");
            return new Judgement(model.GetProperty("version").GetString()!, model.GetProperty("sha256").GetString()!, answer.GetProperty("probability").GetSingle());
        }

        /// <summary>Holds every run of a network, of the models that are served now or of those that come, until this is disposed.</summary>
        public IDisposable HoldRuns(Network network, bool ofModelsToCome)
        {
            _gate.Reset();
            _holding = (network, ofModelsToCome, _opened);
            return new Holding(this);
        }

        public Task RunHeldAsync() => _held.WaitAsync();

        public void LetGo()
        {
            _holding = null;
            _gate.Set();
        }

        public async ValueTask DisposeAsync()
        {
            _http.Dispose();
            await _factory.DisposeAsync();
            _folder.Delete(recursive: true);
        }

        private Sessions Open(SmileModel smile, SmileApi.Faces.FaceDetector faces)
        {
            var number = Interlocked.Increment(ref _opened);
            var real = OnnxSessions.Open(smile, faces, maxBatch: 8);
            return new Sessions(
                () =>
                {
                    var runner = real.CreateRunner();
                    return ((kind, images, answers) => Run(number, runner, kind, images, answers), runner.Dispose);
                },
                () =>
                {
                    real.Release();
                    Interlocked.Increment(ref _closed);
                });
        }

        private void Run(int number, Runner runner, WorkKind kind, ReadOnlySpan<float[]> images, Span<float[]> answers)
        {
            if (_holding is { } holding && holding.Network == kind.Network && holding.ToCome == number > holding.Opened)
            {
                _held.Release();
                _gate.Wait();
            }

            runner.Run(kind, images, answers);
        }

        private sealed class Holding(Service service) : IDisposable
        {
            public void Dispose() => service.LetGo();
        }
    }
}
