using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using SmileApi.Imaging;

namespace SmileApi.Classify;

/// <summary>Section <c>Decoding</c>: how many pictures are decoded at once. What one may cost is section <c>Images</c>, <see cref="ImageLimits"/>.</summary>
internal sealed class DecodingOptions
{
    public const string Section = "Decoding";

    /// <summary>Pictures decoded at the same time; 0 (the default) takes one a processor that the process may use. Range 0 to 256.</summary>
    [Range(0, 256)]
    public int Parallelism { get; set; }

    /// <summary>Most pictures that wait to be decoded; further ones are refused with 503. Range 1 to 100,000, default 512.</summary>
    [Range(1, 100_000)]
    public int QueueLimit { get; set; } = 512;

    /// <summary>False reads JPEG through SkiaSharp even where the system has libturbojpeg. Default true.</summary>
    public bool UseTurboJpeg { get; set; } = true;

    /// <summary><see cref="Parallelism"/> with 0 resolved; the runtime's count already respects a container's CPU quota.</summary>
    public int ResolvedParallelism => Parallelism == 0 ? Environment.ProcessorCount : Parallelism;
}

[OptionsValidator]
internal sealed partial class ValidateDecodingOptions : IValidateOptions<DecodingOptions>;

[OptionsValidator]
internal sealed partial class ValidateImageLimits : IValidateOptions<ImageLimits>;
