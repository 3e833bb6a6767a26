using System.Globalization;
using SmileApi.Benchmarks;
using Spectre.Console;

namespace SmileApi.Load;

/// <summary>Many pictures in one request: every answer is there, in its place, and memory stays flat on both sides.</summary>
internal static class Batch
{
    private const double MostMebibytes = 25;

    /// <returns>Whether everything held.</returns>
    public static async Task<bool> RunAsync(Service service, int pictures)
    {
        Figures.Heading(service);
        var picture = Photo.WithOneFace(320, 240);
        var table = Figures.TableOf("", "a second", "right", "broken, told so", "wrong", "service, MiB, at 1/4", "most after that", "this side's heap at 1/4", "at the end");
        await BatchRun.RunAsync(service.Address, "faces=detect", asForm: true, pictures: 200, picture, () => 0); // Code is compiled, pools fill.
        var all = new List<BatchRun.Figures>();
        foreach (var asForm in new[] { true, false })
        {
            var run = await BatchRun.RunAsync(service.Address, "faces=detect", asForm, pictures, picture, () => service.Mebibytes);
            all.Add(run);
            table.AddRow(
                asForm ? "multipart/form-data" : "application/x-ndjson", Figures.Text(pictures / run.Took.TotalSeconds, "F1"), Figures.Text(run.Right), Figures.Text(run.Broken), Figures.Text(run.Wrong),
                Figures.Text(run.ServiceEarly, "F1"), Figures.Text(run.ServiceLate, "F1"), Figures.Text(run.ClientEarly, "F2"), Figures.Text(run.ClientLate, "F2"));
        }

        AnsiConsole.Write(table);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{pictures:N0} JPEGs of 320x240 ({picture.Length:N0} bytes) in one request each way, number {pictures / 2:N0} cut off in its middle; peak memory of the service {service.PeakMebibytes:F0} MiB."));
        return Figures.Judge(
            ("every picture is answered rightly, in its place, and the broken one told what is wrong with it", all.TrueForAll(run => (run.Right, run.Broken, run.Wrong) == (pictures - 1, 1, 0))),
            ($"the service's memory grows by less than {MostMebibytes} MiB after the first quarter", all.TrueForAll(run => run.ServiceLate - run.ServiceEarly < MostMebibytes)),
            ("and this side's by less than 2", all.TrueForAll(run => run.ClientLate - run.ClientEarly < 2)));
    }
}
