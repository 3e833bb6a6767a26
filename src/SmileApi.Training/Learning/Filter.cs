using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace SmileApi.Training;

/// <summary>A filter of the first layer, as it looks at the picture: one weight for each pixel under it, normalisation folded in.</summary>
/// <param name="Kernel">Row-major, shape <c>[5, 5]</c>, four significant digits. In JSON it is the filter, an array on one line.</param>
[JsonConverter(typeof(OnOneLine))]
internal sealed record Filter(IReadOnlyList<float> Kernel)
{
    /// <summary>The filters of a network's stem, in the order of its channels.</summary>
    public static IReadOnlyList<Filter> Of(Architecture architecture, Weights weights)
    {
        var stem = architecture.Stem;
        return [.. weights.Folded(stem).Weight.Chunk(stem.In * stem.Kernel * stem.Kernel).Select(kernel => new Filter([.. kernel.Select(Rounded)]))];
    }

    private static float Rounded(float weight) => float.Parse(weight.ToString("G4", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    /// <summary>Thousands of numbers, each on a line of its own, would make a history that nobody reads.</summary>
    private sealed class OnOneLine : JsonConverter<Filter>
    {
        public override Filter Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            new(JsonSerializer.Deserialize<float[]>(ref reader, options)!); // No null comes here.

        public override void Write(Utf8JsonWriter writer, Filter value, JsonSerializerOptions options)
        {
            var indent = writer.Options.Indented ? "\n" + new string(' ', writer.Options.IndentSize * writer.CurrentDepth) : "";
            writer.WriteRawValue(indent + JsonSerializer.Serialize(value.Kernel)); // Raw values get no indentation from the writer.
        }
    }
}
