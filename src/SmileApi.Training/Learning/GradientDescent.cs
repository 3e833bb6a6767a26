using TorchSharp;
using static TorchSharp.torch;

namespace SmileApi.Training;

/// <summary>
/// Stochastic gradient descent with Nesterov momentum and weight decay, and the running average of its weights. TorchSharp's
/// optimizers pass numbers as temporary Scalars that the collector may free while native code reads them; here each is held.
/// </summary>
internal sealed class GradientDescent
{
    private readonly TrainOptions _options;
    private readonly Network _network;
    private readonly Network _velocity;
    private readonly Network _average;

    /// <param name="network">Changed by each step. This and the others stay the caller's.</param>
    /// <param name="velocity">The momentum of each number.</param>
    /// <param name="average">The running average of all numbers, statistics included.</param>
    public GradientDescent(TrainOptions options, Network network, Network velocity, Network average)
    {
        (_options, _network, _velocity, _average) = (options, network, velocity, average);
        foreach (var (_, weight) in network.Trained)
        {
            weight.requires_grad_(true);
        }
    }

    /// <summary>Goes one step down the gradients of the last backward pass and clears them.</summary>
    /// <param name="rate">Learning rate of this step.</param>
    /// <param name="step">Steps taken before; the average follows faster at first.</param>
    public void Step(double rate, int step)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using Scalar one = 1, momentum = _options.Momentum, decay = _options.WeightDecay, down = -rate;
        foreach (var (name, weight) in _network.Trained)
        {
            var gradient = weight.grad!;
            var change = name.EndsWith(".weight", StringComparison.Ordinal) ? gradient.add(weight, decay) : gradient;
            var velocity = _velocity[name].mul_(momentum).add_(change, one);
            weight.add_(change.add(velocity, momentum), down);
            gradient.zero_();
        }

        var kept = Math.Min(_options.AverageDecay, (1.0 + step) / (10 + step));
        using Scalar old = kept, share = 1 - kept;
        foreach (var (name, average) in _average.Tensors)
        {
            average.mul_(old).add_(_network[name], share);
        }
    }
}
