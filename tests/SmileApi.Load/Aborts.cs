using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using SmileApi.Benchmarks;
using Spectre.Console;

namespace SmileApi.Load;

/// <summary>Clients that hang up at random moments, among as many that do not: the latter get their answers, and nothing is lost.</summary>
internal static class Aborts
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <returns>Whether everything held.</returns>
    public static async Task<bool> RunAsync(Service service, int clients)
    {
        byte[][] pictures = [Photo.WithOneFace(640, 480), Photo.WithOneFace(320, 240), Photo.WithOneFace(1280, 960)];
        using var caller = new Caller(service.Address, clients);
        Figures.Heading(service);
        var expected = await Task.WhenAll(pictures.Select(async picture => ProbabilityOf((await caller.PostAsync(picture, "", "image/jpeg", 0)).Body)));
        var before = await caller.GaugesAsync();

        var random = new Random(1);
        var moments = Enumerable.Range(0, clients).Select(_ => (Picture: random.Next(pictures.Length), Share: random.NextDouble() * 1.5, Wait: random.Next(300), IsRude: random.Next(2) == 0)).ToArray();
        var (right, wrong, retries) = (0, 0, 0);
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll([.. Enumerable.Range(0, clients).SelectMany(i => new[] { StayAsync(i), AbortAsync(moments[i]) })]);
        var took = Stopwatch.GetElapsedTime(started);

        var ended = Stopwatch.GetTimestamp();
        var after = await caller.GaugesAsync();
        while (!after.SequenceEqual(before) && Stopwatch.GetElapsedTime(ended) < s_patience)
        {
            await Task.Delay(100);
            after = await caller.GaugesAsync();
        }

        var table = Figures.TableOf("gauge", "before", "after");
        foreach (var name in before.Keys.Union(after.Keys).Order(StringComparer.Ordinal))
        {
            table.AddRow(name, Number(before, name), Number(after, name));
        }

        AnsiConsole.Write(table);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clients} clients aborted, {clients} did not: {right} answered rightly, {wrong} not; {retries} retries after 503. {took.TotalSeconds:F1} s; gauges as before after {Stopwatch.GetElapsedTime(ended).TotalSeconds:F1} s; peak memory {service.PeakMebibytes:F0} MiB."));
        return Figures.Judge(
            ("all clients that stayed are answered rightly", right == clients),
            ("nothing is lost: every gauge is as before", after.SequenceEqual(before)));

        // Obeys Retry-After, as a client should.
        async Task StayAsync(int i)
        {
            await Task.Yield();
            var outcome = default(Outcome);
            for (var tries = 0; tries < 100; tries++)
            {
                outcome = await caller.PostAsync(pictures[i % pictures.Length], "", "image/jpeg", 0);
                if (outcome is not { Status: 503, RetryAfter: { } seconds })
                {
                    break;
                }

                Interlocked.Increment(ref retries);
                await Task.Delay(TimeSpan.FromSeconds(seconds));
            }

            var isRight = outcome.Status == 200 && Math.Abs(ProbabilityOf(outcome.Body) - expected[i % pictures.Length]) < 1e-5;
            if (!isRight)
            {
                Console.WriteLine($"Client {i}: {outcome.Failure ?? outcome.Status.ToString(CultureInfo.InvariantCulture)} {Encoding.UTF8.GetString(outcome.Body)}");
            }

            Interlocked.Increment(ref isRight ? ref right : ref wrong);
        }

        async Task AbortAsync((int Picture, double Share, int Wait, bool IsRude) moment)
        {
            await Task.Yield();
            var picture = pictures[moment.Picture];
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(service.Address.Host, service.Address.Port);
                await socket.SendAsync(Encoding.ASCII.GetBytes($"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {picture.Length}\r\n\r\n"));
                await socket.SendAsync(picture.AsMemory(0, (int)(Math.Min(1, moment.Share) * picture.Length)));
                await Task.Delay(moment.Wait);
            }
            catch (SocketException)
            {
                // Refused or hung up on by the service: gone is gone.
            }

            if (moment.IsRude)
            {
                socket.LingerState = new LingerOption(enable: true, seconds: 0); // A reset instead of a goodbye.
            }
        }
    }

    private static string Number(SortedDictionary<string, double> gauges, string name) => gauges.TryGetValue(name, out var value) ? Figures.Text(value) : "";

    private static double ProbabilityOf(byte[] answer)
    {
        using var json = JsonDocument.Parse(answer);
        return json.RootElement.GetProperty("probability").GetDouble();
    }
}
