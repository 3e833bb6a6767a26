using System.ComponentModel.DataAnnotations;

namespace SmileApi.Imaging;

/// <summary>What a picture may cost. Checked against its header, before any pixel is decoded.</summary>
public sealed class ImageLimits
{
    /// <summary>Largest encoded picture, in bytes. Range 1 KiB to 1 GiB, default 20 MiB.</summary>
    [Range(1024, 1 << 30)]
    public int MaxBytes { get; set; } = 20 << 20;

    /// <summary>Longest side, in pixels. Range 1 to 65535, default 20000.</summary>
    [Range(1, 65535)]
    public int MaxSide { get; set; } = 20_000;

    /// <summary>
    /// Most pixels of a picture that is decoded row by row (baseline JPEG: a few kilobytes of memory a row).
    /// Range 1 to 500 million, default 100 million.
    /// </summary>
    [Range(1, 500_000_000)]
    public int MaxPixels { get; set; } = 100_000_000;

    /// <summary>
    /// Most pixels of a picture that must be held whole while it is decoded: progressive and multi-scan JPEG (2 to 6 bytes
    /// a pixel of coefficients), PNG and WebP (4 bytes a pixel). Range 1 to 500 million, default 24 million.
    /// </summary>
    [Range(1, 500_000_000)]
    public int MaxBufferedPixels { get; set; } = 24_000_000;

    /// <summary>
    /// Most scans of a progressive JPEG; each scan passes over the whole picture again, and real files have about ten.
    /// Range 1 to 100 (SkiaSharp itself gives up at the hundredth, libturbojpeg at 500), default 100.
    /// </summary>
    [Range(1, 100)]
    public int MaxScans { get; set; } = 100;

    /// <summary>Compares a header with these limits.</summary>
    /// <returns>The rejection, or null when the picture may be decoded.</returns>
    public ImageRejection? Check(in ImageHeader header)
    {
        if (header.Width > MaxSide || header.Height > MaxSide)
        {
            return TooLarge($"The picture is {header.Width} x {header.Height} pixels; no side may be longer than {MaxSide}.");
        }

        var pixels = (long)header.Width * header.Height;
        if (pixels > MaxPixels)
        {
            return TooLarge($"The picture has {pixels:N0} pixels; at most {MaxPixels:N0} are accepted.");
        }

        if (header.IsBuffered && pixels > MaxBufferedPixels)
        {
            var kind = header.Format == ImageFormat.Jpeg ? "progressive JPEG" : header.Format.Title();
            return TooLarge($"The picture is a {kind} of {pixels:N0} pixels; at most {MaxBufferedPixels:N0} are accepted of this kind. Send it smaller, or as a baseline JPEG.");
        }

        if (header.Scans > MaxScans)
        {
            return TooLarge($"The JPEG has more than {MaxScans} scans. Save it again with an ordinary encoder.");
        }

        return null;
    }

    private static ImageRejection TooLarge(string detail) => new(ImageProblem.TooLarge, detail);
}
