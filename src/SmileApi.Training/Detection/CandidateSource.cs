using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>What the first stage has named, and what the second is to say of it.</summary>
/// <param name="Levels">Grey levels 0..255, row-major, shape <c>[40, 40]</c>; not normalised.</param>
/// <param name="IsFace">Whether it is one.</param>
/// <param name="Dx">Of a face: how far right of the candidate's centre it is, in sides of the candidate's box.</param>
/// <param name="Dy">The same downwards.</param>
/// <param name="LogScale">Of a face: the logarithm of its side by the candidate's.</param>
/// <param name="Roll">Of a face: radians by which it is turned clockwise.</param>
/// <param name="Find">Probability by the first stage; null where it has not been asked.</param>
internal sealed record Candidate(float[] Levels, bool IsFace, float Dx = 0, float Dy = 0, float LogScale = 0, float Roll = 0, float? Find = null);

/// <summary>
/// Composes photographs and collects what the first stage takes for faces in them, rightly or wrongly: what the second stage will
/// see. Not safe for concurrent use.
/// </summary>
/// <param name="networks">Its first stage has a threshold low enough for mistakes worth learning from.</param>
internal sealed class CandidateSource(IReadOnlyList<FacePicture> faces, IReadOnlyList<GreyImage> scenes, IFaceNetworks networks)
{
    // A candidate is a face from the first on, and none up to the second; between them nobody can say.
    private const float FaceIoU = 0.45f;
    private const float OtherIoU = 0.25f;

    private const int MostOfOnePhotograph = 40;

    // A crowd, a few people, a portrait, a face that fills the picture and more, and places without anybody.
    private readonly Composer[] _composers =
    [
        new(faces, scenes, new CompositionOptions { Width = 448, Height = 336, MinBox = 14, MaxBox = 80, LargestBox = 330, LargeShare = 0.2, MinFaces = 4, MaxFaces = 14 }),
        new(faces, scenes, new CompositionOptions { Width = 384, Height = 320, MinBox = 18, MaxBox = 160, LargestBox = 420, LargeShare = 0.2, MinFaces = 1, MaxFaces = 5, MaxDistractors = 8 }),
        new(faces, scenes, new CompositionOptions { Width = 256, Height = 320, MinBox = 60, MaxBox = 260, LargestBox = 420, LargeShare = 0.25, MinFaces = 1, MaxFaces = 1, MaxDistractors = 2 }),
        new(faces, scenes, new CompositionOptions { Width = 160, Height = 160, MinBox = 110, MaxBox = 220, LargeShare = 0, MinFaces = 1, MaxFaces = 1, MaxDistractors = 0, DrawingShare = 0.1 }),
        new(faces, scenes, new CompositionOptions { Width = 448, Height = 336, MinBox = 14, MaxBox = 120, LargestBox = 300, MinFaces = 0, MaxFaces = 0, MaxDistractors = 6, DrawingShare = 0.5 }),
        new(faces, scenes, new CompositionOptions { Width = 560, Height = 420, MinFaces = 0, MaxFaces = 0, MaxDistractors = 0, DrawingShare = 0.3, Spoiling = 0.6 }),
    ];

    /// <summary>The candidates of one photograph.</summary>
    /// <param name="random">The only source of chance.</param>
    public IReadOnlyList<Candidate> Next(ref SplitMix random)
    {
        using var composition = _composers[(int)random.Uniform(0, _composers.Length)].Compose(ref random);
        // As callers ask for small faces or for portraits only, the pyramid's sizes fall on other places.
        var options = new FaceSearchOptions((float)Math.Exp(random.Uniform(Math.Log(14), Math.Log(36))), 0);
        // Both stages run at once on this thread, so the task has ended.
        var named = FaceSearch.FindCandidatesAsync(composition.Image, options, networks, CancellationToken.None).GetAwaiter().GetResult();
        var candidates = new List<Candidate>();
        foreach (var candidate in named.Take(MostOfOnePhotograph))
        {
            if (Label(composition, candidate.Box) is { } labelled)
            {
                candidates.Add(labelled with { Find = candidate.Confidence });
            }
        }

        // The first stage is often exact; the second must bear with it when it is not.
        foreach (var face in composition.Faces.Where(face => face.IsClear && face.Box.Side >= 14))
        {
            var side = face.Box.Side * (float)Math.Exp(random.Uniform(-0.2, 0.2));
            var (x, y) = (face.Box.X + face.Box.Side / 2 + (float)random.Uniform(-0.12, 0.12) * face.Box.Side, face.Box.Y + face.Box.Side / 2 + (float)random.Uniform(-0.12, 0.12) * face.Box.Side);
            if (Label(composition, new FaceSquare(x - side / 2, y - side / 2, side)) is { } jittered)
            {
                candidates.Add(jittered);
            }
        }

        return candidates;
    }

    private static Candidate? Label(Composition composition, FaceSquare box)
    {
        var nearest = composition.Faces.MaxBy(face => box.IoU(face.Box));
        var overlap = nearest is null ? 0 : box.IoU(nearest.Box);
        var isFace = overlap >= FaceIoU;
        if (!isFace && overlap > OtherIoU || isFace && !nearest!.IsClear || !isFace && IsDoubtful(composition, box))
        {
            return null;
        }

        var levels = new float[CheckArchitecture.Length];
        FaceSearch.CutLevels(composition.Image, box, CheckArchitecture.Margin, levels);
        if (!isFace)
        {
            return new Candidate(levels, IsFace: false);
        }

        var (face, half) = (nearest!.Box, nearest.Box.Side / 2);
        return new Candidate(
            levels, IsFace: true, (face.X + half - box.X - box.Side / 2) / box.Side, (face.Y + half - box.Y - box.Side / 2) / box.Side,
            MathF.Log(face.Side / box.Side), nearest.Roll);
    }

    /// <summary>Whether a face that may be found or missed covers much of it.</summary>
    private static bool IsDoubtful(Composition composition, FaceSquare box) =>
        composition.Faces.Any(face => !face.IsClear && box.Common(face.Box) > 0.2f * box.Side * box.Side);
}
