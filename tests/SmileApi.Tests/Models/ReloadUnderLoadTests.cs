using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Models;

/// <summary>The real service, a process of its own, whose models are replaced again and again while it answers.</summary>
public sealed class ReloadUnderLoadTests
{
    private const int Reloads = 100;

    [Fact]
    public async Task A_hundred_reloads_under_load_lose_and_mix_up_nothing_and_hold_no_memory()
    {
        var folder = Directory.CreateTempSubdirectory("smile-test-");
        byte[][] models = [OtherModel.Committed, OtherModel.Of("1.2.9", bias => bias + 2)];
        await File.WriteAllBytesAsync(Path.Combine(folder.FullName, "0.onnx"), models[0]);
        await File.WriteAllBytesAsync(Path.Combine(folder.FullName, "1.onnx"), models[1]);
        var hash = Convert.ToHexStringLower(SHA256.HashData("open, sesame"u8));
        var (process, http) = await ServiceProcess.StartAsync(("Model__Folder", folder.FullName), ("Admin__KeyHash", hash));
        using (http)
        await using (process)
        {
            http.DefaultRequestHeaders.Add("X-Admin-Key", "open, sesame");
            var pictures = Enumerable.Range(0, 8).Select(i => Make.Jpeg(120 + i, 150, seed: i)).ToArray();
            var expected = new Dictionary<(string Sha256, int Picture), float>();
            for (var model = 0; model < 2; model++)
            {
                await ReloadAsync(http, model);
                for (var picture = 0; picture < pictures.Length; picture++)
                {
                    var (sha256, probability) = await JudgeAsync(http, pictures[picture]);
                    Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(models[model])), sha256);
                    expected[(sha256, picture)] = probability;
                }
            }

            Assert.Equal(2 * pictures.Length, expected.Values.Distinct().Count());
            using var done = new CancellationTokenSource();
            var answers = new ConcurrentQueue<(string Sha256, int Picture, float Probability)>();
            var callers = Enumerable.Range(0, pictures.Length / 2).Select(caller => Task.Run(async () =>
            {
                for (var i = caller; !done.IsCancellationRequested; i++)
                {
                    var picture = i % pictures.Length;
                    var (sha256, probability) = await JudgeAsync(http, pictures[picture]);
                    answers.Enqueue((sha256, picture, probability));
                }
            })).ToArray();

            var (started, early) = (Stopwatch.StartNew(), 0.0);
            for (var i = 0; i < Reloads; i++)
            {
                await ReloadAsync(http, i % 2);
                early = i == Reloads / 4 ? process.ResidentMebibytes() : early;
            }

            var (took, late) = (started.Elapsed, process.ResidentMebibytes());
            await done.CancelAsync();
            await Task.WhenAll(callers);

            // A batch may add up in another order than a lone face; the last bits differ, nothing more.
            Assert.All(answers, answer => Assert.Equal(expected[(answer.Sha256, answer.Picture)], answer.Probability, 1e-6f));
            var byModel = answers.CountBy(answer => answer.Sha256).ToDictionary();
            Assert.Equal(2, byModel.Count);
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{Reloads} reloads in {took.TotalSeconds:0.0} s, {answers.Count} answers meanwhile ({string.Join(" and ", byModel.Values)} by model), "
                + $"each the exact one of the model it names; {early:0} MiB after {Reloads / 4} reloads, {late:0} MiB after {Reloads}");
            if (OperatingSystem.IsLinux())
            {
                // A set of models takes some 10 MiB: three quarters of the reloads would show by hundreds.
                Assert.InRange(late - early, double.NegativeInfinity, 48);
            }

            Assert.DoesNotContain(" ERR ", process.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("sesame", process.Output, StringComparison.Ordinal);
        }

        folder.Delete(recursive: true);
    }

    private static async Task ReloadAsync(HttpClient http, int model)
    {
        using var content = new StringContent($$"""{"file":"{{model}}.onnx"}""", Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(new Uri("/admin/model", UriKind.Relative), content);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
    }

    private static async Task<(string Sha256, float Probability)> JudgeAsync(HttpClient http, byte[] picture)
    {
        using var content = new ByteArrayContent(picture);
        using var response = await http.PostAsync(new Uri("/classify?faces=whole", UriKind.Relative), content);
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(response.IsSuccessStatusCode, answer.ToString());
        return (answer.GetProperty("model").GetProperty("sha256").GetString()!, answer.GetProperty("probability").GetSingle());
    }
}
