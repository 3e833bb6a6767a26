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

/// <summary>The names and shapes of all numbers of a network, always in the same order.</summary>
/// <param name="Convolutions">Each with a weight, and scale, shift, mean and variance of its normalisation.</param>
/// <param name="Others">Tensors of layers without normalisation; those that end in <c>.weight</c> decay.</param>
internal sealed record Layout(IReadOnlyList<Convolution> Convolutions, IReadOnlyList<(string Name, long[] Shape)> Others)
{
    /// <summary>Every tensor.</summary>
    public IReadOnlyList<(string Name, long[] Shape)> Tensors { get; } =
    [
        .. Convolutions.SelectMany(c => new (string, long[])[]
        {
            ($"{c.Name}.weight", [c.Out, c.In, c.Kernel, c.Kernel]),
            ($"{c.Name}.scale", [c.Out]),
            ($"{c.Name}.shift", [c.Out]),
            ($"{c.Name}.mean", [c.Out]),
            ($"{c.Name}.variance", [c.Out]),
        }),
        .. Others,
    ];

    /// <summary>Weights and biases once normalisation is folded into the convolutions.</summary>
    public long Parameters =>
        Convolutions.Sum(convolution => convolution.WeightCount + convolution.Out) + Others.Sum(tensor => tensor.Shape.Aggregate((a, b) => a * b));
}
