using SmileApi.Imaging;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace SmileApi.Training;

/// <summary>
/// Logistic regression on the pixels of a small face: one weight a pixel, no layers. Its loss has one minimum, which Newton's
/// steps reach, so that nothing depends on chance or on when to stop.
/// </summary>
internal sealed class PixelRegression
{
    /// <summary>Side of the small face, in pixels.</summary>
    public const int Side = 25;

    /// <summary>The last input is 1, its weight the bias.</summary>
    private const int Inputs = Side * Side + 1;

    private const int MostSteps = 30;

    /// <summary>How strongly weights are pulled to zero: from strongly to weakly, each fit beginning where the last one ended.</summary>
    private static readonly double[] Decays = [1, 0.3, 0.1, 0.03, 0.01, 0.003];

    private readonly double[] _weights;

    private PixelRegression(double[] weights, double decay) => (_weights, Decay) = (weights, decay);

    /// <summary>Half of this times the sum of squared weights is added to the mean loss.</summary>
    public double Decay { get; }

    /// <summary>
    /// Chooses the decay by the log loss on the last fifth of each class, in their order (archives are sorted by person, so these
    /// are other people than the rest), then fits to all.
    /// </summary>
    public static PixelRegression Fit(IReadOnlyList<Face> train)
    {
        Face[][] classes = [.. train.GroupBy(face => face.IsSmile).Select(faces => faces.ToArray())];
        Face[] ordered = [.. classes.SelectMany(faces => faces[..^(faces.Length / 5)]), .. classes.SelectMany(faces => faces[^(faces.Length / 5)..])];
        double[][] inputs = [.. ordered.Select(Small)];
        bool[] smiles = [.. ordered.Select(face => face.IsSmile)];
        var held = ordered.Length - classes.Sum(faces => faces.Length / 5);
        var weights = new double[Inputs];
        var best = (Loss: double.MaxValue, Decay: 0.0, Weights: weights);
        foreach (var decay in Decays)
        {
            weights = Newton(inputs[..held], smiles[..held], decay, weights);
            var loss = Metrics.LogLoss([.. inputs[held..].Select(input => Metrics.Sigmoid(TensorPrimitives.Dot(input, weights)))], smiles[held..]);
            best = loss < best.Loss ? (loss, decay, weights) : best;
        }

        return new PixelRegression(Newton(inputs, smiles, best.Decay, best.Weights), best.Decay);
    }

    /// <summary>Probability of a smile, 0..1.</summary>
    public double Probability(Face face) => Metrics.Sigmoid(TensorPrimitives.Dot(Small(face), _weights));

    /// <summary>The small face in deviations from its own mean, so that the light of the photograph does not count, and a 1.</summary>
    private static double[] Small(Face face)
    {
        var levels = new float[Side * Side];
        FaceCrop.Resample(face.Image, face.Square, new Normalisation(0, 1), levels, Side);
        var (mean, deviation) = (TensorPrimitives.Average(levels), Math.Max(1, TensorPrimitives.StdDev(levels)));
        return [.. levels.Select(level => (double)((level - mean) / deviation)), 1];
    }

    /// <summary>Minimises mean log loss + decay / 2 * sum of squared weights (the bias is not pulled).</summary>
    private static double[] Newton(double[][] inputs, bool[] smiles, double decay, double[] start)
    {
        double[] weights = [.. start];
        for (var step = 0; step < MostSteps; step++)
        {
            var gradient = new double[Inputs];
            var curvature = new double[Inputs][]; // Row i holds columns 0 to i: the rest is its mirror image.
            for (var i = 0; i < Inputs; i++)
            {
                curvature[i] = new double[i + 1];
                var pull = i < Inputs - 1 ? decay * inputs.Length : 0;
                (gradient[i], curvature[i][i]) = (pull * weights[i], pull);
            }

            foreach (var (input, smile) in inputs.Zip(smiles))
            {
                var probability = Metrics.Sigmoid(TensorPrimitives.Dot(input, weights));
                TensorPrimitives.MultiplyAdd(input, probability - (smile ? 1 : 0), gradient, gradient);
                var certainty = probability * (1 - probability);
                for (var i = 0; i < Inputs; i++)
                {
                    TensorPrimitives.MultiplyAdd(input.AsSpan(0, i + 1), certainty * input[i], curvature[i], curvature[i]);
                }
            }

            var move = Solve(curvature, gradient);
            TensorPrimitives.Subtract(weights, move, weights);
            if (TensorPrimitives.MaxMagnitude(move) is > -1e-6 and < 1e-6)
            {
                break;
            }
        }

        return weights;
    }

    /// <summary>Solves a positive definite system by Cholesky's factors.</summary>
    /// <param name="matrix">Its lower half, row by row; overwritten by the factor.</param>
    private static double[] Solve(double[][] matrix, double[] right)
    {
        for (var i = 0; i < right.Length; i++)
        {
            for (var j = 0; j <= i; j++)
            {
                var rest = matrix[i][j] - TensorPrimitives.Dot(matrix[i].AsSpan(0, j), matrix[j].AsSpan(0, j));
                matrix[i][j] = i == j ? Math.Sqrt(rest) : rest / matrix[j][j];
            }
        }

        double[] solution = [.. right];
        for (var i = 0; i < right.Length; i++)
        {
            solution[i] = (solution[i] - TensorPrimitives.Dot(matrix[i].AsSpan(0, i), solution.AsSpan(0, i))) / matrix[i][i];
        }

        for (var i = right.Length - 1; i >= 0; i--)
        {
            solution[i] /= matrix[i][i];
            TensorPrimitives.MultiplyAdd(matrix[i].AsSpan(0, i), -solution[i], solution.AsSpan(0, i), solution.AsSpan(0, i));
        }

        return solution;
    }
}
