using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>What becomes of smiles when heads are tilted, every other one to the left.</summary>
/// <param name="Degrees">By which the pictures are turned about the middle of the labelled crop.</param>
/// <param name="Count">Faces of certain label.</param>
/// <param name="Found">Those that the detector finds in the turned picture.</param>
/// <param name="RollError">Degrees by which the detector takes the found ones for turned further than the pictures are; how people held their heads is in it.</param>
/// <param name="Upright">Smiles judged on the labelled crop, the face lying in it as it does.</param>
/// <param name="Straightened">The same with the picture turned back by what the detector says; as it is where it finds no face.</param>
internal sealed record TurnedScores(double Degrees, int Count, int Found, Spread RollError, EvaluationScore Upright, EvaluationScore Straightened)
{
    private static readonly double[] Turns = [0, 10, 20, 30, 40];

    /// <summary>Measures every turn on portraits of certain label.</summary>
    public static IReadOnlyList<TurnedScores> Measure(IEnumerable<Portrait> portraits, FaceDetector detector, SmileModel smile)
    {
        Face[] faces = [.. portraits.Where(portrait => portrait.Row.IsAgreed).Select(portrait => portrait.Face)];
        bool[] smiles = [.. faces.Select(face => face.IsSmile)];
        return [.. Turns.Select(Measure)];

        TurnedScores Measure(double degrees)
        {
            Face[] turned = [.. faces.Select((face, i) => Turn(face, Radians(degrees, i)))];
            DetectedFace?[] found = [.. turned.Select(face => Portrait.Nearest(detector.Faces(face.Image), face.Square) is { } nearest
                && Box.Of(nearest.Box.ToCrop()).Overlap(Box.Of(face.Square)) >= Portrait.LeastOverlap ? nearest : (DetectedFace?)null)];
            double[] errors = [.. found.Select((face, i) => ((face?.Roll ?? double.NaN) - Radians(degrees, i)) * 180 / Math.PI).Where(double.IsFinite)];
            return new TurnedScores(
                degrees, faces.Length, errors.Length, errors.Length == 0 ? new Spread(0, 0) : Spread.Of(errors), Score(turned), Score([.. turned.Select((face, i) => Turn(face, -found[i]?.Roll ?? 0))]));
        }

        EvaluationScore Score(Face[] judged) => EvaluationScore.Of(Evaluation.Judge(smile, judged), smiles, smile.Metadata.Threshold);

        static double Radians(double degrees, int index) => (index % 2 == 0 ? degrees : -degrees) * Math.PI / 180;
    }

    /// <summary>Turns a picture clockwise about the middle of its face; what comes in from outside continues the edge.</summary>
    private static Face Turn(Face face, double radians)
    {
        var image = face.Image;
        var whole = new FaceSquare(0, 0, Math.Max(image.Width, image.Height));
        return radians == 0 ? face : face with { Image = Augmentation.Warp(face, whole, roll: -radians, stretch: 1, tiltX: 0, tiltY: 0) };
    }
}
