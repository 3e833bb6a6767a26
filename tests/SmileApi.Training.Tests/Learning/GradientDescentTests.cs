using TorchSharp;

namespace SmileApi.Training.Tests;

public sealed class GradientDescentTests
{
    [Theory]
    [InlineData(null, 3, 4)]
    [InlineData(10.0, 3, 4)]
    [InlineData(1.0, 0.6, 0.8)]
    [InlineData(0.5, 0.3, 0.4)]
    public void A_gradient_of_length_5_is_shortened_to_the_longest_allowed(double? longest, double first, double second)
    {
        Needs.LibTorch();
        var after = Step(new DescentOptions(Momentum: 0, WeightDecay: 0, AverageDecay: 0, longest), rate: 0.1, ["stem.shift", "linear.bias"]);
        // The length is that of all tensors together.
        Assert.Equal(-0.1 * first, after["stem.shift"][0], 1e-6);
        Assert.Equal(-0.1 * second, after["linear.bias"][0], 1e-6);
        Assert.Equal(0, after["linear.bias"][1]);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_loss_that_is_no_number_ends_the_run_in_a_line(double loss)
    {
        Assert.Equal(0.5, GradientDescent.Finite(0.5, 0.1));
        Assert.Equal("The loss is no number any more: a learning rate of 0.5 is too high. Begin anew with a lower one.", Assert.Throws<CommandException>(() => GradientDescent.Finite(loss, 0.5)).Message);
    }

    [Fact]
    public void Momentum_looks_ahead_and_only_weights_decay()
    {
        Needs.LibTorch();
        var after = Step(new DescentOptions(Momentum: 0.5, WeightDecay: 0.1, AverageDecay: 0), rate: 0.1, ["stem.shift", "linear.bias"]);
        Assert.Equal(-0.1 * (3 + 0.5 * 3), after["stem.shift"][0], 1e-6);
        Assert.Equal(1, after["stem.scale"][0]);
        var before = Weights.Random(CheckArchitecture.Layout, 1)["stem.weight"][0];
        Assert.Equal(before - 0.1 * 0.1 * before * 1.5, after["stem.weight"][0], 1e-6);
    }

    /// <summary>One step where the gradient of the first number of one tensor is 3, of the other 4, and of all others 0.</summary>
    private static Weights Step(DescentOptions options, double rate, string[] tensors)
    {
        using var network = new CheckNetwork(Weights.Random(CheckArchitecture.Layout, 1));
        using var velocity = new CheckNetwork(Weights.Zero(CheckArchitecture.Layout));
        using var average = new CheckNetwork(Weights.Zero(CheckArchitecture.Layout));
        var descent = new GradientDescent(options, network, velocity, average);
        using var scope = torch.NewDisposeScope();
        var parts = network.Trained.Select(pair =>
        {
            var slopes = new float[pair.Value.numel()];
            slopes[0] = pair.Key == tensors[0] ? 3 : pair.Key == tensors[1] ? 4 : 0;
            return pair.Value.mul(torch.tensor(slopes, pair.Value.shape)).sum();
        });
        torch.stack([.. parts]).sum().backward();
        descent.Step(rate, step: 0);
        return network.Read();
    }
}
