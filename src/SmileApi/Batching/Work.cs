using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Batching;

/// <summary>The networks that the service runs.</summary>
internal enum Network
{
    /// <summary>The detector's first stage: a tile in, a map of candidates out.</summary>
    Find,

    /// <summary>The detector's second stage: a candidate in, a confidence and a better box out.</summary>
    Check,

    /// <summary>A face in, the probability of a smile out.</summary>
    Smile,
}

/// <summary>What a picture must be to share a run with others: for the same network and of the same size.</summary>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
internal readonly record struct WorkKind(Network Network, int Width, int Height)
{
    /// <summary>Pixels of one run of the first stage: its largest tile alone, or as many smaller ones.</summary>
    public const int FindPixels = FaceSearch.MaxTileSide * FaceSearch.MaxTileSide;

    /// <summary>A candidate for the detector's second stage.</summary>
    public static readonly WorkKind Candidate = new(Network.Check, FaceModelMetadata.CandidateSide, FaceModelMetadata.CandidateSide);

    /// <summary>A face for the smile network.</summary>
    public static readonly WorkKind Face = new(Network.Smile, FaceCrop.Side, FaceCrop.Side);

    /// <summary>A tile for the detector's first stage.</summary>
    public static WorkKind Tile(int width, int height) => new(Network.Find, width, height);

    public int Pixels => Width * Height;

    /// <summary>Most pictures of one run, where faces may be <paramref name="maxBatch"/>.</summary>
    public int MaxBatch(int maxBatch) => Network == Network.Find ? Math.Clamp(FindPixels / Pixels, 1, maxBatch) : maxBatch;

    /// <summary>Whether an answer is one: probabilities from 0 to 1, and of the detector finite boxes behind them.</summary>
    public bool IsSound(ReadOnlySpan<float> answer) => Network switch
    {
        Network.Find => FaceRunner.IsSound(answer, FaceModelMetadata.FindStage, Width, Height),
        Network.Check => FaceRunner.IsSound(answer, FaceModelMetadata.CheckStage, Width, Height),
        _ => answer[0] is >= 0 and <= 1,
    };
}

/// <summary>What a network said about one picture, and how long that took.</summary>
/// <param name="Values">Rented from <see cref="Arrays"/>; whoever awaits it owns and returns it.</param>
/// <param name="Waited">From the queue to the start of its run.</param>
/// <param name="Ran">The run that it was part of.</param>
internal readonly record struct Answer(float[] Values, TimeSpan Waited, TimeSpan Ran);

/// <summary>How a network can fail on a picture.</summary>
internal enum InferenceFailure
{
    /// <summary>Its run threw.</summary>
    Threw,

    /// <summary>It gave numbers that are no answer.</summary>
    Unsound,

    /// <summary>Its run did not end in time and was given up.</summary>
    Hung,

    /// <summary>It was not run, because every runner is taken by a run that does not end.</summary>
    NoRunner,
}

/// <summary>A network failed on a picture, alone or in a batch: broken hardware or a bug, never the picture's fault.</summary>
internal sealed class InferenceFailedException(InferenceFailure kind, string message, Exception? inner = null) : Exception(message, inner)
{
    public InferenceFailure Kind => kind;
}

/// <summary>A picture on its way through the queue; it owns the rented array until it is released.</summary>
internal sealed class WorkItem(RunnerPool runners, WorkKind kind, float[] image, long queued, CancellationToken aborted)
    : TaskCompletionSource<Answer>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    private CancellationTokenRegistration _giveUp;

    /// <summary>Of the models that its photograph is judged by.</summary>
    public RunnerPool Runners { get; } = runners;

    public WorkKind Kind { get; } = kind;

    public float[] Image { get; } = image;

    /// <summary>When it was queued, a timestamp.</summary>
    public long Queued { get; } = queued;

    /// <summary>Lets its caller go as soon as that gives up, wherever the item then is.</summary>
    public void CompleteWhenAborted() => _giveUp = aborted.UnsafeRegister(static item => ((WorkItem)item!).GiveUp(), this);

    /// <summary>True, and the item released, when nobody waits for it any more.</summary>
    public bool IsAbandoned()
    {
        if (!aborted.IsCancellationRequested)
        {
            return false;
        }

        GiveUp(); // Perhaps nobody has yet called for that.
        Release();
        return true;
    }

    public void Release()
    {
        _giveUp.Unregister();
        Arrays.Return(Image);
    }

    private void GiveUp() => TrySetCanceled(aborted);
}
