using SmileApi.Imaging;

namespace SmileApi.Inference;

/// <summary>How the service searches a picture and cuts out what it finds, where nobody says otherwise; the trainer measures by the same rules.</summary>
public static class FaceRules
{
    /// <summary>From here on a face is straightened before it is judged: 10 degrees, in radians.</summary>
    public const float StraightenFrom = 10 * MathF.PI / 180;

    /// <summary>How many pixels decoding leaves at least of the side of the smallest face's box.</summary>
    private const int DecodedMinFace = 28;

    /// <summary>Side of the smallest box that is looked for: 20 px, or in large pictures 3 % of the longer side.</summary>
    /// <param name="width">Of the upright original, in pixels.</param>
    /// <param name="height">Of the upright original, in pixels.</param>
    public static int DefaultMinFace(int width, int height) => (int)Math.Max(20, 0.03f * Math.Max(width, height));

    /// <summary>How coarsely a picture may be decoded to be searched: how many pixels of a side become one, 1, 2, 4 or 8.</summary>
    /// <param name="minFace">Side of the smallest box to find, in pixels of the upright original.</param>
    public static int ReductionFor(int minFace) => ImageDecoder.ReductionFor(minFace, DecodedMinFace);

    /// <summary>What the smile network sees of a face.</summary>
    /// <returns>The crop, and the radians clockwise by which it is to be turned.</returns>
    public static (FaceSquare Square, float Roll) CropOf(DetectedFace face)
    {
        var roll = MathF.Abs(face.Roll) >= StraightenFrom ? face.Roll : 0;
        return (face.Box.ToCrop(roll), roll);
    }
}
