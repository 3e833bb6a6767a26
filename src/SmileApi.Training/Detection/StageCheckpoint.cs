using System.Text.Json.Serialization;

namespace SmileApi.Training;

/// <summary>One line of a stage's history.</summary>
/// <param name="Step">Steps taken.</param>
/// <param name="Loss">Mean over the steps since the last record.</param>
/// <param name="Found">Share of held-out faces that are found, 0..1.</param>
/// <param name="False">Mistakes: of the first stage cells a held-out picture, of the second the share of other candidates.</param>
/// <param name="Seconds">What the steps took.</param>
internal sealed record StageRecord(int Step, double Loss, double Found, double False, double Seconds);

/// <summary>
/// A stage of the detector while it learns: enough to go on, to the bit. No state of random generators: each number drawn depends
/// on seed, purpose, step and index alone.
/// </summary>
internal sealed record StageCheckpoint
{
    private static readonly byte[] Magic = "smile-faces-stage-1\n"u8.ToArray();

    public required FaceTrainOptions Options { get; init; }

    /// <summary>SHA-256 of each data file by name.</summary>
    public required IReadOnlyDictionary<string, string> Data { get; init; }

    /// <summary>Composed pictures, or candidates, that the stage learns from.</summary>
    public required int Pictures { get; init; }

    public required IReadOnlyList<StageRecord> History { get; init; }

    /// <summary>When the last steps ended, UTC.</summary>
    public required DateTimeOffset Finished { get; init; }

    /// <summary>What the next step starts from.</summary>
    [JsonIgnore]
    public Weights Current { get; init; } = null!;

    /// <summary>Momentum of each trained number.</summary>
    [JsonIgnore]
    public Weights Velocity { get; init; } = null!;

    /// <summary>Running average of the weights: what is exported.</summary>
    [JsonIgnore]
    public Weights Average { get; init; } = null!;

    /// <summary>Steps taken.</summary>
    [JsonIgnore]
    public int Step => History.Count == 0 ? 0 : History[^1].Step;

    /// <summary>Writes the checkpoint, whole or not at all.</summary>
    public void Save(string path) => CheckpointFile.Write(path, Magic, this, Current, Velocity, Average);

    /// <summary>Reads a checkpoint of a network of the given layout; null when there is none.</summary>
    /// <exception cref="CommandException">It is damaged, or of another network.</exception>
    public static StageCheckpoint? Load(string path, Layout layout) => !File.Exists(path)
        ? null
        : CheckpointFile.Read<StageCheckpoint>(path, Magic, _ => layout, (stage, next) => stage with { Current = next(), Velocity = next(), Average = next() });
}
