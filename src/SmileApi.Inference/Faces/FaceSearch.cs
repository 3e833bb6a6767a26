using System.Numerics.Tensors;
using SmileApi.Imaging;

namespace SmileApi.Inference;

/// <summary>A face in a picture.</summary>
/// <param name="Box">What a person would draw round it, in pixels of the picture that was searched; it may reach beyond that.</param>
/// <param name="Confidence">Probability that it is a face, 0..1.</param>
/// <param name="Roll">Radians by which it is turned clockwise.</param>
public readonly record struct DetectedFace(FaceSquare Box, float Confidence, float Roll);

/// <summary>What to search for.</summary>
/// <param name="MinFace">
/// Side of the smallest box to find, in pixels of the picture that is searched, above 0. The cost of a search follows from it.
/// </param>
/// <param name="Confidence">Least confidence of a face, 0..1.</param>
public sealed record FaceSearchOptions(float MinFace, float Confidence);

/// <summary>
/// Finds faces. The picture is brought to several sizes, a factor of two apart; the first stage looks at all places of each
/// size and names candidates, the second looks at each candidate and judges.
/// </summary>
public static class FaceSearch
{
    /// <summary>Longest side of a tile that the first stage sees at once, in pixels.</summary>
    public const int MaxTileSide = 640;

    /// <summary>Most candidates of one picture that the second stage looks at.</summary>
    public const int MaxCandidates = 1024;

    /// <summary>Most looks of the second stage at a candidate: as it is and mirrored, as the two are wrong about different things.</summary>
    public const int MaxLooks = 2;

    // With odds smaller by this factor than those asked for, the second look would have to be far surer that it is a face than the
    // first that it is none; most candidates are none, and one look is enough.
    private const double FarFromIt = 400;

    // Bounds the time that suppression takes, whatever the first stage says of a picture.
    private const int MaxUnsuppressed = 4096;

    // What one picture may have under way at once: enough for full batches, and little memory, however large the picture.
    private const int TilesAtOnce = 4;
    private const int CandidatesAtOnce = 32;

    // A face that fills the picture and more.
    private const float LargestFace = 1.6f;

    // The first stage's sizes are guesses; what is far smaller than what was asked for is left out.
    private const float LeastOfMinFace = 0.8f;

    /// <summary>Finds the faces of a picture.</summary>
    /// <param name="image">Must not be disposed before the task has ended.</param>
    /// <param name="aborted">The result is no longer wanted.</param>
    /// <returns>Faces whose centres lie in the picture, largest first.</returns>
    public static async Task<IReadOnlyList<DetectedFace>> FindAsync(
        GreyImage image, FaceSearchOptions options, IFaceNetworks networks, CancellationToken aborted)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(networks);
        var candidates = await FindCandidatesAsync(image, options, networks, aborted);
        var faces = await CheckAsync(image, candidates, options, networks, aborted);
        return [.. Suppression.Suppress(faces, IsSameFace, MaxCandidates).OrderByDescending(face => face.Box.Side)];
    }

    /// <summary>What the first stage alone finds.</summary>
    /// <returns>Candidates with the first stage's probability as confidence and no roll, the most probable first.</returns>
    public static async Task<IReadOnlyList<DetectedFace>> FindCandidatesAsync(
        GreyImage image, FaceSearchOptions options, IFaceNetworks networks, CancellationToken aborted)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(networks);
        var scale = ScaleFor(options.MinFace, networks.Find);
        using var pyramid = ImagePyramid.Of(image, scale, LevelsFor(image, scale, networks.Find));
        var tiles = pyramid.Levels.SelectMany((level, k) => Tile.Cover(level.Width, level.Height).Select(tile => (level, k, tile)));
        var candidates = new List<DetectedFace>();
        foreach (var chunk in tiles.Chunk(TilesAtOnce))
        {
            var maps = await Task.WhenAll(Array.ConvertAll(
                chunk, part => networks.FindAsync(part.tile.Cut(part.level, networks.Find), part.tile.Width, part.tile.Height, aborted)));
            for (var i = 0; i < chunk.Length; i++)
            {
                Decode(maps[i], chunk[i].tile, (float)(scale / (1 << chunk[i].k)), networks.Find, image, candidates);
                Arrays.Return(maps[i]);
            }
        }

        candidates.RemoveAll(candidate => candidate.Box.Side < LeastOfMinFace * options.MinFace);
        return Suppression.Suppress(candidates.OrderByDescending(candidate => candidate.Confidence).Take(MaxUnsuppressed), IsSameCandidate, MaxCandidates);
    }

    /// <summary>Cuts a candidate out as the second stage sees it: its box enlarged by the margin, with its own mean and deviation.</summary>
    /// <param name="image">The picture. Not kept after the call.</param>
    /// <param name="box">In pixels of <paramref name="image"/>.</param>
    /// <param name="check">The second stage.</param>
    /// <param name="candidate">Row-major, shape <c>[40, 40]</c>; written in full.</param>
    public static void Cut(GreyImage image, FaceSquare box, FaceModelMetadata check, Span<float> candidate)
    {
        ArgumentNullException.ThrowIfNull(check);
        CutLevels(image, box, check.Margin, candidate);
        Normalise(candidate, check.DeviationFloor);
    }

    /// <summary>Cuts a candidate out, not yet normalised.</summary>
    /// <param name="margin">How many times larger the square that is cut is than the box.</param>
    /// <inheritdoc cref="Cut"/>
    public static void CutLevels(GreyImage image, FaceSquare box, float margin, Span<float> candidate)
    {
        var side = box.Side * margin;
        var square = new FaceSquare(box.X - (side - box.Side) / 2, box.Y - (side - box.Side) / 2, side);
        FaceCrop.Resample(image, square, new Normalisation(0, 1), candidate, FaceModelMetadata.CandidateSide);
    }

    /// <summary>Gives a candidate the mean 0, and nearly the deviation 1, as the second stage expects it.</summary>
    /// <param name="candidate">Grey levels, in place.</param>
    /// <param name="deviationFloor">Grey levels added to the deviation by which they are divided.</param>
    public static void Normalise(Span<float> candidate, float deviationFloor)
    {
        var mean = TensorPrimitives.Sum<float>(candidate) / candidate.Length;
        TensorPrimitives.Subtract(candidate, mean, candidate);
        var deviation = MathF.Sqrt(TensorPrimitives.SumOfSquares<float>(candidate) / candidate.Length);
        TensorPrimitives.Divide(candidate, deviation + deviationFloor, candidate);
    }

    /// <summary>Pixels of the largest level of the pyramid over a picture, which the cost of a search follows.</summary>
    public static long LargestLevel(int width, int height, float minFace, FaceModelMetadata find)
    {
        var level = ImagePyramid.SizeAt(width, height, ScaleFor(minFace, find));
        return (long)level.Width * level.Height;
    }

    /// <summary>How much the picture shrinks so that the smallest faces wanted have the smallest size that the first stage finds; never enlarged.</summary>
    private static double ScaleFor(float minFace, FaceModelMetadata find)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(minFace);
        ArgumentNullException.ThrowIfNull(find);
        return Math.Min(1, find.MinBox / (double)minFace);
    }

    private static int LevelsFor(GreyImage image, double scale, FaceModelMetadata find)
    {
        var levels = 1;
        for (var covered = find.MaxBox / scale; covered < LargestFace * Math.Min(image.Width, image.Height); covered *= 2)
        {
            levels++;
        }

        return levels;
    }

    /// <summary>Reads the boxes out of a tile's map.</summary>
    /// <param name="map">Shape <c>[4, Height/8, Width/8]</c>.</param>
    /// <param name="scale">Pixels of the tile for each pixel of the picture along a side.</param>
    internal static void Decode(
        ReadOnlySpan<float> map, in Tile tile, float scale, FaceModelMetadata find, GreyImage image, List<DetectedFace> candidates)
    {
        const int Cell = FaceModelMetadata.CellSide;
        var (columns, cells) = (tile.Width / Cell, tile.Width / Cell * (tile.Height / Cell));
        for (var row = tile.Top / Cell; row < tile.Bottom / Cell; row++)
        {
            for (var column = tile.Left / Cell; column < tile.Right / Cell; column++)
            {
                var i = row * columns + column;
                if (!(map[i] >= find.Threshold))
                {
                    continue;
                }

                var x = (tile.X + (column + 0.5f + map[cells + i]) * Cell) / scale;
                var y = (tile.Y + (row + 0.5f + map[2 * cells + i]) * Cell) / scale;
                var side = find.ReferenceSide * MathF.Exp(map[3 * cells + i]) / scale;
                AddIfInside(image, x, y, side, map[i], roll: 0, candidates);
            }
        }
    }

    private static async Task<List<DetectedFace>> CheckAsync(
        GreyImage image, IReadOnlyList<DetectedFace> candidates, FaceSearchOptions options, IFaceNetworks networks, CancellationToken aborted)
    {
        var faces = new List<DetectedFace>();
        foreach (var chunk in candidates.Chunk(CandidatesAtOnce))
        {
            var checks = await Task.WhenAll(Array.ConvertAll(chunk, LookAsync));
            foreach (var (candidate, check) in chunk.Zip(checks))
            {
                var confidence = Confidence(check.Probability, candidate.Confidence, networks.Check.FindWeight);
                if (confidence >= options.Confidence)
                {
                    var side = candidate.Box.Side;
                    var x = candidate.Box.X + (0.5f + check.Dx) * side;
                    var y = candidate.Box.Y + (0.5f + check.Dy) * side;
                    AddIfInside(image, x, y, side * MathF.Exp(check.LogScale), confidence, check.Roll, faces);
                }
            }
        }

        return faces;

        async Task<FaceCheck> LookAsync(DetectedFace candidate)
        {
            var look = await networks.CheckAsync(Rented(candidate.Box, mirrored: false), aborted);
            var confidence = Confidence(look.Probability, candidate.Confidence, networks.Check.FindWeight);
            return Odds(confidence) * FarFromIt < Odds(options.Confidence)
                ? look
                : FaceCheck.Mean(look, await networks.CheckAsync(Rented(candidate.Box, mirrored: true), aborted));
        }

        float[] Rented(FaceSquare box, bool mirrored)
        {
            const int Side = FaceModelMetadata.CandidateSide;
            var rented = Arrays.Rent<float>(Side * Side);
            Cut(image, box, networks.Check, rented.AsSpan(0, Side * Side));
            for (var y = 0; mirrored && y < Side; y++)
            {
                rented.AsSpan(y * Side, Side).Reverse();
            }

            return rented;
        }
    }

    /// <summary>What both stages say together; see <see cref="FaceModelMetadata.FindWeight"/>.</summary>
    /// <param name="check">Probability, by the second stage.</param>
    /// <param name="find">Probability, by the first stage.</param>
    internal static float Confidence(float check, float find, float findWeight)
    {
        // In odds, so that a probability that has become 0 or 1 needs no logarithm.
        var odds = Odds(check) * Math.Pow(Odds(find), findWeight);
        return double.IsPositiveInfinity(odds) ? 1 : (float)(odds / (1 + odds));
    }

    private static double Odds(float probability) => probability / (1.0 - probability);

    /// <summary>Adds a box by its centre if that lies in the picture. The comparisons refuse what is not a number.</summary>
    private static void AddIfInside(GreyImage image, float x, float y, float side, float confidence, float roll, List<DetectedFace> faces)
    {
        if (x >= 0 && x < image.Width && y >= 0 && y < image.Height && side >= 1 && side <= 4 * Math.Max(image.Width, image.Height))
        {
            faces.Add(new DetectedFace(new FaceSquare(x - side / 2, y - side / 2, side), confidence, roll));
        }
    }

    private static bool IsSameCandidate(FaceSquare one, FaceSquare other) => one.IoU(other) >= 0.5f;

    private static bool IsSameFace(FaceSquare one, FaceSquare other) =>
        one.IoU(other) >= 0.35f || Suppression.Containment(one, other) >= 0.8f;
}
