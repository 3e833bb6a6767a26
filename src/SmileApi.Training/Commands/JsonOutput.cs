using System.Text.Json;

namespace SmileApi.Training;

/// <summary>How the commands write JSON.</summary>
internal static class JsonOutput
{
    public static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web) { WriteIndented = true, NewLine = "\n" };

    public static void Print<T>(T value) => Console.WriteLine(JsonSerializer.Serialize(value, Indented));
}
