using System.Text.Json.Serialization;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>One epoch of a run; epoch 0 is before the first step.</summary>
/// <param name="Epoch">Passes over the training pictures so far.</param>
/// <param name="Loss">Mean training loss over the epoch's augmented batches, in nats; null before the first step.</param>
/// <param name="Train">Scores of the averaged weights on a sample of the training faces of certain label, by that label, cropped as served.</param>
/// <param name="Val">Scores of the averaged weights on the validation faces, cropped as served.</param>
/// <param name="Seconds">What the epoch took.</param>
internal sealed record EpochRecord(int Epoch, double? Loss, ModelScore Train, ModelScore Val, double Seconds);

/// <summary>Everything that a run is, apart from its pictures: enough to go on, to the bit, and to export.</summary>
/// <remarks>
/// There is no state of random generators in it: each number drawn depends on seed, purpose, epoch and index alone, and a run
/// goes on from the beginning of an epoch.
/// </remarks>
internal sealed record Checkpoint
{
    public const string FileName = "checkpoint.bin";
    private static readonly byte[] Magic = "smile-checkpoint-3\n"u8.ToArray();

    public required TrainOptions Options { get; init; }

    /// <summary>SHA-256 of each data file by name.</summary>
    public required IReadOnlyDictionary<string, string> Data { get; init; }

    /// <summary>What the weights may be used for, in a sentence.</summary>
    public required string Licence { get; init; }

    /// <summary>Training pictures.</summary>
    public required int Pictures { get; init; }

    /// <summary>Mean and deviation of grey levels, measured on the training crops.</summary>
    public required float Mean { get; init; }

    /// <inheritdoc cref="Mean"/>
    public required float Deviation { get; init; }

    public required IReadOnlyList<EpochRecord> History { get; init; }

    /// <summary>
    /// The first layer as it formed: for each epoch of <see cref="History"/> the filters of the averaged weights; shape
    /// <c>[epochs + 1, filters]</c>, epoch 0 is random. Null in a run that was begun before filters were kept: what it was like
    /// then is not known any more, and half a story is none.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<Filter>>? Filters { get; init; }

    /// <summary>The epoch whose averaged weights are kept: the last, or the one with the least validation log loss.</summary>
    public required int BestEpoch { get; init; }

    /// <summary>Fitted on the validation logits of the best epoch.</summary>
    public required Calibration Calibration { get; init; }

    /// <summary>Scores of the best weights, calibrated, on the validation faces.</summary>
    public required ModelScore Val { get; init; }

    /// <summary>When the last epoch ended, UTC.</summary>
    public required DateTimeOffset Finished { get; init; }

    /// <summary>What the next step starts from.</summary>
    [JsonIgnore]
    public Weights Current { get; init; } = null!;

    /// <summary>Momentum of each trained number.</summary>
    [JsonIgnore]
    public Weights Velocity { get; init; } = null!;

    /// <summary>Running average of the weights.</summary>
    [JsonIgnore]
    public Weights Average { get; init; } = null!;

    /// <summary>The average as it was after <see cref="BestEpoch"/>: what is exported.</summary>
    [JsonIgnore]
    public Weights Best { get; init; } = null!;

    [JsonIgnore]
    public Architecture Architecture => Architecture.All[Options.Network];

    [JsonIgnore]
    public Normalisation Normalisation => new(Mean, Deviation);

    /// <summary>Passes finished.</summary>
    [JsonIgnore]
    public int Epoch => History[^1].Epoch;

    /// <summary>Writes the checkpoint of a run, whole or not at all.</summary>
    public void Save(string run) => CheckpointFile.Write(Path.Combine(run, FileName), Magic, this, Current, Velocity, Average, Best);

    /// <summary>Reads the checkpoint of a run.</summary>
    /// <exception cref="CommandException">There is none, or it is damaged.</exception>
    public static Checkpoint Load(string run)
    {
        var path = Path.Combine(run, FileName);
        return File.Exists(path)
            ? CheckpointFile.Read<Checkpoint>(
                path, Magic, checkpoint => checkpoint.Architecture.Layout, (checkpoint, next) => checkpoint with { Current = next(), Velocity = next(), Average = next(), Best = next() })
            : throw new CommandException($"There is no checkpoint at {path}.");
    }
}
