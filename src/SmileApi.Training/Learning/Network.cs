using SmileApi.Imaging;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace SmileApi.Training;

/// <summary>
/// The shape of a smile network: a stem, nine residual blocks and a linear layer; 20 weight layers. No libtorch here, so that
/// export works where libtorch does not.
/// </summary>
internal sealed class Architecture
{
    /// <summary>What is served: [1, 100, 100] -> [16, 34, 34], then three blocks each of [24, 17, 17], [48, 9, 9] and [96, 5, 5].</summary>
    public static readonly Architecture Served = new(24, 48, 96);

    /// <summary>
    /// 2.5 times cheaper and a little worse, see decision 15: blocks of [16, 17, 17], [32, 9, 9] and [64, 5, 5]. ONNX Runtime
    /// computes channels in sixteens on most processors.
    /// </summary>
    public static readonly Architecture Narrow = new(16, 32, 64);

    /// <summary>The networks by the name that the command line has for them.</summary>
    public static IReadOnlyDictionary<string, Architecture> All { get; } = new OrderedDictionary<string, Architecture> { ["served"] = Served, ["narrow"] = Narrow };

    private Architecture(params int[] stages)
    {
        Blocks = [.. MakeBlocks(stages)];
        Convolutions = [Stem, .. Blocks.SelectMany(block => new[] { block.First, block.Second })];
        Layout = new Layout(Convolutions, [("linear.weight", [1, Features]), ("linear.bias", [1])]);
    }

    /// <summary>[1, 100, 100] -> [16, 34, 34].</summary>
    public Convolution Stem { get; } = new("stem", In: 1, Out: 16, Kernel: 5, Stride: 3, FaceCrop.Side);

    /// <summary>Three stages of three.</summary>
    public IReadOnlyList<Block> Blocks { get; }

    public IReadOnlyList<Convolution> Convolutions { get; }

    /// <summary>Inputs of the linear layer.</summary>
    public int Features => Blocks[^1].Second.Out;

    /// <summary>The linear layer at each place: [features, 5, 5] -> [1, 5, 5]. It has no numbers of its own.</summary>
    public Convolution Activation => new("activation", Features, Out: 1, Kernel: 1, Stride: 1, Blocks[^1].Second.OutputSide);

    /// <summary>Weight layers: the convolutions and the linear one.</summary>
    public int Layers => Convolutions.Count + 1;

    /// <summary>Multiply-adds a face.</summary>
    public long MultiplyAdds => Convolutions.Sum(convolution => convolution.MultiplyAdds) + Features;

    /// <summary>Names and shapes of all numbers.</summary>
    public Layout Layout { get; }

    private IEnumerable<Block> MakeBlocks(int[] stages)
    {
        var (channels, side) = (Stem.Out, Stem.OutputSide);
        foreach (var (stage, width) in stages.Index())
        {
            for (var i = 0; i < 3; i++)
            {
                var name = $"stage{stage + 1}.block{i + 1}";
                var first = new Convolution($"{name}.first", channels, width, Kernel: 3, Stride: i == 0 ? 2 : 1, side);
                (channels, side) = (width, first.OutputSide);
                yield return new Block(first, new Convolution($"{name}.second", width, width, Kernel: 3, Stride: 1, side));
            }
        }
    }
}

/// <summary>The smile network in libtorch.</summary>
internal sealed class Network(Architecture architecture, Weights weights) : TorchNetwork(weights)
{
    /// <summary>From faces to logits.</summary>
    /// <param name="faces">Normalised faces, float32 [N, 1, 100, 100].</param>
    /// <param name="training">Whether to normalise by the batch's own statistics and to drop features.</param>
    /// <param name="dropout">Share of the features dropped in training, 0..1.</param>
    /// <returns>Logits, not calibrated, float32 [N]. Belongs to the caller's dispose scope.</returns>
    public Tensor Forward(Tensor faces, bool training, double dropout = 0)
    {
        var x = functional.relu(Convolve(faces, architecture.Stem, training));                 // [N, 16, 34, 34]
        foreach (var block in architecture.Blocks)                                             // served: [N, 24, 17, 17] [N, 48, 9, 9] [N, 96, 5, 5]
        {
            x = Residual(x, block, training);
        }

        var features = x.mean([2, 3]);                                                         // [N, 96]
        features = training && dropout > 0 ? functional.dropout(features, dropout) : features;
        return functional.linear(features, this["linear.weight"], this["linear.bias"]).squeeze(1); // [N]
    }
}
