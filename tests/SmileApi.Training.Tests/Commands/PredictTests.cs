using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SmileApi.Imaging;
using SmileApi.Tests;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Training.Tests;

/// <summary>The service, for callers with a key.</summary>
public sealed class RunningService : IAsyncLifetime
{
    public const string Key = "a key of the tests";

    private ServiceProcess? _process;
    private HttpClient? _http;

    /// <summary>Where it listens.</summary>
    public string Address => _http!.BaseAddress!.ToString();

    public async ValueTask InitializeAsync() => (_process, _http) = await ServiceProcess.StartAsync(
        ("Access__Keys__0__Name", "predict"), ("Access__Keys__0__Sha256", Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Key)))));

    public async ValueTask DisposeAsync()
    {
        _http?.Dispose();
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }
    }
}

public sealed class PredictTests(RunningService service) : CommandLine, IClassFixture<RunningService>
{
    [Theory]
    [InlineData("nowhere.onnx face.png", "There is no model at")]
    [InlineData("nowhere.onnx", "Name at least one picture")]
    [InlineData("face.png --json --csv", "--json or --csv, not both")]
    [InlineData("face.png --out answer.txt", "say --json or --csv, or end the name so")]
    [InlineData("face.png --threshold 2", "--threshold must be from 0 to 1")]
    [InlineData("face.png --faces some", "Argument 'some' not recognized")]
    [InlineData("face.png --serve localhost", "--serve must be an address such as http://localhost:8080")]
    [InlineData("model.onnx face.png --serve http://localhost", "leave out model.onnx")]
    [InlineData("face.png --serve http://127.0.0.1:1", "http://127.0.0.1:1/ does not answer: ")]
    [InlineData("face.png --out nowhere.json/answer.json", "cannot be written")]
    [InlineData("face.png --json --out .", "'.' cannot be written: name a file, not a folder.")]
    [InlineData("face.png --api-key secret", "--api-key is for a service: name one by --serve.")]
    public void A_wrong_command_is_one_line_on_stderr_and_code_2(string arguments, string message)
    {
        File.WriteAllText(Folder["nowhere.json"], "");
        Fails(message, ["predict", .. arguments.Split(' ')]);
    }

    [Fact]
    public void Pictures_are_predicted_and_unreadable_ones_named()
    {
        WriteModel("model.onnx");
        Draw("face.png");
        File.WriteAllText(Folder["text.jpg"], "not a picture");

        var (code, output, errors) = Smile("predict", "model.onnx", "face.png", "--json");
        Assert.Equal((0, ""), (code, errors));
        var prediction = JsonDocument.Parse(output).RootElement[0];
        Assert.Equal("face.png", prediction.GetProperty("file").GetString());
        Assert.Equal(0.5, prediction.GetProperty("probability").GetDouble());
        Assert.True(prediction.GetProperty("smile").GetBoolean());
        Assert.Equal(JsonValueKind.Null, prediction.GetProperty("problem").ValueKind);
        Assert.Contains("no", Smile("predict", "model.onnx", "face.png", "--threshold", "0.51").Output.Split('│', StringSplitOptions.TrimEntries));

        (code, output, errors) = Smile("predict", "model.onnx", "face.png", "text.jpg", "missing.png");
        Assert.Equal(1, code);
        Assert.Contains("0.5000", output, StringComparison.Ordinal);
        Assert.Collection(
            errors.Trim().Split('\n'),
            line => Assert.StartsWith("text.jpg: ", line, StringComparison.Ordinal),
            line => Assert.Equal("missing.png: There is no such file.", line.Trim()));
    }

    [Fact]
    public void The_model_is_found_in_a_folder_above()
    {
        WriteModel("models/smile.onnx");
        Directory.CreateDirectory(Folder["deep/down"]);
        File.WriteAllBytes(Folder["deep/down/face.png"], GreyPng.Encode(new byte[400], 20, 20));

        var (code, output, errors) = Smile(Folder["deep/down"], ["predict", "face.png", "--json"]);

        Assert.True(code == 0, errors);
        Assert.Equal(0.5, JsonDocument.Parse(output).RootElement[0].GetProperty("probability").GetDouble());
    }

    [Theory]
    [InlineData("/album", "/album/a.png /album/b.JPEG /album/deep/c.png /album/deep/deeper/d.png")]
    [InlineData("/album/*.png", "/album/a.png")]
    [InlineData("/album/*", "/album/a.png /album/b.JPEG /album/notes.txt")]
    [InlineData("/album/**/*.png", "/album/a.png /album/deep/c.png /album/deep/deeper/d.png")]
    [InlineData("/*/*/*.PNG", "/album/deep/c.png")]
    [InlineData("/album/d*/*.png", "/album/deep/c.png")]
    [InlineData("/album/deep /album/a.png /album", "/album/deep/c.png /album/deep/deeper/d.png /album/a.png /album/b.JPEG")]
    [InlineData("/album/notes.txt", "/album/notes.txt")]
    public void Files_folders_and_globs_stand_for_pictures(string names, string pictures)
    {
        MakeAlbum();

        var listed = PictureSearch.List(names.Split(' ').Select(name => Folder.Path + name));

        Assert.Equal(pictures.Split(' ').Select(path => new ListedPicture(Folder.Path + path)), listed);
    }

    [Fact]
    public void Pictures_are_called_as_they_were_named()
    {
        WriteModel("model.onnx");
        MakeAlbum();

        var (code, output, errors) = Smile("predict", "model.onnx", "./album/a*", "**/c.png", "album", "--json");

        Assert.True(code == 0, errors);
        Assert.Equal(
            ["./album/a.png", "album/deep/c.png", "album/b.JPEG", "album/deep/deeper/d.png"],
            JsonDocument.Parse(output).RootElement.EnumerateArray().Select(prediction => prediction.GetProperty("file").GetString()));
    }

    [Fact]
    public void Names_that_stand_for_no_picture_are_told_and_harm_no_other()
    {
        WriteModel("model.onnx");
        Draw("face.png");
        Directory.CreateDirectory(Folder["empty"]);

        var (code, output, errors) = Smile("predict", "model.onnx", "empty", "nowhere/*.png", "*.webp", "face.png", "--csv");

        Assert.Equal(1, code);
        Assert.Equal(
            ["empty: There is no picture (JPEG, PNG, WebP) in this folder.", "nowhere/*.png: No file matches this.", "*.webp: No file matches this."],
            errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(
            [
                "file,face,smile,probability,x,y,width,height,confidence,problem",
                "empty,,,,,,,,,\"There is no picture (JPEG, PNG, WebP) in this folder.\"",
                "nowhere/*.png,,,,,,,,,No file matches this.",
                "*.webp,,,,,,,,,No file matches this.",
                "face.png,1,true,0.5,0,0,100,100,,",
            ],
            output.Split("\r\n", StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void A_file_is_written_in_the_format_of_its_name()
    {
        WriteModel("model.onnx");
        Draw("=face.png");

        Assert.Equal((0, "", ""), Smile("predict", "model.onnx", "=face.png", "--out", "answer.json"));
        Assert.Equal((0, "", ""), Smile("predict", "model.onnx", "=face.png", "--out", "deep/answer.csv"));
        Assert.Equal((0, "", ""), Smile("predict", "model.onnx", "=face.png", "--csv", "--out", "answer"));

        Assert.Equal("=face.png", JsonDocument.Parse(File.ReadAllText(Folder["answer.json"])).RootElement[0].GetProperty("file").GetString());
        Assert.EndsWith("\"'=face.png\",1,true,0.5,0,0,100,100,,\r\n", File.ReadAllText(Folder["deep/answer.csv"]), StringComparison.Ordinal);
        Assert.Equal(File.ReadAllText(Folder["deep/answer.csv"]), File.ReadAllText(Folder["answer"]));
    }

    [Fact]
    public void Faces_of_photographs_are_found_and_judged_as_the_service_does_it()
    {
        using var photo = new Photograph(1280, 960).With(new FaceSquare(120, 160, 420)).With(new FaceSquare(760, 300, 300), smile: false, degrees: 20);
        File.WriteAllBytes(Folder["two.jpg"], photo.Jpeg());
        File.WriteAllBytes(Folder["none.png"], Make.Png(64, 48, seed: 3));

        var (code, output, errors) = Smile("predict", "two.jpg", "none.png", "--faces", "detect", "--json");
        Assert.True(code == 0, errors);
        var (servedCode, served, servedErrors) = Serve("two.jpg", "none.png", "--faces", "detect", "--json");
        Assert.True(servedCode == 0, servedErrors);

        var (ours, theirs) = (JsonDocument.Parse(output).RootElement, JsonDocument.Parse(served).RootElement);
        Assert.Equal([2, 0], ours.EnumerateArray().Select(prediction => prediction.GetProperty("faces").GetArrayLength()));
        Assert.Equal([true, false], ours[0].GetProperty("faces").EnumerateArray().Select(face => face.GetProperty("smile").GetBoolean()));
        Assert.Equal(JsonValueKind.Null, ours[1].GetProperty("probability").ValueKind);
        Assert.Equal(ours.EnumerateArray().Select(Rounded), theirs.EnumerateArray().Select(Rounded));
        var table = Smile("predict", "two.jpg", "none.png", "--faces", "detect").Output;
        Assert.Matches(@"two\.jpg +│ +2 │ +1 │ +[01]\.\d{4} │ yes", table);
        Assert.Matches(@"none\.png +│ +0 │ +0 │ +│ no face", table);

        static string Rounded(JsonElement prediction) => string.Join(' ', prediction.GetProperty("faces").EnumerateArray().Select(face =>
            $"{face.GetProperty("box").GetRawText()} {face.GetProperty("probability").GetSingle():F4} {face.GetProperty("confidence").GetSingle():F4}").Prepend(prediction.GetProperty("file").GetString()));
    }

    [Fact]
    public void A_service_judges_many_pictures_and_broken_ones_keep_their_places()
    {
        for (var i = 0; i < 40; i++)
        {
            File.WriteAllBytes(Folder[$"{i:D2}.png"], Repository.Sample(i % 2 == 0 ? "mean-smile.png" : "mean-neutral.png"));
        }

        File.WriteAllText(Folder["17.png"], "not a picture");
        string[] names = [.. Enumerable.Range(0, 40).Select(i => i is 0 or 20 or 39 ? $"missing-{i}.png" : $"{i:D2}.png")];

        var (code, output, errors) = Serve([.. names, "--json"]);

        Assert.Equal(1, code);
        var predictions = JsonDocument.Parse(output).RootElement.EnumerateArray().ToArray();
        Assert.Equal(names, predictions.Select(prediction => prediction.GetProperty("file").GetString()));
        for (var i = 0; i < 40; i++)
        {
            var problem = predictions[i].GetProperty("problem").GetString();
            if (i is 0 or 20 or 39)
            {
                Assert.Equal("There is no such file.", problem);
            }
            else if (i == 17)
            {
                Assert.Contains("JPEG, PNG or WebP", problem, StringComparison.Ordinal);
            }
            else
            {
                Assert.Equal((null, i % 2 == 0), (problem, predictions[i].GetProperty("smile").GetBoolean()));
            }
        }

        Assert.Equal(4, errors.Count(letter => letter == '\n'));
    }

    [Fact]
    public void A_service_that_wants_a_key_is_told_from_one_that_refuses_it()
    {
        Draw("face.png");

        Fails("wants an API key, and there is none: --api-key, or SMILE_API_KEY.", "predict", "face.png", "--serve", service.Address);
        Fails("wants an API key, and this is none of its keys.", "predict", "face.png", "--serve", service.Address, "--api-key", "another");
        Fails("refuses: 404: ", "predict", "face.png", "--serve", $"{service.Address}elsewhere", "--api-key", RunningService.Key);

        var (code, output, errors) = Smile(Folder.Path, ["predict", "face.png", "--serve", service.Address], ("SMILE_API_KEY", RunningService.Key));
        Assert.Equal((0, ""), (code, errors));
        Assert.Contains("face.png", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_such_service_is_told()
    {
        Draw("face.png");
        using var other = new HttpListener();
        var port = Enumerable.Range(0, 20).Select(_ => Random.Shared.Next(20_000, 30_000)).First(TryListen);
        var served = Task.Run(async () =>
        {
            var context = await other.GetContextAsync();
            await context.Response.OutputStream.WriteAsync("<html>Hello</html>"u8.ToArray());
            context.Response.Close();
        });

        Fails($"http://127.0.0.1:{port}/ does not answer as SmileApi does.", "predict", "face.png", "--serve", $"http://127.0.0.1:{port}");
        await served;

        bool TryListen(int candidate)
        {
            other.Prefixes.Clear();
            other.Prefixes.Add($"http://127.0.0.1:{candidate}/");
            try
            {
                other.Start();
                return true;
            }
            catch (HttpListenerException)
            {
                return false;
            }
        }
    }

    [Fact]
    public void A_person_at_a_terminal_sees_how_far_it_is_and_a_script_does_not()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && File.Exists("/usr/bin/script"), "no program `script` to make a terminal");
        WriteModel("model.onnx");
        for (var i = 0; i < 12; i++)
        {
            Draw($"album/{i}.png");
        }

        var command = $"dotnet {Path.Combine(AppContext.BaseDirectory, "smile.dll")} predict model.onnx album --csv > answer.csv";
        var start = new ProcessStartInfo("script", ["-qefc", command, "/dev/null"]) { WorkingDirectory = Folder.Path, RedirectStandardOutput = true, Environment = { ["TERM"] = "xterm" } };
        using var script = Process.Start(start)!;
        var terminal = script.StandardOutput.ReadToEnd();
        script.WaitForExit();

        Assert.True(script.ExitCode == 0, terminal);
        Assert.Contains("12 pictures", terminal, StringComparison.Ordinal);
        Assert.Contains("100%", terminal, StringComparison.Ordinal);
        Assert.Equal(13, File.ReadAllLines(Folder["answer.csv"]).Length);
        Assert.Equal("", Smile("predict", "model.onnx", "album", "--csv").Errors);
    }

    private (int Code, string Output, string Errors) Serve(params string[] arguments) =>
        Smile(["predict", .. arguments, "--serve", service.Address, "--api-key", RunningService.Key]);

    /// <summary>Pictures in folders, among what is none, what is hidden and a link that leads in a circle.</summary>
    private void MakeAlbum()
    {
        foreach (var picture in new[] { "a.png", "b.JPEG", ".hidden.png", ".trash/e.png", "deep/c.png", "deep/deeper/d.png" })
        {
            Draw($"album/{picture}");
        }

        File.WriteAllText(Folder["album/notes.txt"], "not a picture");
        Directory.CreateSymbolicLink(Folder["album/deep/back"], Folder["album"]);
    }

    private void Draw(string path)
    {
        var picture = GoldenPictures.All.Single(picture => picture.Name == "smiling");
        Directory.CreateDirectory(Path.GetDirectoryName(Folder[path])!);
        File.WriteAllBytes(Folder[path], GreyPng.Encode(picture.Pixels, picture.Width, picture.Height));
    }
}
