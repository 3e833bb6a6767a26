namespace SmileApi.Training;

/// <summary>Every knob of a training run. The checkpoint carries them, so that a resumed run is the same run.</summary>
internal sealed record TrainOptions
{
    /// <summary>Faces as they are: no augmentation.</summary>
    public static TrainOptions Still { get; } = new()
    {
        MinScale = 1,
        MaxScale = 1,
        Shift = 0,
        RollDegrees = 0,
        Stretch = 0,
        Perspective = 0,
        MirrorShare = 0,
        Contrast = 0,
        Brightness = 0,
        Gamma = 0,
        SideLight = 0,
        OcclusionShare = 0,
        BlurShare = 0,
        NoiseShare = 0,
        SmallShare = 0,
        JpegShare = 0,
    };

    /// <summary>For a first impression, and for models that look for wrong labels: short, and crops not too badly spoilt to be learned from in so short a run.</summary>
    public static TrainOptions Quick { get; } = new()
    {
        Epochs = 16,
        ChooseEpoch = true,
        Stretch = 0,
        Perspective = 0,
        Gamma = 0,
        SideLight = 0,
        OcclusionShare = 0,
        SmallShare = 0.1,
        JpegShare = 0.1,
    };

    /// <summary>For models that teach others: a little longer, and good at the small faces that nobody has labelled.</summary>
    public static TrainOptions Teacher { get; } = Quick with { Epochs = 18, SmallShare = 0.25, JpegShare = 0.15 };

    /// <summary>The presets by the name that the command line has for them.</summary>
    public static IReadOnlyDictionary<string, TrainOptions> Presets { get; } = new OrderedDictionary<string, TrainOptions> { ["full"] = new(), ["quick"] = Quick, ["teacher"] = Teacher };

    /// <summary>Seed of all randomness: weights, order, augmentation, dropout. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>The network, one of <see cref="Architecture.All"/>. Default <c>served</c>.</summary>
    public string Network { get; init; } = "served";

    /// <summary>Passes over the training pictures, at least 1. Default 40.</summary>
    public int Epochs { get; init; } = 40;

    /// <summary>
    /// Whether the epoch with the least validation loss is kept, or else the last one, in which the rate has come down to nothing and
    /// the average has settled. A few hundred validation faces choose among good epochs by luck. Default false.
    /// </summary>
    public bool ChooseEpoch { get; init; }

    /// <summary>Faces a step, at least 2. Default 32.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Largest step along the gradient, reached after the warm-up, above 0. Default 0.1.</summary>
    public double LearningRate { get; init; } = 0.1;

    /// <summary>Share of all steps in which the rate grows from 0; after it, it falls along a cosine to 0. Default 0.2.</summary>
    public double WarmUp { get; init; } = 0.2;

    /// <summary>Nesterov momentum, 0..1. Default 0.9.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>How strongly weights (not biases, not normalisation) are pulled to zero. Default 5e-4.</summary>
    public double WeightDecay { get; init; } = 5e-4;

    /// <summary>Share of the features before the linear layer that each step leaves out, 0..1. Default 0.2.</summary>
    public double Dropout { get; init; } = 0.2;

    /// <summary>Share of itself that the running average of the weights keeps at each step, 0..1. Default 0.995.</summary>
    public double AverageDecay { get; init; } = 0.995;

    /// <summary>Smallest training crop, as a multiple of the labelled square. Default 0.75.</summary>
    public double MinScale { get; init; } = 0.75;

    /// <summary>Largest training crop, as a multiple of the labelled square. Default 1.35.</summary>
    public double MaxScale { get; init; } = 1.35;

    /// <summary>Largest shift along each axis, as a share of the labelled square's side. Default 0.1.</summary>
    public double Shift { get; init; } = 0.1;

    /// <summary>Largest turn either way, in degrees. Default 20.</summary>
    public double RollDegrees { get; init; } = 20;

    /// <summary>Width against height is multiplied or divided by up to 1 plus this. Default 0.08.</summary>
    public double Stretch { get; init; } = 0.08;

    /// <summary>How much nearer an edge of the face may be than its middle, as a share of the distance. Default 0.1.</summary>
    public double Perspective { get; init; } = 0.1;

    /// <summary>Share of crops that are mirrored, 0..1. Default 0.5.</summary>
    public double MirrorShare { get; init; } = 0.5;

    /// <summary>Contrast is multiplied or divided by up to 1 plus this. Default 0.3.</summary>
    public double Contrast { get; init; } = 0.3;

    /// <summary>Largest change of brightness either way, in grey levels. Default 25.</summary>
    public double Brightness { get; init; } = 25;

    /// <summary>The exponent of grey levels is multiplied or divided by up to 1 plus this; colour casts turned grey are such changes. Default 0.3.</summary>
    public double Gamma { get; init; } = 0.3;

    /// <summary>What a light from one side adds there and takes from the other, at most, in grey levels. Default 25.</summary>
    public double SideLight { get; init; } = 25;

    /// <summary>Share of crops of which something hides a part, 0..1. Default 0.2.</summary>
    public double OcclusionShare { get; init; } = 0.2;

    /// <summary>Largest side of what hides a part, as a share of the crop's. Default 0.35.</summary>
    public double MaxOcclusion { get; init; } = 0.35;

    /// <summary>Share of crops that are blurred, 0..1. Default 0.3.</summary>
    public double BlurShare { get; init; } = 0.3;

    /// <summary>Largest deviation of the blur, in pixels of the crop. Default 2.5.</summary>
    public double MaxBlur { get; init; } = 2.5;

    /// <summary>Share of crops that get noise, 0..1. Default 0.3.</summary>
    public double NoiseShare { get; init; } = 0.3;

    /// <summary>Largest deviation of the noise, in grey levels. Default 25.</summary>
    public double MaxNoise { get; init; } = 25;

    /// <summary>Share of crops that are brought down to a small picture and blown up again, 0..1. Default 0.25.</summary>
    public double SmallShare { get; init; } = 0.25;

    /// <summary>Side of the smallest of those, in pixels. Default 18.</summary>
    public double MinSide { get; init; } = 18;

    /// <summary>Share of crops that are stored as JPEG, 0..1. Default 0.25.</summary>
    public double JpegShare { get; init; } = 0.25;

    /// <summary>Lowest quality of those, 1..90. Default 15.</summary>
    public double MinQuality { get; init; } = 15;

    /// <summary>Training faces, cropped as served, on which each epoch is also scored. Default 1000.</summary>
    public int TrainSample { get; init; } = 1000;

    /// <summary>The learning rate of a step.</summary>
    /// <param name="step">Counted from 0 over the whole run.</param>
    /// <param name="steps">Of the whole run.</param>
    public double RateAt(int step, int steps) => GradientDescent.RateAt(LearningRate, WarmUp, step, steps);
}
