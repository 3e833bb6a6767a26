using System.Diagnostics;

namespace SmileApi.Operations;

/// <summary>
/// The stages of a request, as spans of its trace: <c>read</c>, <c>decode</c>, <c>detect</c>, <c>infer</c>, waiting included. Without
/// a collector there is no listener, and a stage is null and costs nothing.
/// </summary>
internal static class Stages
{
    public const string SourceName = "SmileApi";

    private static readonly ActivitySource s_source = new(SourceName);

    /// <summary>The upload, from the first byte read to the last.</summary>
    public static Activity? Read() => s_source.StartActivity("read");

    /// <summary>Decoding, from the arrival at the gate.</summary>
    /// <param name="format">Of the file: <c>jpeg</c>, <c>png</c>, <c>webp</c>.</param>
    /// <param name="pixels">Of the picture in the file.</param>
    public static Activity? Decode(string format, long pixels) =>
        s_source.StartActivity("decode")?.SetTag("smileapi.picture.format", format).SetTag("smileapi.picture.pixels", pixels);

    /// <summary>The search for faces.</summary>
    public static Activity? Detect() => s_source.StartActivity("detect");

    /// <summary>Judging the faces.</summary>
    public static Activity? Infer(int faces) => s_source.StartActivity("infer")?.SetTag("smileapi.faces", faces);
}
