using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>What becomes of the smiles that a model sees when a part of each face is covered: whether its explanation points at what counts.</summary>
/// <param name="Part">Of the crop: <c>mouth</c>, or another part of the same size to compare.</param>
/// <param name="ProbabilityBefore">Mean, 0..1.</param>
/// <param name="ProbabilityAfter">Mean, 0..1.</param>
/// <param name="NoLongerSmiles">Share that is no longer judged a smile.</param>
/// <param name="Fell">Share whose probability fell.</param>
/// <param name="InPartBefore">Mean of what the part adds to the logit.</param>
/// <param name="InPartAfter">The same when it is covered.</param>
/// <param name="MovedOrFell">Share of which at least one holds: less of the logit comes from the part, or the probability fell.</param>
internal sealed record CoveredPart(
    string Part, double ProbabilityBefore, double ProbabilityAfter, double NoLongerSmiles, double Fell, double InPartBefore, double InPartAfter, double MovedOrFell);

/// <summary>See <see cref="CoveredPart"/>.</summary>
/// <param name="Count">Smiles by their label that the model judges smiles.</param>
/// <param name="Places">Rows and columns of the explanation.</param>
internal sealed record Covered(string Model, string Version, string Split, int Count, string Places, IReadOnlyList<CoveredPart> Parts)
{
    private const int BatchSize = 32;
    private const int Side = FaceCrop.Side;

    // In percent of the crop, which are its pixels: left, top, right, bottom; all of the same size.
    private static readonly (string Name, int Left, int Top, int Right, int Bottom)[] s_parts = [("mouth", 15, 62, 85, 96), ("eyes", 15, 8, 85, 42), ("middle", 15, 34, 85, 68)];

    /// <exception cref="CommandException">The model gives no map, or sees no smile.</exception>
    public static Covered Of(SmileModel model, IFaceData data, string split)
    {
        if (model.ActivationSize == default)
        {
            throw new CommandException($"{model.Path} has no output 'activation', and so cannot say what it saw.");
        }

        var normalisation = model.Metadata.Input.Normalisation;
        float[][] crops = [.. data.Faces(split, perClass: 0).Where(face => face.IsSmile).Select(face => face.Crop(normalisation))];
        var all = Look(model, crops);
        var seen = Enumerable.Range(0, crops.Length).Where(i => all[i].Probability >= model.Metadata.Threshold).ToArray();
        if (seen.Length == 0)
        {
            throw new CommandException($"The model sees no smile among the {crops.Length} of the split '{split}'.");
        }

        var (height, width) = model.ActivationSize;
        return new Covered(
            model.Metadata.Name, model.Metadata.Version, split, seen.Length, $"{height}x{width}",
            [.. s_parts.Select(part => Cover(part, Array.ConvertAll(seen, i => crops[i]), Array.ConvertAll(seen, i => all[i]), model))]);
    }

    private static CoveredPart Cover((string Name, int Left, int Top, int Right, int Bottom) part, float[][] crops, Answer[] before, SmileModel model)
    {
        var after = Look(model, Array.ConvertAll(crops, crop => Without(crop, part.Left, part.Top, part.Right, part.Bottom)));
        var inBefore = Array.ConvertAll(before, Within);
        var inAfter = Array.ConvertAll(after, Within);
        return new CoveredPart(
            part.Name, before.Average(look => look.Probability), after.Average(look => look.Probability),
            Share(i => after[i].Probability < model.Metadata.Threshold), Share(HasFallen), inBefore.Average(), inAfter.Average(),
            Share(i => HasFallen(i) || inAfter[i] < inBefore[i]));

        double Share(Func<int, bool> holds) => (double)Enumerable.Range(0, crops.Length).Count(holds) / crops.Length;

        bool HasFallen(int i) => after[i].Probability < before[i].Probability;

        // Each place counts by how much of it lies within the part.
        double Within(Answer look)
        {
            var (height, width) = model.ActivationSize;
            return look.Map.Index().Sum(place => place.Item / look.Map.Length
                * Overlap(place.Index % width, width, part.Left, part.Right) * Overlap(place.Index / width, height, part.Top, part.Bottom));
        }

        static double Overlap(int place, int places, double from, double to)
        {
            var (start, length) = ((double)Side / places * place, (double)Side / places);
            return Math.Max(0, Math.Min(to, start + length) - Math.Max(from, start)) / length;
        }
    }

    /// <summary>The face with a part of it filled with its own mean level.</summary>
    private static float[] Without(float[] crop, int left, int top, int right, int bottom)
    {
        float[] covered = [.. crop];
        var mean = crop.Average();
        for (var y = top; y < bottom; y++)
        {
            covered.AsSpan(y * Side + left, right - left).Fill(mean);
        }

        return covered;
    }

    private static Answer[] Look(SmileModel model, float[][] crops)
    {
        using var runner = model.CreateRunner(BatchSize);
        var probabilities = new float[BatchSize];
        var looks = new List<Answer>(crops.Length);
        foreach (var chunk in crops.Chunk(BatchSize))
        {
            runner.Run(chunk, probabilities);
            looks.AddRange(chunk.Select((_, i) => new Answer(probabilities[i], runner.Activation(i).ToArray())));
        }

        return [.. looks];
    }

    private readonly record struct Answer(float Probability, float[] Map);
}
