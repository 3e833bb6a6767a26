using ScottPlot;
using SmileApi.Training;

namespace SmileApi.Benchmarks;

/// <summary>Draws what <see cref="EndToEnd"/> has measured.</summary>
internal static class Plots
{
    private const string Font = "benchmarks";

    /// <summary>Writes <c>callers.png</c>, where the system has a font to label it with: CPU time a request by the number of callers.</summary>
    /// <param name="median">Of a figure, by its name.</param>
    public static void Callers(int[] callers, Func<string, double> median, string folder)
    {
        if (SystemFont.Find() is not { } font)
        {
            Console.Error.WriteLine("No plot: this system has no DejaVu Sans or Arial to label it with (Debian and Ubuntu: apt install fonts-dejavu-core).");
            return;
        }

        Fonts.AddFontFile(Font, font.Regular, bold: false, italic: false);
        Fonts.AddFontFile(Font, font.Bold, bold: true, italic: false);
        using var plot = new Plot();
        var places = Array.ConvertAll(callers, count => Math.Log2(count));
        foreach (var (name, key) in new[] { ("an afternoon's service", "plain"), ("SmileApi", "smile"), ("SmileApi, the network in 8 bits", "int8"), ("the floor", "floor") })
        {
            var line = plot.Add.Scatter(places, Array.ConvertAll(callers, count => median($"{key} {count} cpu")));
            (line.LegendText, line.LineWidth, line.MarkerSize) = (name, 2, 8);
        }

        plot.Axes.Bottom.SetTicks(places, Array.ConvertAll(callers, count => $"{count}"));
        plot.Axes.SetLimitsY(0, 1.15 * callers.Max(count => median($"plain {count} cpu")));
        plot.Title("JPEG 640x480, one face, one core");
        plot.XLabel("callers at a time");
        plot.YLabel("CPU time of the service a request, ms");
        plot.Font.Set(Font);
        plot.ShowLegend(Alignment.UpperRight);
        plot.SavePng(Path.Combine(folder, "callers.png"), 900, 500);
    }
}
