using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Admission;

/// <summary>Section <c>Memory</c>: the ceiling that the process keeps.</summary>
internal sealed class MemoryOptions
{
    public const string Section = "Memory";

    /// <summary>From here on more memory by default would only surprise who runs the service on a machine of their own.</summary>
    private const long DefaultOnLargeMachines = 2L << 30;

    /// <summary>
    /// Most memory of the process, in bytes. What uploads, pictures and connections may hold follows from it. Range 0 to
    /// 1 TiB; 0 (the default) takes 90 % of the container's limit, or of the machine's memory, and at most 2 GiB.
    /// </summary>
    [Range(0L, 1L << 40)]
    public long MaxBytes { get; set; }

    /// <summary><see cref="MaxBytes"/> with 0 resolved.</summary>
    public long ResolvedMaxBytes => MaxBytes == 0
        ? Math.Min(GC.GetGCMemoryInfo().HighMemoryLoadThresholdBytes, DefaultOnLargeMachines) // 90 % of the limit, by the runtime's own reckoning.
        : MaxBytes;
}

[OptionsValidator]
internal sealed partial class ValidateMemoryOptions : IValidateOptions<MemoryOptions>;
