namespace SmileApi.Training;

/// <summary>All numbers of a network, by name, without libtorch: what a checkpoint holds and the export reads.</summary>
internal sealed class Weights
{
    /// <summary>Added to the variance before its root is taken.</summary>
    public const double NormEpsilon = 1e-5;

    private readonly OrderedDictionary<string, float[]> _values = [];

    private Weights(Layout layout) => Layout = layout;

    /// <summary>What the numbers belong to.</summary>
    public Layout Layout { get; }

    /// <summary>The values of a tensor, row-major.</summary>
    public float[] this[string name] => _values[name];

    /// <summary>A convolution with its normalisation folded in, in double precision: (w x - mean) scale / sqrt(variance + e) + shift.</summary>
    /// <returns>Weight of shape <c>[Out, In, Kernel, Kernel]</c>, row-major, and bias of shape <c>[Out]</c>.</returns>
    public (float[] Weight, float[] Bias) Folded(Convolution convolution)
    {
        var name = convolution.Name;
        var (weight, bias) = (new float[convolution.WeightCount], new float[convolution.Out]);
        var perChannel = weight.Length / convolution.Out;
        for (var channel = 0; channel < convolution.Out; channel++)
        {
            var gain = this[$"{name}.scale"][channel] / Math.Sqrt(this[$"{name}.variance"][channel] + NormEpsilon);
            bias[channel] = (float)(this[$"{name}.shift"][channel] - this[$"{name}.mean"][channel] * gain);
            for (var i = channel * perChannel; i < (channel + 1) * perChannel; i++)
            {
                weight[i] = (float)(this[$"{name}.weight"][i] * gain);
            }
        }

        return (weight, bias);
    }

    /// <summary>Makes weights whose values come from <paramref name="read"/>, asked in the order of the layout.</summary>
    public static Weights From(Layout layout, Func<string, int, float[]> read)
    {
        var weights = new Weights(layout);
        foreach (var (name, shape) in layout.Tensors)
        {
            weights._values.Add(name, read(name, (int)shape.Aggregate((a, b) => a * b)));
        }

        return weights;
    }

    /// <summary>Nothing but zeros.</summary>
    public static Weights Zero(Layout layout) => From(layout, (_, length) => new float[length]);

    /// <summary>
    /// A random start (He et al. 2015) that knows nothing: layers without normalisation are zero, so that every picture has the
    /// logit 0 and the loss is that of a coin toss, ln 2.
    /// </summary>
    public static Weights Random(Layout layout, int seed)
    {
        var weights = Zero(layout);
        foreach (var (index, convolution) in layout.Convolutions.Index())
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
    public const int Composition = 7;
    public const int Candidates = 8;
    public const int HeldOut = 9;
}
