using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Batches;

/// <summary>Section <c>Batches</c>: many pictures in one request, <c>POST /classify/batch</c>.</summary>
internal sealed class BatchOptions
{
    public const string Section = "Batches";

    /// <summary>
    /// Most pictures of a batch that is answered with one JSON document, which is kept until the last picture is judged. One that is
    /// answered line by line has no limit. Range 1 to 100,000, default 1000.
    /// </summary>
    [Range(1, 100_000)]
    public int MaxPictures { get; set; } = 1000;

    /// <summary>
    /// Pictures of one batch that are at work at the same time, or wait for their line in the answer. Range 0 to 256; 0 (the default)
    /// takes 2 a processor.
    /// </summary>
    [Range(0, 256)]
    public int Parallelism { get; set; }

    /// <summary>How long a batch waits for its next picture to begin; then it ends. In seconds. Range 1 to 3600, default 60.</summary>
    [Range(1.0, 3600.0)]
    public double IdleSeconds { get; set; } = 60;

    /// <summary><see cref="Parallelism"/> with 0 resolved; the runtime's count already respects a container's CPU quota.</summary>
    public int ResolvedParallelism => Parallelism == 0 ? 2 * Environment.ProcessorCount : Parallelism;
}

[OptionsValidator]
internal sealed partial class ValidateBatchOptions : IValidateOptions<BatchOptions>;
