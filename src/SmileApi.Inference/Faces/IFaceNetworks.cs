using SmileApi.Imaging;


namespace SmileApi.Inference;

/// <summary>What the second stage says of one candidate.</summary>
/// <param name="Probability">Calibrated probability that it is a face, 0..1.</param>
/// <param name="Dx">How far right of the candidate's centre the face's is, in sides of the candidate's box.</param>
/// <param name="Dy">The same downwards.</param>
/// <param name="LogScale">Natural logarithm of the face's side by the candidate's.</param>
/// <param name="Roll">Radians by which the face is turned clockwise in the picture.</param>
public readonly record struct FaceCheck(float Probability, float Dx, float Dy, float LogScale, float Roll)
{
    /// <summary>Reads an answer of <see cref="FaceRunner"/>.</summary>
    public static FaceCheck From(ReadOnlySpan<float> answer) => new(answer[0], answer[1], answer[2], answer[3], answer[4]);

    /// <summary>The mean of two looks at one candidate, of which the second saw it mirrored: of logits, places and turns.</summary>
    public static FaceCheck Mean(FaceCheck look, FaceCheck mirrored)
    {
        // In odds, so that a probability that has become 0 or 1 needs no logarithm.
        var odds = Math.Sqrt(look.Probability / (1.0 - look.Probability) * (mirrored.Probability / (1.0 - mirrored.Probability)));
        return new FaceCheck(
            double.IsPositiveInfinity(odds) ? 1 : (float)(odds / (1 + odds)), (look.Dx - mirrored.Dx) / 2, (look.Dy + mirrored.Dy) / 2,
            (look.LogScale + mirrored.LogScale) / 2, (look.Roll - mirrored.Roll) / 2);
    }
}

/// <summary>The two networks of the face detector, however they are run: at once or in batches with other callers' work.</summary>
public interface IFaceNetworks
{
    /// <summary>What the first stage says of itself.</summary>
    FaceModelMetadata Find { get; }

    /// <summary>What the second stage says of itself.</summary>
    FaceModelMetadata Check { get; }

    /// <summary>Runs the first stage on a tile.</summary>
    /// <param name="tile">Normalised levels, shape <c>[height, width]</c>, rented from <see cref="Arrays"/>; taken over and returned by this method.</param>
    /// <param name="width">In pixels, a multiple of 16, at most 640.</param>
    /// <param name="height">In pixels, a multiple of 16, at most 640.</param>
    /// <param name="aborted">The answer is no longer wanted.</param>
    /// <returns>Shape <c>[4, height/8, width/8]</c>: planes of probability, dx, dy and log side; rented, and the caller returns it.</returns>
    Task<float[]> FindAsync(float[] tile, int width, int height, CancellationToken aborted);

    /// <summary>Runs the second stage on a candidate.</summary>
    /// <param name="candidate">Normalised levels, shape <c>[40, 40]</c>, rented from <see cref="Arrays"/>; taken over and returned by this method.</param>
    /// <param name="aborted">The answer is no longer wanted.</param>
    Task<FaceCheck> CheckAsync(float[] candidate, CancellationToken aborted);
}

/// <summary>Runs both stages at once on the calling thread; for one thread at a time.</summary>
public sealed class DirectFaceNetworks : IFaceNetworks, IDisposable
{
    private readonly FaceRunner _find;
    private readonly FaceRunner _check;
    private readonly float[][] _images = new float[1][];
    private readonly float[][] _answers = new float[1][];

    /// <summary>The models remain their owner's.</summary>
    public DirectFaceNetworks(FaceModel find, FaceModel check)
    {
        ArgumentNullException.ThrowIfNull(find);
        ArgumentNullException.ThrowIfNull(check);
        (Find, Check) = (find.Metadata, check.Metadata);
        _find = find.CreateRunner(FaceSearch.MaxTileSide * FaceSearch.MaxTileSide);
        _check = check.CreateRunner(FaceModelMetadata.CandidateSide * FaceModelMetadata.CandidateSide);
    }

    /// <inheritdoc/>
    public FaceModelMetadata Find { get; }

    /// <inheritdoc/>
    public FaceModelMetadata Check { get; }

    /// <inheritdoc/>
    public Task<float[]> FindAsync(float[] tile, int width, int height, CancellationToken aborted) => Task.FromResult(Run(_find, tile, width, height));

    /// <inheritdoc/>
    public Task<FaceCheck> CheckAsync(float[] candidate, CancellationToken aborted)
    {
        var answer = Run(_check, candidate, FaceModelMetadata.CandidateSide, FaceModelMetadata.CandidateSide);
        var check = FaceCheck.From(answer);
        Arrays.Return(answer);
        return Task.FromResult(check);
    }

    /// <summary>Frees the runners.</summary>
    public void Dispose()
    {
        _find.Dispose();
        _check.Dispose();
    }

    private float[] Run(FaceRunner runner, float[] image, int width, int height)
    {
        _images[0] = image;
        runner.Run(_images, width, height, _answers);
        Arrays.Return(image);
        return _answers[0];
    }
}
