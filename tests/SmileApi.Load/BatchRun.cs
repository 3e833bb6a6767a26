using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace SmileApi.Load;

/// <summary>Sends one batch with a broken picture in its middle, reads its answer line by line meanwhile, and watches both sides' memory.</summary>
internal static class BatchRun
{
    private const string Boundary = "batch";

    /// <param name="Right">Pictures answered as the first one was, in their order.</param>
    /// <param name="Broken">Broken pictures answered with their problem.</param>
    /// <param name="Wrong">Everything else.</param>
    /// <param name="ServiceEarly">MiB that the service held after a quarter of the pictures.</param>
    /// <param name="ServiceLate">The most that it held after that.</param>
    /// <param name="ClientEarly">MiB of this process's heap after a quarter, garbage not counted.</param>
    /// <param name="ClientLate">At the end.</param>
    public sealed record Figures(
        int Right, int Broken, int Wrong, double ServiceEarly, double ServiceLate, double ClientEarly, double ClientLate, TimeSpan Took);

    /// <param name="query">Options of all pictures.</param>
    /// <param name="asForm">As files of a form; else as lines of JSON.</param>
    /// <param name="picture">With a face that smiles.</param>
    /// <param name="serviceMebibytes">Memory that the service holds now.</param>
    public static async Task<Figures> RunAsync(Uri address, string query, bool asForm, int pictures, byte[] picture, Func<double> serviceMebibytes)
    {
        using var request = await DuplexRequest.PostAsync(
            address, $"/classify/batch?{query}", asForm ? $"multipart/form-data; boundary={Boundary}" : "application/x-ndjson", "Accept: application/x-ndjson\r\n");
        var started = Stopwatch.GetTimestamp();
        var sending = SendAsync();
        var (right, broken, wrong, index) = (0, 0, 0, 0);
        var (serviceEarly, serviceLate, clientEarly) = (0.0, 0.0, 0.0);
        while (await request.ReadLineAsync() is { } line)
        {
            using var json = JsonDocument.Parse(line);
            var result = json.RootElement;
            var isNext = result.TryGetProperty("index", out var at) && at.GetInt32() == index && result.GetProperty("name").GetString() == Name(index);
            var isBroken = index == pictures / 2;
            var isRight = isNext && !isBroken && result.TryGetProperty("result", out var verdict) && verdict.GetProperty("probability").GetDouble() > 0.5;
            right += isRight ? 1 : 0;
            var isTold = isNext && isBroken && result.GetProperty("status").GetInt32() == 422;
            broken += isTold ? 1 : 0;
            wrong += isRight || isTold ? 0 : 1;
            index++;
            if (index == pictures / 4)
            {
                (serviceEarly, clientEarly) = (serviceMebibytes(), Heap());
            }
            else if (index > pictures / 4 && index % 50 == 0)
            {
                serviceLate = Math.Max(serviceLate, serviceMebibytes());
            }
        }

        await sending;
        return new Figures(right, broken, wrong, serviceEarly, serviceLate, clientEarly, Heap(), Stopwatch.GetElapsedTime(started));

        async Task SendAsync()
        {
            for (var i = 0; i < pictures; i++)
            {
                var bytes = i == pictures / 2 ? picture[..(picture.Length / 2)] : picture;
                if (asForm)
                {
                    await request.SendAsync(Encoding.ASCII.GetBytes($"--{Boundary}\r\nContent-Disposition: form-data; name=\"images\"; filename=\"{Name(i)}\"\r\n\r\n"));
                    await request.SendAsync(bytes);
                    await request.SendAsync("\r\n"u8.ToArray());
                }
                else
                {
                    await request.SendAsync(Encoding.ASCII.GetBytes($"{{\"name\":\"{Name(i)}\",\"image\":\"{Convert.ToBase64String(bytes)}\"}}\n"));
                }
            }

            if (asForm)
            {
                await request.SendAsync(Encoding.ASCII.GetBytes($"--{Boundary}--\r\n"));
            }

            await request.EndAsync();
        }
    }

    private static string Name(int index) => $"{index}.png";

    private static double Heap() => GC.GetTotalMemory(forceFullCollection: true) / 1048576.0;
}
