using System.Globalization;
using SmileApi.Benchmarks;
using Spectre.Console;

namespace SmileApi.Load;

/// <summary>Arithmetic of measurements, and how they are printed.</summary>
internal static class Figures
{
    /// <returns>The value that this share of all lies at or below; not a number when there are none.</returns>
    public static double Percentile(IReadOnlyList<double> sorted, double share) =>
        sorted.Count == 0 ? double.NaN : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];

    /// <returns>The slope of the line of least squares through these points.</returns>
    public static double Slope(IReadOnlyList<(double X, double Y)> points)
    {
        var (x, y) = (points.Average(point => point.X), points.Average(point => point.Y));
        return points.Sum(point => (point.X - x) * (point.Y - y)) / points.Sum(point => (point.X - x) * (point.X - x));
    }

    public static string Text(double value, string format = "N0") => double.IsNaN(value) ? "" : value.ToString(format, CultureInfo.InvariantCulture);

    public static Table TableOf(params string[] columns)
    {
        var table = new Table { Border = TableBorder.Rounded }.AddColumn(columns[0]);
        Array.ForEach(columns[1..], column => table.AddColumn(new TableColumn(column).RightAligned()));
        return table;
    }

    /// <summary>Prints what had to hold and whether it did.</summary>
    /// <returns>Whether all of it did.</returns>
    public static bool Judge(params (string What, bool Holds)[] claims)
    {
        foreach (var (what, holds) in claims)
        {
            Console.WriteLine($"{(holds ? "holds" : "DOES NOT HOLD")}: {what}");
        }

        return Array.TrueForAll(claims, claim => claim.Holds);
    }

    public static void Heading(Service service) =>
        Console.WriteLine($"The service in process {service.Id} on {service.Address}; {Environment.ProcessorCount} processors for both.");
}
