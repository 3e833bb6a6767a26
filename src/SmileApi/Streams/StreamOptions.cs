using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Streams;

/// <summary>Section <c>Streams</c>: the frames of cameras over WebSockets, <c>GET /stream</c>.</summary>
internal sealed class StreamOptions
{
    public const string Section = "Streams";

    /// <summary>Most streams open at the same time; further ones are refused with 503. Range 0 to 10,000; 0 (the default) takes 8 a processor.</summary>
    [Range(0, 10_000)]
    public int MaxOpen { get; set; }

    /// <summary>
    /// How long a stream may go without a frame before it is closed, and an answer without being taken before it is cut off. In seconds.
    /// Range 1 to 3600, default 60.
    /// </summary>
    [Range(1.0, 3600.0)]
    public double IdleSeconds { get; set; } = 60;

    /// <summary>
    /// How often a client is asked whether it is still there (a WebSocket ping); one that has not answered after as long again is cut
    /// off. In seconds. Range 1 to 600, default 15.
    /// </summary>
    [Range(1.0, 600.0)]
    public double KeepAliveSeconds { get; set; } = 15;

    /// <summary><see cref="MaxOpen"/> with 0 resolved; the runtime's count already respects a container's CPU quota.</summary>
    public int ResolvedMaxOpen => MaxOpen == 0 ? 8 * Environment.ProcessorCount : MaxOpen;
}

[OptionsValidator]
internal sealed partial class ValidateStreamOptions : IValidateOptions<StreamOptions>;
