using SmileApi.Imaging;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace SmileApi.Training;

/// <summary>A convolution with padding that keeps the side at stride 1, then batch normalisation.</summary>
internal sealed record Convolution(string Name, int In, int Out, int Kernel, int Stride, int InputSide)
{
    public int OutputSide => (InputSide - 1) / Stride + 1;

    public int Padding => Kernel / 2;

    public int WeightCount => Out * In * Kernel * Kernel;

    public long MultiplyAdds => (long)WeightCount * OutputSide * OutputSide;
}

/// <summary>Two convolutions and a way round them. Where sides shrink, the way round is average pooling and zeros for the new channels.</summary>
internal sealed record Block(Convolution First, Convolution Second)
{
    public bool Shrinks => First.Stride != 1;

    public int NewChannels => First.Out - First.In;
}

/// <summary>
/// The shape of the network: a stem, nine residual blocks and a linear layer; 20 weight layers. No libtorch here, so that
/// export works where libtorch does not.
/// </summary>
internal static class Architecture
{
    /// <summary>[1, 100, 100] -> [16, 34, 34].</summary>
    public static readonly Convolution Stem = new("stem", In: 1, Out: 16, Kernel: 5, Stride: 3, FaceCrop.Side);

    /// <summary>Three stages of three: [24, 17, 17], [48, 9, 9], [96, 5, 5].</summary>
    public static readonly IReadOnlyList<Block> Blocks = [.. MakeBlocks(24, 48, 96)];

    public static readonly IReadOnlyList<Convolution> Convolutions = [Stem, .. Blocks.SelectMany(block => new[] { block.First, block.Second })];

    /// <summary>Inputs of the linear layer: [96] -> [1].</summary>
    public static readonly int Features = Blocks[^1].Second.Out;

    /// <summary>Weight layers: the convolutions and the linear one.</summary>
    public static int Layers => Convolutions.Count + 1;

    /// <summary>Multiply-adds a face.</summary>
    public static long MultiplyAdds => Convolutions.Sum(convolution => convolution.MultiplyAdds) + Features;

    /// <summary>Weights and biases once normalisation is folded into the convolutions.</summary>
    public static long Parameters => Convolutions.Sum(convolution => convolution.WeightCount + convolution.Out) + Features + 1;

    private static IEnumerable<Block> MakeBlocks(params int[] stages)
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

/// <summary>All numbers of a network, by name, without libtorch: what a checkpoint holds and the export reads.</summary>
internal sealed class Weights
{
    /// <summary>Added to the variance before its root is taken.</summary>
    public const double NormEpsilon = 1e-5;

    private readonly OrderedDictionary<string, float[]> _values = [];

    private Weights()
    {
    }

    /// <summary>Names and shapes, always in this order.</summary>
    public static IReadOnlyList<(string Name, long[] Shape)> Layout { get; } =
    [
        .. Architecture.Convolutions.SelectMany(c => new (string, long[])[]
        {
            ($"{c.Name}.weight", [c.Out, c.In, c.Kernel, c.Kernel]),
            ($"{c.Name}.scale", [c.Out]),
            ($"{c.Name}.shift", [c.Out]),
            ($"{c.Name}.mean", [c.Out]),
            ($"{c.Name}.variance", [c.Out]),
        }),
        ("linear.weight", [1, Architecture.Features]),
        ("linear.bias", [1]),
    ];

    /// <summary>The values of a tensor, row-major.</summary>
    public float[] this[string name] => _values[name];

    /// <summary>Makes weights whose values come from <paramref name="read"/>, asked in the order of <see cref="Layout"/>.</summary>
    public static Weights From(Func<string, int, float[]> read)
    {
        var weights = new Weights();
        foreach (var (name, shape) in Layout)
        {
            weights._values.Add(name, read(name, (int)shape.Aggregate((a, b) => a * b)));
        }

        return weights;
    }

    /// <summary>
    /// A random start (He et al. 2015) that knows nothing: the linear layer is zero, so that every face has the logit 0 and the
    /// loss is that of a coin toss, ln 2.
    /// </summary>
    public static Weights Random(int seed)
    {
        var weights = From((_, length) => new float[length]);
        foreach (var (index, convolution) in Architecture.Convolutions.Index())
        {
            var random = new SplitMix(seed, RandomPurpose.Weights, index);
            var deviation = Math.Sqrt(2.0 / (convolution.Out * convolution.Kernel * convolution.Kernel));
            foreach (ref var weight in weights[$"{convolution.Name}.weight"].AsSpan())
            {
                weight = (float)(deviation * random.Normal());
            }

            weights[$"{convolution.Name}.scale"].AsSpan().Fill(1);
            weights[$"{convolution.Name}.variance"].AsSpan().Fill(1);
        }

        return weights;
    }
}

/// <summary>What random numbers are drawn for; each purpose has its own stream.</summary>
internal static class RandomPurpose
{
    public const int Weights = 1;
    public const int Order = 2;
    public const int Augmentation = 3;
    public const int Dropout = 4;
    public const int Corruption = 5;
    public const int Subset = 6;
}

/// <summary>The network in libtorch. Owns its tensors; not safe for concurrent use.</summary>
internal sealed class Network : IDisposable
{
    private const double NormMomentum = 0.1;

    // TorchSharp's own a + b makes a Scalar that the collector may free while native code reads it; this one lives as long as we do.
    private readonly Scalar _one = 1;
    private readonly OrderedDictionary<string, Tensor> _tensors = [];

    public Network(Weights weights)
    {
        foreach (var (name, shape) in Weights.Layout)
        {
            using var values = tensor(weights[name], shape);
            // Convolutions are 20 % faster with the channels innermost in memory; activations follow the weights.
            var stored = shape is [_, var channels, var height, var width]
                ? empty_strided(shape, [channels * height * width, 1, width * channels, channels])
                : empty(shape);
            stored.copy_(values);
            _tensors.Add(name, stored.DetachFromDisposeScope());
        }
    }

    /// <summary>The tensor of that name; stays the network's.</summary>
    public Tensor this[string name] => _tensors[name];

    /// <summary>Every tensor, by name, in the order of <see cref="Weights.Layout"/>.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Tensors => _tensors;

    /// <summary>What gradient descent changes: all but the running statistics of batch normalisation.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Trained =>
        _tensors.Where(pair => !pair.Key.EndsWith(".mean", StringComparison.Ordinal) && !pair.Key.EndsWith(".variance", StringComparison.Ordinal));

    /// <summary>From faces to logits.</summary>
    /// <param name="faces">Normalised faces, float32 [N, 1, 100, 100].</param>
    /// <param name="training">Whether to normalise by the batch's own statistics and to drop features.</param>
    /// <param name="dropout">Share of the features dropped in training, 0..1.</param>
    /// <returns>Logits, not calibrated, float32 [N]. Belongs to the caller's dispose scope.</returns>
    public Tensor Forward(Tensor faces, bool training, double dropout = 0)
    {
        var x = functional.relu(Convolve(faces, Architecture.Stem, training));                 // [N, 16, 34, 34]
        foreach (var block in Architecture.Blocks)                                             // [N, 24, 17, 17] [N, 48, 9, 9] [N, 96, 5, 5]
        {
            var y = functional.relu(Convolve(x, block.First, training));
            y = Convolve(y, block.Second, training);
            x = functional.relu(y.add(Shortcut(x, block), _one));
        }

        var features = x.mean([2, 3]);                                                         // [N, 96]
        features = training && dropout > 0 ? functional.dropout(features, dropout) : features;
        return functional.linear(features, _tensors["linear.weight"], _tensors["linear.bias"]).squeeze(1); // [N]
    }

    /// <summary>Copies all numbers out.</summary>
    public Weights Read() => Weights.From((name, _) =>
    {
        using var scope = NewDisposeScope();
        return _tensors[name].detach().contiguous().data<float>().ToArray();
    });

    public void Dispose()
    {
        foreach (var tensor in _tensors.Values)
        {
            tensor.Dispose();
        }

        _one.Dispose();
    }

    private Tensor Convolve(Tensor x, Convolution convolution, bool training)
    {
        var name = convolution.Name;
        x = functional.conv2d(
            x, _tensors[$"{name}.weight"], strides: [convolution.Stride, convolution.Stride], padding: [convolution.Padding, convolution.Padding]);
        return functional.batch_norm(
            x, _tensors[$"{name}.mean"], _tensors[$"{name}.variance"], _tensors[$"{name}.scale"], _tensors[$"{name}.shift"],
            training, NormMomentum, Weights.NormEpsilon);
    }

    /// <summary>No weights of its own: [N, C, S, S] -> itself, or [N, C + new, S / 2, S / 2].</summary>
    private static Tensor Shortcut(Tensor x, Block block)
    {
        if (!block.Shrinks)
        {
            return x;
        }

        // Windows of 3 centred like the convolution's; those at the edge average what there is.
        var pooled = functional.avg_pool2d(x, 3, stride: 2, padding: 1, ceil_mode: false, count_include_pad: false);
        return functional.pad(pooled, [0, 0, 0, 0, 0, block.NewChannels]);
    }
}
