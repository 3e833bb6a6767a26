using System.Globalization;

namespace SmileApi.Benchmarks;

/// <summary>Arithmetic of measurements, and how they are printed.</summary>
internal static class Figures
{
    public static double Median(IEnumerable<double> values) => Percentile([.. values.Order()], 0.5);

    /// <returns>The value that this share of all lies at or below; not a number when there are none.</returns>
    public static double Percentile(double[] sorted, double share) =>
        sorted.Length == 0 ? double.NaN : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];

    public static string Text(double value, string format = "F2") => double.IsNaN(value) ? "" : value.ToString(format, CultureInfo.InvariantCulture);
}
