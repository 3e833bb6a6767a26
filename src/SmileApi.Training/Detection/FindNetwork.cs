using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace SmileApi.Training;

/// <summary>
/// The first stage's shape: fully convolutional, one cell of output for 8 x 8 pixels, faces of one octave of sizes. All channels are
/// multiples of 16, the number that processors of today compute at once: others cost as much as the next multiple. No libtorch here,
/// so that export works where libtorch does not.
/// </summary>
internal static class FindArchitecture
{
    /// <summary>Pixels from one cell to the next.</summary>
    public const int Stride = 8;

    /// <summary>Sides are told as logarithms of multiples of this, in pixels.</summary>
    public const int ReferenceSide = 24;

    /// <summary>Smallest box that a pyramid relies on, in pixels.</summary>
    public const int MinBox = 14;

    /// <summary>Largest box that is found well, in pixels.</summary>
    public const int MaxBox = 40;

    /// <summary>Side of the picture whose cost is told.</summary>
    private const int NominalSide = 320;

    public static readonly Convolution Stem = new("stem", In: 1, Out: 16, Kernel: 3, Stride: 2, NominalSide);              // [16, 160, 160]
    public static readonly Convolution Second = new("second", In: 16, Out: 16, Kernel: 3, Stride: 2, NominalSide / 2);     // [16, 80, 80]
    public static readonly IReadOnlyList<Block> Blocks =
    [
        new(new("block1.first", In: 16, Out: 32, Kernel: 3, Stride: 2, NominalSide / 4), new("block1.second", In: 32, Out: 32, Kernel: 3, Stride: 1, NominalSide / 8)),
        new(new("block2.first", In: 32, Out: 32, Kernel: 3, Stride: 1, NominalSide / 8), new("block2.second", In: 32, Out: 32, Kernel: 3, Stride: 1, NominalSide / 8)),
        new(new("block3.first", In: 32, Out: 32, Kernel: 3, Stride: 1, NominalSide / 8), new("block3.second", In: 32, Out: 32, Kernel: 3, Stride: 1, NominalSide / 8)),
    ];                                                                                                                     // [32, 40, 40]
    public static readonly Convolution Neck = new("neck", In: 32, Out: 32, Kernel: 3, Stride: 1, NominalSide / 8);         // [32, 40, 40]

    /// <summary>Whether a cell holds the centre of a face's box.</summary>
    public static readonly Convolution Face = new("face", In: 32, Out: 1, Kernel: 1, Stride: 1, NominalSide / 8);

    /// <summary>Where in the cell the centre is, and how large the box.</summary>
    public static readonly Convolution Box = new("box", In: 32, Out: 3, Kernel: 1, Stride: 1, NominalSide / 8);

    private static readonly Convolution[] Normalised = [Stem, Second, .. Blocks.SelectMany(block => new[] { block.First, block.Second }), Neck];

    public static readonly Layout Layout = new(
        Normalised, [("face.weight", [1, 32, 1, 1]), ("face.bias", [1]), ("box.weight", [3, 32, 1, 1]), ("box.bias", [3])]);

    /// <summary>Weight layers.</summary>
    public static int Layers => Normalised.Length + 2;

    /// <summary>Multiply-adds for a picture of 320x320 pixels.</summary>
    public static long MultiplyAdds => Normalised.Append(Face).Append(Box).Sum(convolution => convolution.MultiplyAdds);

    /// <summary>A random start that takes every cell for empty with a probability of 99 %, as nearly every cell is.</summary>
    public static Weights RandomWeights(int seed)
    {
        var weights = Weights.Random(Layout, seed);
        weights["face.bias"][0] = -4.6f;
        return weights;
    }
}

/// <summary>The first stage in libtorch.</summary>
internal sealed class FindNetwork(Weights weights) : TorchNetwork(weights)
{
    /// <param name="pictures">Normalised, float32 [N, 1, H, W]; sides are multiples of 8.</param>
    /// <param name="training">Whether to normalise by the batch's own statistics.</param>
    /// <returns>Logits [N, 1, H / 8, W / 8] and boxes [N, 3, H / 8, W / 8]: dx, dy in cells, log(side / 24).</returns>
    public (Tensor Face, Tensor Box) Forward(Tensor pictures, bool training)
    {
        var x = functional.relu(Convolve(pictures, FindArchitecture.Stem, training));          // [N, 16, H / 2, W / 2]
        x = functional.relu(Convolve(x, FindArchitecture.Second, training));                   // [N, 16, H / 4, W / 4]
        foreach (var block in FindArchitecture.Blocks)
        {
            x = Residual(x, block, training);                                                  // [N, 32, H / 8, W / 8]
        }

        x = functional.relu(Convolve(x, FindArchitecture.Neck, training));                     // [N, 32, H / 8, W / 8]
        return (functional.conv2d(x, this["face.weight"], this["face.bias"]), functional.conv2d(x, this["box.weight"], this["box.bias"]));
    }
}
