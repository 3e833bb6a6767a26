using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>What becomes of smiles when heads are tilted, every other one to the left.</summary>
/// <param name="Degrees">By which the pictures are turned about the middle of the labelled crop.</param>
/// <param name="Count">Faces of certain label.</param>
/// <param name="Found">Those that the detector finds in the turned picture.</param>
/// <param name="RollError">Degrees by which the detector takes the found ones for turned further than the pictures are; how people hold their heads is in its deviation.</param>
/// <param name="Upright">Smiles of all judged on the labelled crop, the face lying in it as it does.</param>
/// <param name="Straightened">The same with the crop turned as far as the detector says the face is; as it is where none is found.</param>
/// <param name="Served">Smiles of those found as the service cuts them out; null where there are none.</param>
internal sealed record TurnedScores(
    double Degrees, int Count, int Found, Spread RollError, EvaluationScore Upright, EvaluationScore Straightened, EvaluationScore? Served)
{
    private static readonly double[] Turns = [0, 10, 20, 30, 40];

    /// <summary>Measures every turn on portraits of certain label; none where there are none.</summary>
    public static IReadOnlyList<TurnedScores> Measure(IEnumerable<Portrait> portraits, FaceDetector detector, SmileModel smile)
    {
        Portrait[] agreed = [.. portraits.Where(portrait => portrait.Row.IsAgreed)];
        return agreed.Length == 0 ? [] : [.. Turns.Select(Measure)];

        TurnedScores Measure(double degrees)
        {
            Portrait[] turned = [.. agreed.Select((portrait, i) => Portrait.Search(detector, portrait.Row, Turn(portrait.Face, Sign(i) * degrees * Math.PI / 180)))];
            var found = turned.Index().Where(portrait => portrait.Item.IsFound).ToArray();
            double[] errors = [.. found.Select(portrait => Sign(portrait.Index) * portrait.Item.Found!.Value.Roll * 180 / Math.PI - degrees)];
            return new TurnedScores(
                degrees, turned.Length, found.Length, errors.Length == 0 ? new Spread(0, 0) : Spread.Of(errors),
                Smiles(turned.Select(portrait => portrait.Face))!,
                Smiles(turned.Select(portrait => portrait.Face with { Roll = portrait.IsFound ? portrait.Found!.Value.Roll : 0 }))!,
                Smiles(found.Select(portrait => portrait.Item.Served)));
        }

        EvaluationScore? Smiles(IEnumerable<Face> faces) => PortraitScores.Smiles(smile, [.. faces]);

        static int Sign(int index) => index % 2 == 0 ? 1 : -1;
    }

    /// <summary>Turns a picture clockwise about the middle of its face; what comes in from outside continues the edge.</summary>
    public static Face Turn(Face face, double radians)
    {
        var whole = new FaceSquare(0, 0, Math.Max(face.Image.Width, face.Image.Height));
        return radians == 0 ? face : face with { Image = Augmentation.Warp(face, whole, roll: -radians, stretch: 1, tiltX: 0, tiltY: 0) };
    }
}
