using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;

namespace SmileApi.Tests.Operations;

public sealed class StartTests
{
    [Fact]
    public async Task A_model_that_is_not_there_stops_the_start_with_a_line_that_says_so()
    {
        var (exitCode, output) = await ServiceProcess.RunToEndAsync(("Model__Path", "/no/such/model.onnx"));

        Refused(exitCode, output, "There is no model at /no/such/model.onnx.");
    }

    [Fact]
    public async Task A_file_that_is_no_model_stops_the_start_with_a_line_that_says_so()
    {
        using var file = new TemporaryFile("this is no model"u8);

        var (exitCode, output) = await ServiceProcess.RunToEndAsync(("Model__Path", file.Path));

        Refused(exitCode, output, "is not a readable ONNX file");
    }

    [Fact]
    public async Task A_model_that_is_cut_off_stops_the_start_with_a_line_that_says_so()
    {
        var whole = await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "models", "smile.onnx"));
        using var file = new TemporaryFile(whole.AsSpan(0, whole.Length / 2));

        var (exitCode, output) = await ServiceProcess.RunToEndAsync(("Model__Path", file.Path));

        Refused(exitCode, output, "is not a readable ONNX file");
    }

    [Fact]
    public async Task A_network_of_somebody_else_stops_the_start_with_a_line_that_says_so()
    {
        // An empty graph that copies its input: IR version 8, one Identity node, operator set 17.
        using var file = new TemporaryFile(Convert.FromHexString(
            "08083A370A100A017812017922084964656E746974791201675A0F0A0178120A0A08080112040A020801620F0A0179120A0A08080112040A02080142021011"));
        using (var session = new InferenceSession(file.Path))
        {
            Assert.Equal(["x"], session.InputNames); // It is a model, only not ours.
        }

        var (exitCode, output) = await ServiceProcess.RunToEndAsync(("Model__Path", file.Path));

        Refused(exitCode, output, "was not made by the smile trainer");
    }

    [Theory]
    [InlineData("Faces__Path")]
    [InlineData("Faces__CheckPath")]
    public async Task A_detector_that_is_not_there_stops_the_start_with_a_line_that_says_so(string setting)
    {
        var (exitCode, output) = await ServiceProcess.RunToEndAsync((setting, "/no/such/faces.onnx"));

        Refused(exitCode, output, "There is no model at /no/such/faces.onnx.");
    }

    [Fact]
    public async Task A_detectors_stages_in_the_wrong_places_stop_the_start_with_a_line_that_says_so()
    {
        var (exitCode, output) = await ServiceProcess.RunToEndAsync(("Faces__Path", "models/faces-check.onnx"), ("Faces__CheckPath", "models/faces.onnx"));

        Refused(exitCode, output, "it is the stage 'check' of the detector, where the stage 'find' must be");
    }

    [Fact]
    public async Task All_wrong_settings_are_listed_together()
    {
        var (exitCode, output) = await ServiceProcess.RunToEndAsync(
            ("Batching__MaxBatch", "65"), ("Batching__LingerMilliseconds", "2"), ("Images__MaxSide", "0"), ("Faces__MaxPixels", "299999"), ("Decoding__QueueLimit", "0"));

        Refused(exitCode, output, "MaxBatch", "LingerMilliseconds", "MaxSide", "MaxPixels", "QueueLimit");
    }

    [Fact]
    public async Task A_setting_of_the_wrong_type_is_named()
    {
        var (exitCode, output) = await ServiceProcess.RunToEndAsync(("Batching__MaxBatch", "many"));

        Refused(exitCode, output, "Batching:MaxBatch", "'many'");
    }

    [Fact]
    public async Task A_setting_that_does_not_exist_is_named()
    {
        var (exitCode, output) = await ServiceProcess.RunToEndAsync(("Batching__MaxBach", "4"));

        Refused(exitCode, output, "'MaxBach'");
    }

    [Fact]
    public async Task An_address_that_is_taken_is_named()
    {
        var (process, http) = await ServiceProcess.StartAsync();
        using (http)
        await using (process)
        {
            var (exitCode, output) = await ServiceProcess.RunToEndAsync(("Kestrel__Endpoints__Http__Url", http.BaseAddress!.ToString()));

            Refused(exitCode, output, "address already in use");
        }
    }

    [Fact]
    public async Task The_service_leaves_nothing_in_its_users_home_and_so_no_telemetry_of_onnx_runtime()
    {
        // ONNX Runtime's telemetry begins by storing an identifier of the device there. It keeps quiet by itself where CI is set.
        var home = Directory.CreateTempSubdirectory("smile-test-");
        var (process, http) = await ServiceProcess.StartAsync(("HOME", home.FullName), ("CI", ""), ("DOTNET_CLI_HOME", home.FullName));
        using (http)
        await using (process)
        {
            using var picture = new ByteArrayContent(Repository.Sample("mean-smile.png"));
            using var response = await http.PostAsync(new Uri("/classify", UriKind.Relative), picture);
            Assert.True(response.IsSuccessStatusCode);
        }

        Assert.Empty(home.EnumerateFileSystemInfos("*", SearchOption.AllDirectories));
        home.Delete();
    }

    [Fact]
    public async Task A_service_that_is_stopped_while_it_starts_ends_quietly()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");

        var (exitCode, output) = await ServiceProcess.StopWhileStartingAsync();

        Assert.Equal(0, exitCode);
        Assert.DoesNotContain("Exception", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stopped_service_exits_with_zero_and_has_logged_one_line_a_request()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGTERM to send to another process");
        var (process, http) = await ServiceProcess.StartAsync();
        using (http)
        await using (process)
        {
            using var picture = new ByteArrayContent(Repository.Sample("mean-smile.png"));
            using var response = await http.PostAsync(new Uri("/classify", UriKind.Relative), picture);
            var id = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("requestId").GetString()!;

            Assert.Equal(0, await process.StopAsync());

            Assert.Single(process.Output.Split('\n'), line => line.Contains(id, StringComparison.Ordinal) && line.Contains("POST /classify 200", StringComparison.Ordinal));
        }
    }

    private static void Refused(int exitCode, string output, params string[] hints)
    {
        Assert.Equal(1, exitCode);
        Assert.Contains("SmileApi did not start:", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
        Assert.All(hints, hint => Assert.Contains(hint, output, StringComparison.Ordinal));
    }
}
