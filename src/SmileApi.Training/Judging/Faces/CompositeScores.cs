using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>
/// What a detector finds in pictures composed as for training, of people and scenes held out from it. Faces of which noise,
/// darkness or a cut leave too little count neither as found nor as missed, and a box round one is not false.
/// </summary>
/// <param name="Hard">
/// Whether pictures are as hard as those learned from, with things blended in that are nearly faces, lone eyes or faces upside down,
/// letters drawn, and faces turned far or cut by the border; else there are only whole faces, turned as people mostly hold their
/// heads, and a quarter as much is spoilt.
/// </param>
/// <param name="Tried">Faces that were to be in each picture; where there is no room for all, there are fewer.</param>
/// <param name="Pictures">Pictures composed.</param>
/// <param name="Faces">Faces in them that count.</param>
/// <param name="Found">Those found, box against box as in photographs.</param>
/// <param name="False">Boxes round no face.</param>
/// <param name="Boxes">All boxes but those round faces that do not count.</param>
internal sealed record CompositeScores(bool Hard, int Tried, int Pictures, int Faces, int Found, int False, int Boxes)
{
    /// <summary>Boxes from 24 to 200 px; smaller pictures hold fewer faces.</summary>
    private static readonly (int Tried, int Width, int Height)[] Kinds = [(1, 640, 480), (2, 640, 480), (5, 640, 480), (20, 1280, 960)];

    /// <summary>The default of the smaller pictures, and asked for in the larger ones, whose default would leave the smallest faces out.</summary>
    private const float MinFace = 20;

    private const int Seed = 1;

    /// <summary>Share of the faces that is found, 0..1.</summary>
    public double FoundShare => (double)Found / Math.Max(1, Faces);

    /// <summary>Share of the boxes that is false, 0..1.</summary>
    public double FalseShare => (double)False / Math.Max(1, Boxes);

    /// <summary>Measures a detector on pictures that are always the same, the easier ones first.</summary>
    /// <param name="faces">Of people held out.</param>
    /// <param name="scenes">Held out.</param>
    /// <param name="tried">Faces to compose in all pictures of a kind together, at least 1.</param>
    public static IReadOnlyList<CompositeScores> Measure(FaceDetector detector, IReadOnlyList<FacePicture> faces, IReadOnlyList<GreyImage> scenes, int tried)
    {
        return [.. Measured(hard: false), .. Measured(hard: true)];

        IEnumerable<CompositeScores> Measured(bool hard) => Kinds.Select(kind => Measure(hard, kind.Tried, kind.Width, kind.Height));

        CompositeScores Measure(bool hard, int each, int width, int height)
        {
            var options = new CompositionOptions { Width = width, Height = height, MinBox = 24, MaxBox = 200, LargeShare = 0, MinFaces = each, MaxFaces = each };
            var composer = new Composer(faces, scenes, hard ? options : options with { MaxDistractors = 0, CutShare = 0, TurnedShare = 0, DrawingShare = 0, Spoiling = 0.25 });
            var sum = new CompositeScores(hard, each, (tried + each - 1) / each, 0, 0, 0, 0);
            for (var i = 0; i < sum.Pictures; i++)
            {
                var random = new SplitMix(Seed, each, i);
                using var composed = composer.Compose(ref random);
                sum = sum.With(composed.Faces, [.. detector.Faces(composed.Image, minFace: MinFace).Select(face => new FoundBox(Box.Of(face.Box), face.Confidence))]);
            }

            return sum;
        }
    }

    /// <summary>Adds what was found in one picture.</summary>
    public CompositeScores With(IReadOnlyList<ComposedFace> composed, IReadOnlyList<FoundBox> found)
    {
        Box[] clear = [.. composed.Where(face => face.IsClear).Select(face => Box.Of(face.Box))];
        Box[] unclear = [.. composed.Where(face => !face.IsClear).Select(face => Box.Of(face.Box))];
        // Those round faces that do not count are taken out first, unless they fit one that does.
        FoundBox[] counted = [.. found.Where(box => clear.Any(Fits(box)) || !unclear.Any(Fits(box)))];
        var judged = DetectionMatch.Judge(counted, clear);
        return this with
        {
            Faces = Faces + clear.Length,
            Found = Found + judged.Count(box => box.IsRight),
            False = False + judged.Count(box => !box.IsRight),
            Boxes = Boxes + judged.Count,
        };

        static Func<Box, bool> Fits(FoundBox found) => box => found.Box.Overlap(box) >= DetectionMatch.LeastOverlap;
    }
}

/// <summary>False faces in scenes held out, in which there is none, at the default confidence and size.</summary>
internal sealed record SceneScores(int Scenes, int False)
{
    /// <summary>False faces a scene.</summary>
    public double FalsePerScene => (double)False / Scenes;

    public static SceneScores Measure(FaceDetector detector, IReadOnlyList<GreyImage> scenes) => new(scenes.Count, scenes.Sum(scene => detector.Faces(scene).Count));
}
