using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using SmileApi.Imaging;

namespace SmileApi.Classify;

/// <summary>Section <c>Decoding</c>: how many pictures are decoded at once. What one may cost is section <c>Images</c>, <see cref="ImageLimits"/>.</summary>
internal sealed class DecodingOptions
{
    public const string Section = "Decoding";

    /// <summary>
    /// Pictures decoded at the same time; 0 (the default) takes one a processor that the process may use. Half as many of 3
    /// megapixels and more may be decoded besides, so that nobody waits behind them. Range 0 to 256.
    /// </summary>
    [Range(0, 256)]
    public int Parallelism { get; set; }

    /// <summary>Most pictures that wait to be decoded; further ones are refused with 503. Range 1 to 100,000, default 512.</summary>
    [Range(1, 100_000)]
    public int QueueLimit { get; set; } = 512;

    /// <summary>
    /// Longest that decoding one picture may take, in seconds; then its request is answered with 422, and another takes its place.
    /// Range 0.1 to 600, default 10: the slowest that section <c>Images</c> lets in by default took about one.
    /// </summary>
    [Range(0.1, 600.0)]
    public double TimeoutSeconds { get; set; } = 10;

    /// <summary>
    /// Most decodes that may go on at a time after they have been given up; with one more the service stops with exit code 70, to
    /// be started anew. Each holds a thread and the memory of its picture. Range 0 to 64, default 4.
    /// </summary>
    [Range(0, 64)]
    public int MaxLost { get; set; } = 4;

    /// <summary>False reads JPEG through SkiaSharp even where the system has libturbojpeg. Default true.</summary>
    public bool UseTurboJpeg { get; set; } = true;

    /// <summary><see cref="Parallelism"/> with 0 resolved; the runtime's count already respects a container's CPU quota.</summary>
    public int ResolvedParallelism => Parallelism == 0 ? Environment.ProcessorCount : Parallelism;

    /// <summary>Large pictures decoded at the same time, beside the others.</summary>
    public int LongLane => (ResolvedParallelism + 1) / 2;
}

[OptionsValidator]
internal sealed partial class ValidateDecodingOptions : IValidateOptions<DecodingOptions>;

[OptionsValidator]
internal sealed partial class ValidateImageLimits : IValidateOptions<ImageLimits>;
