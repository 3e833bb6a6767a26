using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace SmileApi.Training;

/// <summary>The second stage's shape: looks at one candidate of the first, 40x40 pixels. No libtorch here.</summary>
internal static class CheckArchitecture
{
    /// <summary>Side of the input in pixels.</summary>
    public const int Side = 40;

    /// <summary>Values of one candidate: <see cref="Side"/> squared.</summary>
    public const int Length = Side * Side;

    /// <summary>Numbers of the answer: face, dx, dy, log of the side, roll.</summary>
    public const int Outputs = 5;

    /// <summary>How much of the surroundings is seen: the input's square as a multiple of the candidate's box.</summary>
    public const float Margin = 1.2f;

    /// <summary>Added to the deviation by which a candidate's grey levels are divided, so that flat ones do not become noise.</summary>
    public const float DeviationFloor = 8;

    /// <summary>
    /// By what the many features are multiplied before the linear layer: it moves by the learning rate times the square of their
    /// length, and all other layers learn best at a rate at which it would run away.
    /// </summary>
    public const float FeatureScale = 1 / 16f;

    public static readonly Convolution Stem = new("stem", In: 1, Out: 32, Kernel: 5, Stride: 2, Side);         // [32, 20, 20]
    public static readonly IReadOnlyList<Block> Blocks =
    [
        new(new("block1.first", In: 32, Out: 48, Kernel: 3, Stride: 2, 20), new("block1.second", In: 48, Out: 48, Kernel: 3, Stride: 1, 10)), // [48, 10, 10]
        new(new("block2.first", In: 48, Out: 48, Kernel: 3, Stride: 1, 10), new("block2.second", In: 48, Out: 48, Kernel: 3, Stride: 1, 10)),
        new(new("block3.first", In: 48, Out: 80, Kernel: 3, Stride: 2, 10), new("block3.second", In: 80, Out: 80, Kernel: 3, Stride: 1, 5)),  // [80, 5, 5]
    ];

    /// <summary>Inputs of the linear layer: [80, 5, 5] in a row.</summary>
    public static readonly int Features = Blocks[^1].Second.Out * Blocks[^1].Second.OutputSide * Blocks[^1].Second.OutputSide;

    private static readonly Convolution[] Normalised = [Stem, .. Blocks.SelectMany(block => new[] { block.First, block.Second })];

    public static readonly Layout Layout = new(Normalised, [("linear.weight", [Outputs, Features]), ("linear.bias", [Outputs])]);

    /// <summary>Weight layers.</summary>
    public static int Layers => Normalised.Length + 1;

    /// <summary>Multiply-adds a candidate.</summary>
    public static long MultiplyAdds => Normalised.Sum(convolution => convolution.MultiplyAdds) + Outputs * Features;
}

/// <summary>The second stage in libtorch.</summary>
internal sealed class CheckNetwork(Weights weights) : TorchNetwork(weights)
{
    private readonly Tensor _featureScale = tensor(CheckArchitecture.FeatureScale).DetachFromDisposeScope();

    /// <param name="candidates">Each normalised by itself, float32 [N, 1, 40, 40].</param>
    /// <param name="training">Whether to normalise by the batch's own statistics and to drop features.</param>
    /// <param name="dropout">Share of the features dropped in training, 0..1.</param>
    /// <returns>[N, 5]: the logit of being a face, dx, dy (in sides of the candidate), log(true side / side), roll (radians).</returns>
    public Tensor Forward(Tensor candidates, bool training, double dropout = 0)
    {
        var x = functional.relu(Convolve(candidates, CheckArchitecture.Stem, training));       // [N, 32, 20, 20]
        foreach (var block in CheckArchitecture.Blocks)                                        // [N, 48, 10, 10] [N, 48, 10, 10] [N, 80, 5, 5]
        {
            x = Residual(x, block, training);
        }

        var features = x.flatten(1).mul(_featureScale);                                        // [N, 2000]
        features = training && dropout > 0 ? functional.dropout(features, dropout) : features;
        return functional.linear(features, this["linear.weight"], this["linear.bias"]);        // [N, 5]
    }

    public override void Dispose()
    {
        _featureScale.Dispose();
        base.Dispose();
    }
}
