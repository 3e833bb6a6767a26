namespace SmileApi.Training;

/// <summary>Every knob of a detector's training; kept in its checkpoints.</summary>
internal sealed record FaceTrainOptions
{
    /// <summary>Seed of all randomness. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Steps of the first stage. Default 16,000.</summary>
    public int FindSteps { get; init; } = 16_000;

    /// <summary>Composed pictures of 192x192 pixels a step of the first stage. Default 16.</summary>
    public int FindBatch { get; init; } = 16;

    /// <summary>Largest learning rate of the first stage. Default 0.04.</summary>
    public double FindRate { get; init; } = 0.04;

    /// <summary>Steps of the second stage. Default 16,000.</summary>
    public int CheckSteps { get; init; } = 16_000;

    /// <summary>Fewest candidates a step of the second stage. Default 128.</summary>
    public int CheckBatch { get; init; } = 128;

    /// <summary>Largest learning rate of the second stage. Default 0.12.</summary>
    public double CheckRate { get; init; } = 0.12;

    /// <summary>
    /// How much being off with a box counts against taking one thing for the other, above 0. The absolute error pulls as hard at
    /// a small mistake as at a large one, and would otherwise drown the question whether it is a face at all. Default 0.1.
    /// </summary>
    public double BoxWeight { get; init; } = 0.1;

    /// <summary>
    /// How much the first stage's logit counts beside the second's, at least 0: it sees the surroundings, which the second does
    /// not. Default 2: on pictures of `val` every weight up to it found more at as few false faces.
    /// </summary>
    public double FindWeight { get; init; } = 2;

    /// <summary>Share of the features before the second stage's linear layer that each step leaves out, 0..1. Default 0.2.</summary>
    public double Dropout { get; init; } = 0.2;

    /// <summary>Share of all steps in which the rate grows from 0. Default 0.1.</summary>
    public double WarmUp { get; init; } = 0.1;

    /// <summary>Nesterov momentum, 0..1. Default 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>How strongly weights (not biases, not normalisation) are pulled to zero. Default 1e-4.</summary>
    public double WeightDecay { get; init; } = 1e-4;

    /// <summary>Share of itself that the running average of the weights keeps at each step, 0..1. Default 0.999.</summary>
    public double AverageDecay { get; init; } = 0.999;

    /// <summary>
    /// A longer gradient is shortened to this length: a batch that happens to hold hardly a face can throw a network off its way
    /// for good. Default 5.
    /// </summary>
    public double MaxGradient { get; init; } = 5;

    /// <summary>Steps from one checkpoint to the next. Default 500.</summary>
    public int StepsPerCheckpoint { get; init; } = 500;

    /// <summary>Held-out pictures to tell by how far each stage is, and as many to calibrate confidences by. Default 400.</summary>
    public int HeldOut { get; init; } = 400;

    /// <summary>How steps are taken.</summary>
    public DescentOptions Descent() => new(Momentum, WeightDecay, AverageDecay, MaxGradient);
}
