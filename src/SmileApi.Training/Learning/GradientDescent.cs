using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace SmileApi.Training;

/// <summary>How steps are taken.</summary>
/// <param name="Momentum">Nesterov momentum, 0..1.</param>
/// <param name="WeightDecay">How strongly weights (not biases, not normalisation) are pulled to zero.</param>
/// <param name="AverageDecay">Share of itself that the running average of the weights keeps at each step, 0..1.</param>
/// <param name="MaxGradient">A longer gradient, over all numbers together, is shortened to this length; null leaves all as they are.</param>
internal sealed record DescentOptions(double Momentum, double WeightDecay, double AverageDecay, double? MaxGradient = null);

/// <summary>
/// Stochastic gradient descent with Nesterov momentum and weight decay, and the running average of its weights. TorchSharp's
/// optimizers pass numbers as temporary Scalars that the collector may free while native code reads them; here each is held.
/// </summary>
internal sealed class GradientDescent
{
    private readonly DescentOptions _options;
    private readonly TorchNetwork _network;
    private readonly TorchNetwork _velocity;
    private readonly TorchNetwork _average;

    /// <param name="network">Changed by each step. This and the others stay the caller's.</param>
    /// <param name="velocity">The momentum of each number.</param>
    /// <param name="average">The running average of all numbers, statistics included.</param>
    public GradientDescent(DescentOptions options, TorchNetwork network, TorchNetwork velocity, TorchNetwork average)
    {
        (_options, _network, _velocity, _average) = (options, network, velocity, average);
        foreach (var (_, weight) in network.Trained)
        {
            weight.requires_grad_(true);
        }
    }

    /// <summary>The learning rate of a step: it grows from 0, then falls along a cosine to 0.</summary>
    /// <param name="largest">What it grows to.</param>
    /// <param name="warmUp">Share of all steps in which it grows.</param>
    /// <param name="step">Counted from 0 over the whole run.</param>
    /// <param name="steps">Of the whole run.</param>
    public static double RateAt(double largest, double warmUp, int step, int steps)
    {
        var warm = warmUp * steps;
        return step < warm
            ? largest * (step + 1) / (warm + 1)
            : largest * (1 + Math.Cos(Math.PI * (step - warm) / (steps - warm))) / 2;
    }

    /// <summary>Hands a loss on, unless it is no number any more: then nothing is learned from there on, and no checkpoint can tell it.</summary>
    /// <param name="rate">The largest learning rate of the run.</param>
    /// <exception cref="CommandException">It is not finite.</exception>
    public static double Finite(double loss, double rate) => double.IsFinite(loss)
        ? loss
        : throw new CommandException($"The loss is no number any more: a learning rate of {rate.ToString(CultureInfo.InvariantCulture)} is too high. Begin anew with a lower one.");

    /// <summary>Goes one step down the gradients of the last backward pass and clears them.</summary>
    /// <param name="rate">Learning rate of this step.</param>
    /// <param name="step">Steps taken before; the average follows faster at first.</param>
    public void Step(double rate, int step)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using Scalar one = 1, momentum = _options.Momentum, decay = _options.WeightDecay, down = -rate, shortened = Shortening();
        foreach (var (name, weight) in _network.Trained)
        {
            var gradient = weight.grad!;
            if (_options.MaxGradient is not null)
            {
                gradient.mul_(shortened);
            }

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

    /// <summary>By what all gradients are multiplied so that one bad batch does not throw the network off its way, 0..1.</summary>
    private double Shortening()
    {
        if (_options.MaxGradient is not { } most)
        {
            return 1;
        }

        var squares = stack([.. _network.Trained.Select(pair => pair.Value.grad!.mul(pair.Value.grad!).sum())]).sum().item<float>();
        return Math.Min(1, most / Math.Sqrt(squares));
    }
}
