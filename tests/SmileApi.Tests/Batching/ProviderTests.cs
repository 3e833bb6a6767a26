using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using SmileApi.Inference;
using SmileApi.Tests.Operations;

namespace SmileApi.Tests.Batching;

/// <summary>What the networks run on: as asked for, or not at all; and on the CPU, said aloud, where it was left open.</summary>
public sealed class ProviderTests
{
    private const int Unavailable = 69;

    [Theory]
    [InlineData("Inference__Provider", "gpu", "Inference:Provider must be auto, cpu or cuda.")]
    [InlineData("Inference__Provider", "CUDA", "Inference:Provider must be auto, cpu or cuda.")]
    [InlineData("Inference__Devices__0", "-1", "-1 of Inference:Devices is no number of a GPU, 0 to 63.")]
    [InlineData("Inference__Devices__0", "first", "Failed to convert configuration value 'first' at 'Inference:Devices:0'")]
    [InlineData("Inference__SessionsPerDevice", "0", "SessionsPerDevice")]
    [InlineData("Inference__SessionsPerDevice", "17", "SessionsPerDevice")]
    [InlineData("Inference__MaxDeviceBytes", "-1", "MaxDeviceBytes")]
    [InlineData("Inference__MaxDeviceBytes", "1000000", "Inference:MaxDeviceBytes is 1000000, but 3 networks in each of 2 sessions need 402653184 bytes at least; 0 is without limit.")]
    [InlineData("Inference__MaxDeviceBytes", "2000000000000", "MaxDeviceBytes")]
    [InlineData("Inference__ArenaExtendStrategy", "kDouble", "Inference:ArenaExtendStrategy must be kSameAsRequested or kNextPowerOfTwo.")]
    [InlineData("Inference__Device", "0", "'Device'")]
    public async Task A_wrong_setting_stops_the_start_with_one_line_of_its_own(string setting, string value, string line)
    {
        var (exitCode, output) = await ServiceProcess.RunToEndAsync((setting, value));

        Refused(1, line, exitCode, output);
    }

    [Fact]
    public async Task All_wrong_settings_are_listed_together()
    {
        var (exitCode, output) = await ServiceProcess.RunToEndAsync(
            ("Inference__Provider", "gpu"), ("Inference__Devices__0", "3"), ("Inference__Devices__1", "3"), ("Inference__SessionsPerDevice", "0"), ("Batching__MaxBatch", "65"));

        Assert.Equal(1, exitCode);
        string[] expected = ["must be auto, cpu or cuda", "3 stands twice in Inference:Devices.", "SessionsPerDevice", "MaxBatch"];
        Assert.All(expected, text => Assert.Contains(text, output, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("", "cuda:0")]
    [InlineData("7", "cuda:7")]
    public async Task Cuda_with_the_cpu_build_of_onnx_runtime_stops_the_start_with_a_line_and_an_exit_code_of_its_own(string device, string name)
    {
        SkipWithCuda();
        var (exitCode, output) = await ServiceProcess.RunToEndAsync(
            [("Inference__Provider", "cuda"), .. device.Length > 0 ? new[] { ("Inference__Devices__0", device) } : []]);

        Refused(
            Unavailable,
            $"Inference:Provider is cuda, which cannot be used: {name}: this build has ONNX Runtime for the CPU only; build it with -p:Accelerator=cuda.",
            exitCode, output);
    }

    [Fact]
    public async Task Auto_without_a_gpu_serves_on_the_cpu_and_says_so_in_log_metrics_and_card()
    {
        SkipWithCuda();
        var (process, http) = await ServiceProcess.StartAsync(("Inference__Provider", "auto"));
        using (http)
        await using (process)
        {
            using var picture = new ByteArrayContent(Repository.Sample("mean-smile.png"));
            using var answer = await http.PostAsync(new Uri("/classify", UriKind.Relative), picture);
            Assert.True(answer.IsSuccessStatusCode);

            var card = await http.GetFromJsonAsync<JsonElement>(new Uri("/model", UriKind.Relative));
            Assert.Equal("cpu", card.GetProperty("provider").GetString());
            Assert.Equal("cpu", Assert.Single(card.GetProperty("devices").EnumerateArray()).GetString());
            Assert.Contains("CPU only", card.GetProperty("fallback").GetString(), StringComparison.Ordinal);
            var metrics = await http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
            Assert.Matches("(?m)smileapi_inference_fallback{[^}]*} 1$", metrics);
            Assert.Matches("(?m)smileapi_inference_sessions{[^}]*provider=\"cpu\"[^}]*} 1$", metrics);
            var warning = Assert.Single(process.Output.Split('\n'), line => line.Contains(" WRN ", StringComparison.Ordinal));
            Assert.Contains("Inference:Provider is auto and no GPU can be used, so that networks run on the CPU. cuda:0: this build", warning, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_network_that_devices_are_tried_with_is_computed_right() => Assert.Null(Device.Cpu.WhatIsWrong());

    [Theory]
    [InlineData("", "Microsoft.ML.OnnxRuntime", "Microsoft.ML.OnnxRuntime.Gpu")]
    [InlineData("cpu", "Microsoft.ML.OnnxRuntime", "Microsoft.ML.OnnxRuntime.Gpu")]
    [InlineData("cuda", "Microsoft.ML.OnnxRuntime.Gpu", "Microsoft.ML.OnnxRuntime")]
    public async Task The_accelerator_chooses_the_package_of_onnx_runtime(string accelerator, string chosen, string other)
    {
        var (exitCode, output) = await EvaluateAsync("-getItem:PackageReference", "-getItem:PackageVersion", $"-p:Accelerator={accelerator}");

        Assert.True(exitCode == 0, output);
        var items = JsonDocument.Parse(output).RootElement.GetProperty("Items");
        var packages = Names("PackageReference");
        Assert.Contains(chosen, packages);
        Assert.DoesNotContain(other, packages);
        Assert.Contains(chosen, Names("PackageVersion"));

        string[] Names(string item) => [.. items.GetProperty(item).EnumerateArray().Select(one => one.GetProperty("Identity").GetString()!)];
    }

    [Fact]
    public async Task An_accelerator_that_does_not_exist_stops_the_build()
    {
        var (exitCode, output) = await EvaluateAsync("-t:CollectPackageReferences", "-p:Accelerator=rocm");

        Assert.NotEqual(0, exitCode);
        Assert.Contains("Accelerator is 'rocm', and must be cpu or cuda.", output, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Output)> EvaluateAsync(params string[] arguments)
    {
        var project = Path.Combine(Repository.Root, "src", "SmileApi.Inference", "SmileApi.Inference.csproj");
        var start = new ProcessStartInfo("dotnet", ["msbuild", project, "-nologo", "-nodeReuse:false", .. arguments]) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }

    private static void SkipWithCuda() => Assert.SkipWhen(
        OrtEnv.Instance().GetAvailableProviders().Contains("CUDAExecutionProvider"), "This is about the CPU build of ONNX Runtime, and this is a build with CUDA");

    private static void Refused(int expectedExitCode, string line, int exitCode, string output)
    {
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expectedExitCode, exitCode);
        Assert.Equal("SmileApi did not start:", lines[0]);
        Assert.Contains(line, Assert.Single(lines[1..]), StringComparison.Ordinal);
    }
}
