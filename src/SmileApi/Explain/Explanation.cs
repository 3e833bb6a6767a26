using SmileApi.Classify;
using SmileApi.Faces;
using SmileApi.Imaging;

namespace SmileApi.Explain;

/// <summary>What the network saw in one face.</summary>
/// <param name="Crop">What it looked at, in pixels of the upright picture; may reach beyond it.</param>
/// <param name="Roll">Radians clockwise by which the crop is turned about its centre.</param>
/// <param name="Shares">
/// What each place of the crop adds to the logit, shape <c>[Height, Width]</c>, row-major: above 0 it speaks for a smile. With the
/// network's bias they add up to the logit of the probability.
/// </param>
internal sealed record FaceMap(FaceSquare Crop, float Roll, float[] Shares, int Height, int Width)
{
    /// <param name="reduction">How many pixels of the picture one of the decoded picture stands for, along a side.</param>
    /// <param name="activation">The network's class activation map, whose mean counts; perhaps with something behind it.</param>
    public static FaceMap Of(in FoundFace face, int reduction, ReadOnlySpan<float> activation, (int Height, int Width) size)
    {
        var shares = activation[..(size.Height * size.Width)].ToArray();
        foreach (ref var share in shares.AsSpan())
        {
            share /= shares.Length;
        }

        return new FaceMap(face.Crop.Scaled(reduction), face.Roll, shares, size.Height, size.Width);
    }
}

/// <summary>The answer of <c>POST /explain</c> as JSON: a verdict, and for each face what the network saw in it.</summary>
/// <param name="Smile">Whether the largest face smiles; null when there is no face.</param>
/// <param name="Probability">Calibrated probability that the largest face smiles, 0..1; null when there is no face.</param>
/// <param name="Threshold">Probabilities from here on count as a smile.</param>
/// <param name="Faces">The faces, largest first.</param>
/// <param name="Image">The picture as it was understood.</param>
/// <param name="Model">The model that judged.</param>
/// <param name="Timings">Where the time went.</param>
/// <param name="RequestId">Quote it when you report a problem; it stands in the service's log.</param>
internal sealed record Explanation(
    bool? Smile, float? Probability, float Threshold, IReadOnlyList<ExplainedFace> Faces, ImageInfo Image, ModelName Model, Timings Timings, string RequestId)
{
    public static Explanation Of(Verdict verdict, IReadOnlyList<FaceMap> maps) => new(
        verdict.Smile, verdict.Probability, verdict.Threshold, [.. verdict.Faces.Zip(maps, ExplainedFace.Of)], verdict.Image, verdict.Model, verdict.Timings, verdict.RequestId);
}

/// <summary>One face, and what the network saw in it.</summary>
/// <param name="Smile">Whether it smiles: the probability is at least the threshold.</param>
/// <param name="Probability">Calibrated probability that it smiles, 0..1.</param>
/// <param name="Box">Where the face is.</param>
/// <param name="Confidence">How sure the detector is that this is a face, 0..1; null when the caller said so (<c>faces=whole</c>).</param>
/// <param name="Crop">What the network looked at, and what the map lies over.</param>
/// <param name="Map">What each place of the crop adds to the logit: rows from the top, each from the left. Above 0 it speaks for a smile, below against one. With the network's bias they add up to the logit of the probability.</param>
internal sealed record ExplainedFace(bool Smile, float Probability, Box Box, float? Confidence, ExplainedCrop Crop, IReadOnlyList<IReadOnlyList<float>> Map)
{
    private const int Digits = 4;

    public static ExplainedFace Of(FaceVerdict face, FaceMap map) => new(
        face.Smile, face.Probability, face.Box, face.Confidence,
        new ExplainedCrop(MathF.Round(map.Crop.X, 1), MathF.Round(map.Crop.Y, 1), MathF.Round(map.Crop.Side, 1), MathF.Round(float.RadiansToDegrees(map.Roll), 1)),
        [.. map.Shares.Chunk(map.Width).Select(row => Array.ConvertAll(row, share => MathF.Round(share, Digits)))]);
}

/// <summary>A square in pixels of the upright picture, turned about its centre.</summary>
/// <param name="X">Left edge before it is turned; may lie outside the picture.</param>
/// <param name="Y">Upper edge before it is turned.</param>
/// <param name="Side">Side length.</param>
/// <param name="Roll">Degrees clockwise by which it is turned.</param>
internal sealed record ExplainedCrop(float X, float Y, float Side, float Roll);
