using Spectre.Console;

namespace SmileApi.Benchmarks;

/// <summary>
/// What finding faces costs: CPU time a request of the real service, in a process of its own that may use one core, asked over
/// loopback by one caller. (With two, the runs of one picture share a core's units where cores are hyperthreads, and take longer.)
/// Requests of all kinds take turns, so that what else the machine does falls on all of them.
/// </summary>
internal static class FaceCosts
{
    private const int Rounds = 9;

    /// <summary>Requests of a kind: until code is no longer compiled anew beside them.</summary>
    private const int WarmUp = 600;

    /// <summary>How the service reads a picture of 4000x3000 for faces of at least 120 pixels.</summary>
    private const int ReductionOfTwelveMegapixels = 4;

    public static async Task RunAsync()
    {
        var photo = Photo.WithOneFace(640, 480);
        var large = Photo.WithOneFace(4000, 3000);
        await using var service = await Service.StartAsync(new Dictionary<string, string> { ["DOTNET_PROCESSOR_COUNT"] = "1" });
        (string Name, Func<Task> Ask, int Requests)[] kinds =
        [
            ("640x480, faces=whole", () => service.AskAsync(photo, "faces=whole", faces: 1), 100),
            ("640x480, faces=detect", () => service.AskAsync(photo, "", faces: 1), 100),
            ("640x480, faces=detect, minFace=80", () => service.AskAsync(photo, "minFace=80", faces: 1), 100),
            ("12 megapixels, faces=whole", () => service.AskAsync(large, "faces=whole", faces: 1), 30),
            ("12 megapixels, faces=detect", () => service.AskAsync(large, "", faces: 1), 30),
        ];

        foreach (var (_, ask, requests) in kinds)
        {
            for (var i = 0; i < WarmUp * requests / 100; i++)
            {
                await ask();
            }
        }

        var figures = kinds.ToDictionary(kind => kind.Name, _ => new List<double>());
        var decode = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var (name, ask, requests) in kinds)
            {
                var before = service.CpuTime;
                for (var i = 0; i < requests; i++)
                {
                    await ask();
                }

                figures[name].Add((service.CpuTime - before).TotalMilliseconds / requests);
            }

            decode.Add(Floor.Decode(large, ReductionOfTwelveMegapixels, 30));
        }

        var whole = Figures.Median(figures[kinds[0].Name]);
        var table = new Table { Border = TableBorder.Rounded }.AddColumn("request").AddColumn(new TableColumn("CPU, ms").RightAligned()).AddColumn(new TableColumn("over whole, ms").RightAligned());
        foreach (var (name, _, _) in kinds)
        {
            table.AddRow(name, Figures.Text(Figures.Median(figures[name])), name.StartsWith("640", StringComparison.Ordinal) ? Figures.Text(Figures.Median(figures[name]) - whole) : "");
        }

        table.AddRow($"12 megapixels, bare decode at 1/{ReductionOfTwelveMegapixels}", Figures.Text(Figures.Median(decode)), "");
        table.AddRow("12 megapixels, request / bare decode", Figures.Text(Figures.Median(figures[kinds[^1].Name].Zip(decode, (request, bare) => request / bare))), "");
        AnsiConsole.Write(table);
        Console.WriteLine($"Medians of {Rounds} rounds by turns; the service on one of {Environment.ProcessorCount} processors; peak memory of the service {service.PeakMebibytes:F0} MiB.");
    }
}
