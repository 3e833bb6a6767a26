using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Admission;

/// <summary>Section <c>Requests</c>: how many requests are let in, and how long each may take.</summary>
internal sealed class RequestOptions
{
    public const string Section = "Requests";

    /// <summary>
    /// Most requests at work at the same time: their picture has arrived and their answer is not ready. Further ones are
    /// refused with 503. How many may be arriving follows from <see cref="MemoryOptions.MaxBytes"/>. Range 0 to 100,000; 0 (the default)
    /// takes 128, or 32 a processor where that is more: a burst that is worked off in a fraction of a second.
    /// </summary>
    [Range(0, 100_000)]
    public int MaxInFlight { get; set; }

    /// <summary>
    /// The same in lasting overload: from a refusal on, until in a second hardly any (2 %) are refused. A long queue would then
    /// only make every answer late. Range 0 to 100,000; 0 (the default) takes 4 a processor.
    /// </summary>
    [Range(0, 100_000)]
    public int MaxInFlightSustained { get; set; }

    /// <summary>
    /// Within how many seconds a request must be answered, its upload included; after that its work is dropped and the answer
    /// is 504. A caller may shorten it by the header <c>X-Request-Timeout</c>. Range 1 to 3600, default 30.
    /// </summary>
    [Range(1, 3600)]
    public int DeadlineSeconds { get; set; } = 30;

    /// <summary>
    /// Most connections at the same time, idle ones included; further ones are closed at once. Range 0 to 1,000,000; 0 (the
    /// default) takes as many as need a sixteenth of <see cref="MemoryOptions.MaxBytes"/>.
    /// </summary>
    [Range(0, 1_000_000)]
    public int MaxConnections { get; set; }

    /// <summary><see cref="MaxInFlight"/> with 0 resolved; the runtime's count already respects a container's CPU quota.</summary>
    public int ResolvedMaxInFlight => MaxInFlight == 0 ? Math.Max(128, 32 * Environment.ProcessorCount) : MaxInFlight;

    /// <summary><see cref="MaxInFlightSustained"/> with 0 resolved.</summary>
    public int ResolvedMaxInFlightSustained => MaxInFlightSustained == 0 ? 4 * Environment.ProcessorCount : MaxInFlightSustained;
}

[OptionsValidator]
internal sealed partial class ValidateRequestOptions : IValidateOptions<RequestOptions>;
