using Microsoft.ML.OnnxRuntime;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>What values the tensors of a network take on faces that it learned from: by them 8 bits are shared out.</summary>
internal static class Int8Ranges
{
    /// <summary>How many faces the ranges are of.</summary>
    public const int Faces = 300;

    /// <summary>One value in so many may lie beyond a range, on either side: the rarest are not worth a coarser step for all others.</summary>
    private const int Outliers = 100_000;

    /// <summary>Runs a network and looks at each tensor.</summary>
    /// <param name="file">Of <see cref="Int8Writer.WriteForCalibration"/>.</param>
    /// <param name="crops">Each of shape <c>[100, 100]</c>, normalised.</param>
    public static IReadOnlyDictionary<string, TensorRange> Measure(byte[] file, IReadOnlyList<string> tensors, IEnumerable<float[]> crops)
    {
        using var session = new InferenceSession(file);
        using var options = new RunOptions();
        var values = tensors.ToDictionary(tensor => tensor, _ => new List<float>());
        foreach (var crop in crops)
        {
            using var input = OrtValue.CreateTensorValueFromMemory(crop, [1, 1, FaceCrop.Side, FaceCrop.Side]);
            using var outputs = session.Run(options, ["image"], [input], tensors);
            foreach (var (tensor, output) in tensors.Zip(outputs))
            {
                values[tensor].AddRange(output.GetTensorDataAsSpan<float>());
            }
        }

        return values.ToDictionary(tensor => tensor.Key, tensor => RangeOf(tensor.Value));
    }

    private static TensorRange RangeOf(List<float> values)
    {
        values.Sort();
        var beyond = values.Count / Outliers;
        return new TensorRange(Math.Min(0, values[beyond]), Math.Max(1e-6f, values[^(1 + beyond)]));
    }
}
