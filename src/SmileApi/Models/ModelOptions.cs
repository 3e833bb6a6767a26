using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Models;

/// <summary>Section <c>Model</c>: which network is served, and where others may lie.</summary>
internal sealed class ModelOptions
{
    public const string Section = "Model";

    /// <summary>
    /// The ONNX file; a relative path starts at the program's own folder. Default <c>models/smile.onnx</c>, the committed model.
    /// </summary>
    [Required]
    public string Path { get; set; } = "models/smile.onnx";

    /// <summary>
    /// The folder with the models that <c>POST /admin/model</c> may name; a relative path starts at the program's own folder.
    /// Default <c>models</c>.
    /// </summary>
    [Required]
    public string Folder { get; set; } = "models";

    /// <summary>
    /// Serve <see cref="Path"/> anew whenever that file changes; it is looked at every four seconds. Default false.
    /// </summary>
    public bool Watch { get; set; }

    /// <summary><see cref="Path"/>, absolute.</summary>
    public string FullPath => System.IO.Path.GetFullPath(Path, AppContext.BaseDirectory);

    /// <summary><see cref="Folder"/>, absolute.</summary>
    public string FullFolder => System.IO.Path.GetFullPath(Folder, AppContext.BaseDirectory);
}

[OptionsValidator]
internal sealed partial class ValidateModelOptions : IValidateOptions<ModelOptions>;
