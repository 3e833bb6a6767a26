using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Batching;

/// <summary>Section <c>Batching</c>: how the faces of many requests, and what the detector looks at to find them, become runs of a network.</summary>
internal sealed class BatchingOptions
{
    public const string Section = "Batching";

    /// <summary>
    /// Runs at the same time; 0 (the default) takes one a processor that the process may use, on GPUs one a session. Range 0 to 256.
    /// </summary>
    [Range(0, 256)]
    public int Runners { get; set; }

    /// <summary>
    /// Most faces or candidates of one run; tiles as well, as far as they have no more pixels together than the largest one.
    /// Range 0 to 64; 0 (the default) takes 8, as on a CPU larger batches gain nothing more, and 64 on GPUs.
    /// </summary>
    [Range(0, 64)]
    public int MaxBatch { get; set; }

    /// <summary>
    /// How many faces, candidates and tiles may wait for a runner before further pictures are refused with 503; those that are
    /// in are finished. Range 1 to 1,000,000, default 1024.
    /// </summary>
    [Range(1, 1_000_000)]
    public int QueueLimit { get; set; } = 1024;

    /// <summary>
    /// How long the oldest picture of a batch that is not full may wait for company although a runner is free, in milliseconds.
    /// Range 0 to 1, default 0: a free runner never waits.
    /// </summary>
    [Range(0.0, 1.0)]
    public double LingerMilliseconds { get; set; }

    /// <summary>
    /// How long a run may take before it is given up as one that will not end: its requests fail, and another thread takes its
    /// place. Seconds, range 0.1 to 600, default 5: the largest run takes some hundredths of one.
    /// </summary>
    [Range(0.1, 600.0)]
    public double RunTimeoutSeconds { get; set; } = 5;

    /// <summary>
    /// How many runs that have been given up and still have not ended are replaced; each holds a thread and its memory for good.
    /// Of further ones none is, and when all runners are gone the service is not ready. Range 0 to 1000, default 4.
    /// </summary>
    [Range(0, 1000)]
    public int MaxHungRuns { get; set; } = 4;

    /// <summary>
    /// How many runs of a network in a row must fail before its session is taken for broken and opened anew. Range 1 to 1000,
    /// default 3.
    /// </summary>
    [Range(1, 1000)]
    public int MaxFailuresInARow { get; set; } = 3;

    /// <summary><see cref="Runners"/> with 0 resolved; the runtime's count already respects a container's CPU quota.</summary>
    public int ResolvedRunners => Runners == 0 ? Environment.ProcessorCount : Runners;

    /// <summary><see cref="MaxBatch"/> with 0 resolved.</summary>
    public int ResolvedMaxBatch => MaxBatch == 0 ? 8 : MaxBatch;

    /// <summary>Resolves what was left open, where the networks run on GPUs.</summary>
    public void SettleForGpus(int sessions)
    {
        Runners = Runners == 0 ? sessions : Runners;
        MaxBatch = MaxBatch == 0 ? 64 : MaxBatch;
    }
}

[OptionsValidator]
internal sealed partial class ValidateBatchingOptions : IValidateOptions<BatchingOptions>;
