using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Models;

/// <summary>Section <c>Model</c>: which network is served.</summary>
internal sealed class ModelOptions
{
    public const string Section = "Model";

    /// <summary>
    /// The ONNX file; a relative path starts at the program's own folder. Default <c>models/smile.onnx</c>, the committed model.
    /// </summary>
    [Required]
    public string Path { get; set; } = "models/smile.onnx";
}

[OptionsValidator]
internal sealed partial class ValidateModelOptions : IValidateOptions<ModelOptions>;
