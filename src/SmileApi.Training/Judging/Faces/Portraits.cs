using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>A picture of <c>lfw160.tar</c>, searched whole.</summary>
/// <param name="Row">What is labelled.</param>
/// <param name="Face">The picture and the labelled crop.</param>
/// <param name="Found">Of the faces found, the one whose crop overlaps the labelled one most; null where there is none.</param>
internal sealed record Portrait(LabelRow Row, Face Face, DetectedFace? Found)
{
    /// <summary>
    /// From this intersection over union of the crops on, the face found is the labelled one. A neighbour's face does not overlap
    /// that much, and a crop half or twice as large as it should be overlaps less.
    /// </summary>
    public const double LeastOverlap = 0.3;

    /// <summary>Intersection over union of the labelled crop and the one found, as it is before it is turned; 0..1.</summary>
    public double Overlap => Found is { } face ? FaceRules.CropOf(face).Square.IoU(Face.Square) : 0;

    /// <summary>Whether the labelled face was found.</summary>
    public bool IsFound => Overlap >= LeastOverlap;

    /// <summary>The face as the service cuts it out; only of one that was found.</summary>
    public Face Served
    {
        get
        {
            var (square, roll) = FaceRules.CropOf(Found!.Value);
            return Face with { Square = square, Roll = roll };
        }
    }

    /// <summary>Searches the pictures of a split.</summary>
    public static IReadOnlyList<Portrait> Search(FaceDetector detector, Lfw160 data, string split) =>
    [
        .. data.Files(row => row.Split == split).Select(file => Search(detector, file.Row, Lfw160.Face(file.Row, file.Bytes, file.Row.Target))),
    ];

    /// <summary>Searches one picture.</summary>
    public static Portrait Search(FaceDetector detector, LabelRow row, Face face)
    {
        var faces = detector.Faces(face.Image);
        return new Portrait(row, face, faces.Count == 0 ? null : faces.MaxBy(found => FaceRules.CropOf(found).Square.IoU(face.Square)));
    }
}

/// <summary>What a detector finds in portraits, and what a smile model says of the faces as they are found.</summary>
/// <param name="Pictures">All of the split.</param>
/// <param name="Found">Pictures in which the labelled face is found.</param>
/// <param name="WithSquare">Pictures with a labelled crop.</param>
/// <param name="WithGoodCrop">Of those, the ones whose crop as found has an intersection over union of at least <see cref="GoodOverlap"/> with it.</param>
/// <param name="OnLabelled">Smiles judged on the labelled crops of the agreed faces that are found; null where none is.</param>
/// <param name="OnFound">Smiles judged on the same faces as the service cuts them out.</param>
internal sealed record PortraitScores(int Pictures, int Found, int WithSquare, int WithGoodCrop, EvaluationScore? OnLabelled, EvaluationScore? OnFound)
{
    /// <summary>A crop that overlaps the labelled one so much is a good one.</summary>
    public const double GoodOverlap = 0.6;

    /// <summary>Share of the pictures in which the labelled face is found, 0..1.</summary>
    public double FoundShare => (double)Found / Math.Max(1, Pictures);

    /// <summary>Share of good crops where there is a labelled one, 0..1.</summary>
    public double GoodCropShare => (double)WithGoodCrop / Math.Max(1, WithSquare);

    /// <summary>How much more often smiles are judged right on crops as found, in points of 100.</summary>
    public double? Points => 100 * (OnFound?.Accuracy - OnLabelled?.Accuracy);

    public static PortraitScores Of(IReadOnlyList<Portrait> portraits, SmileModel smile)
    {
        var (squares, agreed) = (portraits.Where(portrait => portrait.Row.HasSquare).ToArray(), Agreed(portraits));
        return new PortraitScores(
            portraits.Count, portraits.Count(portrait => portrait.IsFound), squares.Length, squares.Count(portrait => portrait.Overlap >= GoodOverlap),
            Smiles(smile, [.. agreed.Select(portrait => portrait.Face)]), Smiles(smile, [.. agreed.Select(portrait => portrait.Served)]));
    }

    /// <summary>Portraits whose face is found and whose label is certain.</summary>
    public static IReadOnlyList<Portrait> Agreed(IEnumerable<Portrait> portraits) => [.. portraits.Where(portrait => portrait.IsFound && portrait.Row.IsAgreed)];

    /// <summary>How well the smiles of some faces are judged; null where there is none.</summary>
    public static EvaluationScore? Smiles(SmileModel smile, IReadOnlyList<Face> faces) => faces.Count == 0 ? null : EvaluationScore.Of(
        Evaluation.Judge(smile, faces), [.. faces.Select(face => face.IsSmile)], smile.Metadata.Threshold);
}
