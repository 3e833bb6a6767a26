using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace SmileApi.Training;

/// <summary>The tensors of a network in libtorch, and the layers that its kinds share. Owns its tensors; not safe for concurrent use.</summary>
internal abstract class TorchNetwork : IDisposable
{
    private const double NormMomentum = 0.1;

    private readonly OrderedDictionary<string, Tensor> _tensors = [];
    private readonly Layout _layout;

    protected TorchNetwork(Weights weights)
    {
        _layout = weights.Layout;
        foreach (var (name, shape) in _layout.Tensors)
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

    /// <summary>Every tensor, by name, in the order of the layout.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Tensors => _tensors;

    /// <summary>What gradient descent changes: all but the running statistics of batch normalisation.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Trained =>
        _tensors.Where(pair => !pair.Key.EndsWith(".mean", StringComparison.Ordinal) && !pair.Key.EndsWith(".variance", StringComparison.Ordinal));

    // TorchSharp's own a + b and a - b make a Scalar that the collector may free while native code reads it; these live as long as we do.
    protected Scalar One { get; } = 1;

    private Scalar MinusOne { get; } = -1;

    /// <summary>a - b, safely.</summary>
    public Tensor Difference(Tensor a, Tensor b) => a.add(b, MinusOne);

    /// <summary>Copies all numbers out.</summary>
    public Weights Read() => Weights.From(_layout, (name, _) =>
    {
        using var scope = NewDisposeScope();
        return _tensors[name].detach().contiguous().data<float>().ToArray();
    });

    public virtual void Dispose()
    {
        foreach (var tensor in _tensors.Values)
        {
            tensor.Dispose();
        }

        One.Dispose();
        MinusOne.Dispose();
    }

    /// <summary>A convolution and its normalisation: [N, In, H, W] -> [N, Out, H / stride, W / stride].</summary>
    protected Tensor Convolve(Tensor x, Convolution convolution, bool training)
    {
        var name = convolution.Name;
        x = functional.conv2d(
            x, _tensors[$"{name}.weight"], strides: [convolution.Stride, convolution.Stride], padding: [convolution.Padding, convolution.Padding]);
        return functional.batch_norm(
            x, _tensors[$"{name}.mean"], _tensors[$"{name}.variance"], _tensors[$"{name}.scale"], _tensors[$"{name}.shift"],
            training, NormMomentum, Weights.NormEpsilon);
    }

    /// <summary>A residual block: [N, C, S, S] -> [N, C + new, S / stride, S / stride].</summary>
    protected Tensor Residual(Tensor x, Block block, bool training)
    {
        var y = functional.relu(Convolve(x, block.First, training));
        y = Convolve(y, block.Second, training);
        return functional.relu(y.add(Shortcut(x, block), One));
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
