using ScottPlot;

namespace SmileApi.Training;

/// <summary>Draws how a run went.</summary>
internal static class Plots
{
    private const string Font = "smile";

    /// <summary>Writes <c>loss.png</c> and <c>accuracy.png</c>; says so in one line where the system has no font to write with.</summary>
    public static void Write(Checkpoint checkpoint, string folder)
    {
        if (!AddFont())
        {
            Console.Error.WriteLine("No plots: this system has no DejaVu Sans or Arial to label them with (Debian and Ubuntu: apt install fonts-dejavu-core; then smile export).");
            return;
        }

        var history = checkpoint.History;
        double[] epochs = [.. history.Select(record => (double)record.Epoch)];
        Save(Path.Combine(folder, "loss.png"), "Loss while learning", "binary cross-entropy, nats", Alignment.UpperRight, plot =>
        {
            Line(plot, [.. epochs.Skip(1)], [.. history.Skip(1).Select(record => record.Loss!.Value)], "training crops, augmented");
            Line(plot, epochs, [.. history.Select(record => record.Train.LogLoss)], "training faces, as served");
            Line(plot, epochs, [.. history.Select(record => record.Val.LogLoss)], "validation faces");
            CoinToss(plot, Math.Log(2));
            plot.Axes.SetLimitsY(0, 0.8);
        });
        Save(Path.Combine(folder, "accuracy.png"), "Accuracy while learning", "share judged right", Alignment.LowerRight, plot =>
        {
            Line(plot, epochs, [.. history.Select(record => record.Train.BalancedAccuracy)], "training faces, balanced");
            Line(plot, epochs, [.. history.Select(record => record.Val.BalancedAccuracy)], "validation faces, balanced");
            Line(plot, epochs, [.. history.Select(record => record.Val.Accuracy)], "validation faces");
            CoinToss(plot, 0.5);
            plot.Axes.SetLimitsY(Math.Min(0.45, history.Min(record => record.Val.Accuracy) - 0.05), 1.01);
        });

        void Save(string path, string title, string unit, Alignment legend, Action<Plot> draw)
        {
            using var plot = new Plot();
            draw(plot);
            plot.Axes.SetLimitsX(0, Math.Max(1, epochs[^1]));
            plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true };
            plot.Title(title);
            plot.XLabel("epoch (0: random weights, before the first step)");
            plot.YLabel(unit);
            plot.ShowLegend(legend);
            plot.Font.Set(Font);
            plot.Legend.FontName = Font;
            AtomicFile.Write(path, plot.GetImage(900, 560).GetImageBytes());
        }
    }

    private static void Line(Plot plot, double[] x, double[] y, string name)
    {
        var line = plot.Add.Scatter(x, y);
        (line.LegendText, line.LineWidth, line.MarkerSize) = (name, 2, 5);
    }

    private static void CoinToss(Plot plot, double level)
    {
        var line = plot.Add.HorizontalLine(level, color: Colors.Gray, pattern: LinePattern.Dashed);
        line.LegendText = "a coin toss";
    }

    /// <summary>SkiaSharp without the system's fontconfig finds no font by itself; titles are bold and need the bold file too.</summary>
    private static bool AddFont()
    {
        var faces = new (string Regular, string Bold)[]
        {
            ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"), // Debian, Ubuntu
            ("/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf", "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf"), // Fedora
            ("/usr/share/fonts/TTF/DejaVuSans.ttf", "/usr/share/fonts/TTF/DejaVuSans-Bold.ttf"), // Arch
            ("/System/Library/Fonts/Supplemental/Arial.ttf", "/System/Library/Fonts/Supplemental/Arial Bold.ttf"),
            (@"C:\Windows\Fonts\arial.ttf", @"C:\Windows\Fonts\arialbd.ttf"),
        };
        var found = faces.FirstOrDefault(face => File.Exists(face.Regular) && File.Exists(face.Bold));
        if (found == default)
        {
            return false;
        }

        Fonts.AddFontFile(Font, found.Regular, bold: false, italic: false);
        Fonts.AddFontFile(Font, found.Bold, bold: true, italic: false);
        return true;
    }
}
