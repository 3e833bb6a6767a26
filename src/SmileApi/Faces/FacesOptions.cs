using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Faces;

/// <summary>Section <c>Faces</c>: how faces are found.</summary>
internal sealed class FacesOptions
{
    public const string Section = "Faces";

    /// <summary>
    /// The detector's first stage, an ONNX file; a relative path starts at the program's own folder. Default
    /// <c>models/faces.onnx</c>, the committed one.
    /// </summary>
    [Required]
    public string Path { get; set; } = "models/faces.onnx";

    /// <summary>The detector's second stage, likewise. Default <c>models/faces-check.onnx</c>.</summary>
    [Required]
    public string CheckPath { get; set; } = "models/faces-check.onnx";

    /// <summary><see cref="Path"/>, absolute.</summary>
    public string FullPath => System.IO.Path.GetFullPath(Path, AppContext.BaseDirectory);

    /// <summary><see cref="CheckPath"/>, absolute.</summary>
    public string FullCheckPath => System.IO.Path.GetFullPath(CheckPath, AppContext.BaseDirectory);

    /// <summary>
    /// Most pixels of the largest size at which one picture is searched, which bounds the time it takes: about 20 ms a million
    /// on one core. It follows from the picture and from <c>minFace</c>; a request that needs more is refused. Range 300,000 (so
    /// that the default <c>minFace</c> always stays below) to 100 million, default 8 million.
    /// </summary>
    [Range(300_000, 100_000_000)]
    public int MaxPixels { get; set; } = 8_000_000;
}

[OptionsValidator]
internal sealed partial class ValidateFacesOptions : IValidateOptions<FacesOptions>;
