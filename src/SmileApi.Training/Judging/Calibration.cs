namespace SmileApi.Training;

/// <summary>
/// From a network's logit to a probability that can be believed: <c>sigmoid(logit / Temperature + Bias)</c>, the temperature of
/// Guo et al. 2017 and a bias for another share of smiles than that of the pictures learned from (Platt 1999).
/// </summary>
/// <param name="Temperature">Above 0; below 1 makes a timid network bolder.</param>
/// <param name="Bias">Added to the divided logit.</param>
internal sealed record Calibration(double Temperature, double Bias)
{
    /// <summary>
    /// The share of smiles for which probabilities are right and 0.5 is the best threshold. It is a half, because nobody knows the
    /// share among the pictures of strangers, and a half costs least when it is wrong.
    /// </summary>
    public const double SmileShare = 0.5;

    /// <summary>Changes nothing.</summary>
    public static readonly Calibration None = new(1, 0);

    /// <summary>The probability of a smile, 0..1.</summary>
    public double Probability(double logit) => Metrics.Sigmoid(logit / Temperature + Bias);

    /// <summary>
    /// The temperature and bias with the least log loss where smiles and others weigh alike, however many there are of each. A
    /// slight pull towards <see cref="None"/> keeps them finite where every face is judged right.
    /// </summary>
    public static Calibration Fit(IReadOnlyList<double> logits, IReadOnlyList<bool> smiles)
    {
        const double Pull = 1e-4;
        double positives = smiles.Count(smile => smile), negatives = smiles.Count - positives;
        var (slope, bias) = (1.0, 0.0);
        for (var step = 0; step < 100; step++)
        {
            var (gradientSlope, gradientBias) = (Pull * (slope - 1), Pull * bias);
            var (curveSlope, curveBoth, curveBias) = (Pull, 0.0, Pull);
            for (var i = 0; i < logits.Count; i++)
            {
                var weight = smiles[i] ? SmileShare / positives : (1 - SmileShare) / negatives;
                var probability = Metrics.Sigmoid(slope * logits[i] + bias);
                var (error, curve) = (weight * (probability - (smiles[i] ? 1 : 0)), weight * probability * (1 - probability));
                (gradientSlope, gradientBias) = (gradientSlope + error * logits[i], gradientBias + error);
                (curveSlope, curveBoth, curveBias) = (curveSlope + curve * logits[i] * logits[i], curveBoth + curve * logits[i], curveBias + curve);
            }

            // Newton's step, shortened where the curve is too flat to be trusted.
            var determinant = curveSlope * curveBias - curveBoth * curveBoth;
            var (stepSlope, stepBias) = ((curveBias * gradientSlope - curveBoth * gradientBias) / determinant, (curveSlope * gradientBias - curveBoth * gradientSlope) / determinant);
            var length = Math.Max(1, Math.Max(Math.Abs(stepSlope), Math.Abs(stepBias)));
            (slope, bias) = (Math.Max(0.05, slope - stepSlope / length), bias - stepBias / length);
        }

        return new Calibration(1 / slope, bias);
    }
}
