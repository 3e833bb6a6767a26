using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Batching;

/// <summary>Section <c>Inference</c>: what the networks run on.</summary>
internal sealed class InferenceOptions : IValidatableObject
{
    public const string Section = "Inference";

    public const string Auto = "auto";
    public const string Cpu = "cpu";

    /// <summary>The networks of a session: two for the faces, and one for the smile. Each has memory of its own on a GPU.</summary>
    public const int NetworksPerSession = 3;

    private const string ProviderIsWrong = "Inference:Provider must be auto, cpu or cuda.";
    private const string StrategyIsWrong = "Inference:ArenaExtendStrategy must be kSameAsRequested or kNextPowerOfTwo.";

    /// <summary>Less than this for a network can hold none of its runs.</summary>
    private const long LeastBytesPerNetwork = 64L << 20;

    /// <summary>
    /// <c>cpu</c> (the default); <c>cuda</c>, which stops the start where it cannot be used; <c>auto</c>, which then takes the
    /// CPU and warns.
    /// </summary>
    [Required(ErrorMessage = ProviderIsWrong)]
    [RegularExpression("auto|cpu|cuda", ErrorMessage = ProviderIsWrong)]
    public string Provider { get; set; } = Cpu;

    /// <summary>CUDA's numbers of the GPUs to use, each once, from 0 to 63. Default none, which takes the first.</summary>
    public IList<int> Devices { get; set; } = [];

    /// <summary>Sessions on each GPU, which run at the same time; each holds the networks once more. Range 1 to 16, default 2.</summary>
    [Range(1, 16)]
    public int SessionsPerDevice { get; set; } = 2;

    /// <summary>
    /// Most memory of each GPU for all sessions together, in bytes; each network of a session has an equal part. Range 64 MiB for
    /// each network of each session to 1 TiB; 0 (the default) is without limit. What CUDA itself holds comes on top.
    /// </summary>
    [Range(0L, 1L << 40)]
    public long MaxDeviceBytes { get; set; }

    /// <summary>
    /// How a session's memory grows: <c>kSameAsRequested</c> (the default) by what is needed, <c>kNextPowerOfTwo</c> by ever larger
    /// pieces.
    /// </summary>
    [Required(ErrorMessage = StrategyIsWrong)]
    [RegularExpression("kSameAsRequested|kNextPowerOfTwo", ErrorMessage = StrategyIsWrong)]
    public string ArenaExtendStrategy { get; set; } = "kSameAsRequested";

    /// <summary>What no range can say: numbers of devices, and a limit that leaves room.</summary>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var index in Devices.Where(index => index is < 0 or > 63))
        {
            yield return new ValidationResult($"{index} of Inference:Devices is no number of a GPU, 0 to 63.", [nameof(Devices)]);
        }

        foreach (var twice in Devices.GroupBy(index => index).Where(group => group.Count() > 1))
        {
            yield return new ValidationResult($"{twice.Key} stands twice in Inference:Devices.", [nameof(Devices)]);
        }

        var least = LeastBytesPerNetwork * NetworksPerSession * SessionsPerDevice;
        if (MaxDeviceBytes > 0 && MaxDeviceBytes < least)
        {
            yield return new ValidationResult(
                $"Inference:MaxDeviceBytes is {MaxDeviceBytes}, but {NetworksPerSession} networks in each of {SessionsPerDevice} sessions need {least} bytes at least; 0 is without limit.",
                [nameof(MaxDeviceBytes)]);
        }
    }
}

[OptionsValidator]
internal sealed partial class ValidateInferenceOptions : IValidateOptions<InferenceOptions>;
