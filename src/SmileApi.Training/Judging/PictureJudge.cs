using SmileApi.Client;
using SmileApi.Imaging;
using SmileApi.Inference;
using FaceCrop = SmileApi.Imaging.FaceCrop;

namespace SmileApi.Training;

/// <summary>What is said of a picture, or why nothing is.</summary>
/// <param name="File">The picture's path.</param>
/// <param name="Probability">Calibrated probability that the largest face smiles, 0..1; null when there is no face or a problem.</param>
/// <param name="Smile">Whether that is at least the threshold.</param>
/// <param name="Faces">All faces, largest first.</param>
/// <param name="Problem">Why the picture could not be judged; null when it was.</param>
internal sealed record Prediction(string File, float? Probability, bool? Smile, IReadOnlyList<SmileFace> Faces, string? Problem)
{
    public static Prediction Of(string file, IReadOnlyList<SmileFace> faces) =>
        new(file, faces.Count > 0 ? faces[0].Probability : null, faces.Count > 0 ? faces[0].Smile : null, faces, Problem: null);

    public static Prediction Unread(string file, string problem) => new(file, Probability: null, Smile: null, [], problem);
}

/// <summary>The service's way from the bytes of a picture to a verdict on each of its faces, walked on the calling thread. Needs no libtorch.</summary>
/// <param name="model">Judges the faces; disposed with this.</param>
/// <param name="detector">Finds them; null when each picture is one face. Disposed with this.</param>
/// <param name="threshold">Probabilities from here on count as a smile, 0..1; null for the model's.</param>
internal sealed class PictureJudge(SmileModel model, FaceDetector? detector, float? threshold) : IDisposable
{
    /// <summary>Most faces of a picture, by the service's API too; the largest stay.</summary>
    public const int MaxFaces = 1000;

    private readonly ImageDecoder _decoder = new(new ImageLimits());
    private readonly SmileRunner _runner = model.CreateRunner(1);
    private readonly float[] _crop = new float[FaceCrop.Length];
    private readonly float _threshold = threshold ?? model.Metadata.Threshold;

    /// <summary>Reads a file's bytes.</summary>
    /// <returns>What is wrong with the file, or null.</returns>
    public static string? Read(ListedPicture picture, out byte[] bytes)
    {
        bytes = [];
        if (picture.Problem is not null)
        {
            return picture.Problem;
        }

        try
        {
            bytes = File.ReadAllBytes(picture.Path);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    /// <summary>Judges a picture.</summary>
    public Prediction Judge(ListedPicture picture)
    {
        if (Read(picture, out var bytes) is { } unread)
        {
            return Prediction.Unread(picture.Path, unread);
        }

        if (!_decoder.TryInspect(bytes, out var header, out var rejection))
        {
            return Prediction.Unread(picture.Path, rejection.Detail);
        }

        var (width, height) = (header.UprightWidth, header.UprightHeight);
        var minFace = FaceRules.DefaultMinFace(width, height);
        var reduction = detector is null ? ImageDecoder.ReductionFor(Math.Min(width, height), FaceCrop.Side) : FaceRules.ReductionFor(minFace);
        if (!_decoder.TryDecodeReduced(bytes, header, reduction, out var image, out rejection))
        {
            return Prediction.Unread(picture.Path, rejection.Detail);
        }

        using (image)
        {
            SmileFace[] faces = detector is null
                ? [Judged(image, FaceSquare.Centred(image.Width, image.Height), roll: 0, new FaceBox(0, 0, width, height), confidence: null)]
                : [.. detector.Faces(image, minFace: (float)minFace / reduction).Take(MaxFaces).Select(face => Judged(image, face))];
            return Prediction.Of(picture.Path, faces);
        }
    }

    public void Dispose()
    {
        _runner.Dispose();
        detector?.Dispose();
        model.Dispose();
    }

    private SmileFace Judged(GreyImage image, DetectedFace face)
    {
        var (crop, roll) = FaceRules.CropOf(face);
        var (x, y, width, height) = face.Box.Scaled(image.Reduction).Clipped(image.OriginalWidth, image.OriginalHeight);
        return Judged(image, crop, roll, new FaceBox(x, y, width, height), face.Confidence);
    }

    private SmileFace Judged(GreyImage image, FaceSquare crop, float roll, FaceBox box, float? confidence)
    {
        var probability = new float[1];
        FaceCrop.Resample(image, crop, model.Metadata.Input.Normalisation, _crop, roll: roll);
        _runner.Run([_crop], probability);
        return new SmileFace(probability[0] >= _threshold, probability[0], box, confidence);
    }
}
