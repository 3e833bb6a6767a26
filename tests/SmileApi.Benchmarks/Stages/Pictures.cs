using System.Collections.Concurrent;
using SkiaSharp;
using SmileApi.Imaging;

namespace SmileApi.Benchmarks.Stages;

/// <summary>The pictures of the stages, each made once.</summary>
internal static class Pictures
{
    public const string Small = "640x480";
    public const string Large = "4000x3000";

    private static readonly ConcurrentDictionary<(string Format, string Size), byte[]> s_files = new();

    /// <param name="format">JPEG, PNG or WebP.</param>
    /// <param name="size">Width and height in pixels, an x between them.</param>
    public static byte[] File(string format, string size) =>
        s_files.GetOrAdd((format, size), static of => Photo.As(Enum.Parse<SKEncodedImageFormat>(of.Format, ignoreCase: true), WidthOf(of.Size), HeightOf(of.Size)));

    public static int WidthOf(string size) => int.Parse(size.AsSpan(0, size.IndexOf('x', StringComparison.Ordinal)));

    public static int HeightOf(string size) => int.Parse(size.AsSpan(size.IndexOf('x', StringComparison.Ordinal) + 1));

    /// <summary>Decodes a picture as the service does, or throws: the time of a picture that is refused says nothing.</summary>
    /// <param name="reduction">How many pixels of a side become one: 1, 2, 4 or 8.</param>
    public static GreyImage Decode(ImageDecoder decoder, byte[] file, int reduction) =>
        decoder.TryInspect(file, out var header, out var rejection) && decoder.TryDecodeReduced(file, header, reduction, out var image, out rejection)
            ? image
            : throw new InvalidOperationException(rejection.Detail);
}
