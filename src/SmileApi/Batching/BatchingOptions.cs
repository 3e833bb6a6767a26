using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Batching;

/// <summary>Section <c>Batching</c>: how the faces of many requests, and what the detector looks at to find them, become runs of a network.</summary>
internal sealed class BatchingOptions
{
    public const string Section = "Batching";

    /// <summary>Runs at the same time; 0 (the default) takes one a processor that the process may use. Range 0 to 256.</summary>
    [Range(0, 256)]
    public int Runners { get; set; }

    /// <summary>
    /// Most faces or candidates of one run; tiles as well, as far as they have no more pixels together than the largest one.
    /// Range 1 to 64, default 8: on a CPU larger batches gain nothing more.
    /// </summary>
    [Range(1, 64)]
    public int MaxBatch { get; set; } = 8;

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

    /// <summary><see cref="Runners"/> with 0 resolved; the runtime's count already respects a container's CPU quota.</summary>
    public int ResolvedRunners => Runners == 0 ? Environment.ProcessorCount : Runners;
}

[OptionsValidator]
internal sealed partial class ValidateBatchingOptions : IValidateOptions<BatchingOptions>;
