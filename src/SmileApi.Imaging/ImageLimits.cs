using System.ComponentModel.DataAnnotations;

namespace SmileApi.Imaging;

/// <summary>What a picture may cost. Checked against its header, before any pixel is decoded.</summary>
public sealed class ImageLimits
{
    // A scan that costs a few dozen bytes passes over every coefficient: 98 of them over 67 million took SkiaSharp seven seconds
    // and more. Ordinary files have 3 to 4 passes, so that the largest that may be held have room to spare, and smaller ones more.
    private const int PassesOverLargest = 8;

    /// <summary>Largest encoded picture, in bytes. Range 1 KiB to 256 MiB, default 20 MiB.</summary>
    [Range(1 << 10, 1 << 28)]
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
    /// Most memory that decoding one picture may hold at once, in bytes. It bounds what must be held whole: the coefficients
    /// of progressive and multi-scan JPEG (2 to 8 bytes a pixel), PNG and WebP (4 to 12 bytes a pixel). It also bounds the time
    /// that such a JPEG takes: its scans together may pass over no more than 8 times as much. Range 1 MiB to 2 GiB less a byte,
    /// default 128 MiB: a PNG of 33 million pixels, a progressive JPEG of a camera of 44 million.
    /// </summary>
    [Range(1 << 20, int.MaxValue)]
    public int MaxHeldBytes { get; set; } = 128 << 20;

    /// <summary>
    /// Most scans of a progressive JPEG; each scan passes over the whole picture again, and real files have about ten.
    /// Range 1 to 99 (SkiaSharp itself gives up at the hundredth, libturbojpeg at 500), default 99.
    /// </summary>
    [Range(1, 99)]
    public int MaxScans { get; set; } = 99;

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

        if (header.HeldBytes > MaxHeldBytes)
        {
            var kind = header.Format == ImageFormat.Jpeg ? "progressive JPEG" : header.Format.Title();
            return TooLarge(
                $"Decoding this {kind} of {header.Width} x {header.Height} pixels would hold {header.HeldBytes >> 20} MiB of memory; at most {MaxHeldBytes >> 20} are given. Send it smaller, or as a baseline JPEG.");
        }

        if (header.HeldBytes * header.Passes > (double)PassesOverLargest * MaxHeldBytes)
        {
            return TooLarge($"The JPEG passes {header.Passes:0} times over its {header.Width} x {header.Height} pixels. Send it smaller, or as a baseline JPEG.");
        }

        if (header.Scans > MaxScans)
        {
            return TooLarge($"The JPEG has more than {MaxScans} scans. Save it again with an ordinary encoder.");
        }

        return null;
    }

    private static ImageRejection TooLarge(string detail) => new(ImageProblem.TooLarge, detail);
}
