using System.Diagnostics.CodeAnalysis;

namespace SmileApi.Imaging;

/// <summary>
/// Reads JPEG, PNG and WebP into upright grey pixels: 0.299 R + 0.587 G + 0.114 B of the stored values (ITU-R BT.601 luma),
/// colour profiles ignored, transparency over white, the first frame of an animation. Safe for concurrent use.
/// </summary>
public sealed class ImageDecoder
{
    private readonly ImageLimits _limits;
    private readonly bool _useTurboJpeg;

    /// <param name="limits">What a picture may cost.</param>
    /// <param name="useTurboJpeg">False to read JPEG through SkiaSharp even where the system has libturbojpeg.</param>
    public ImageDecoder(ImageLimits limits, bool useTurboJpeg = true)
    {
        ArgumentNullException.ThrowIfNull(limits);
        _limits = limits;
        _useTurboJpeg = useTurboJpeg && TurboJpeg.IsAvailable;
    }

    /// <summary>What reads JPEG pictures here: <c>libturbojpeg</c> or <c>SkiaSharp</c>.</summary>
    public string JpegBackend => _useTurboJpeg ? "libturbojpeg" : "SkiaSharp";

    /// <summary>
    /// Reads a picture's header and compares it with the limits; costs microseconds, for the most hostile file more, and no memory.
    /// </summary>
    /// <param name="bytes">The encoded picture, whole. Not kept after the call.</param>
    /// <param name="header">The header, when the result is true.</param>
    /// <param name="rejection">Why the picture will not be decoded, when the result is false.</param>
    public bool TryInspect(ReadOnlySpan<byte> bytes, out ImageHeader header, [NotNullWhen(false)] out ImageRejection? rejection)
    {
        header = default;
        if (bytes.Length > _limits.MaxBytes)
        {
            rejection = new(ImageProblem.TooManyBytes, $"The picture has {bytes.Length:N0} bytes; at most {_limits.MaxBytes:N0} are accepted.");
            return false;
        }

        if (!ImageHeader.TryRead(bytes, out header, out rejection))
        {
            return false;
        }

        rejection = _limits.Check(header);
        return rejection is null;
    }

    /// <summary>Decodes a picture, reduced by 2, 4 or 8 as far as <paramref name="minimumSide"/> allows.</summary>
    /// <param name="bytes">The encoded picture, whole. Not kept after the call.</param>
    /// <param name="minimumSide">The shorter side of the result is at least this many pixels, unless the original's is shorter.</param>
    /// <param name="image">The picture, when the result is true; the caller disposes it.</param>
    /// <param name="rejection">Why there is none, when the result is false.</param>
    public bool TryDecode(
        ReadOnlySpan<byte> bytes, int minimumSide, [NotNullWhen(true)] out GreyImage? image, [NotNullWhen(false)] out ImageRejection? rejection)
    {
        image = null;
        return TryInspect(bytes, out var header, out rejection) && TryDecode(bytes, header, minimumSide, out image, out rejection);
    }

    /// <summary>Decodes a picture that has been inspected.</summary>
    /// <param name="bytes">The encoded picture, whole. Not kept after the call.</param>
    /// <param name="header">What <see cref="TryInspect"/> said of these bytes.</param>
    /// <param name="minimumSide">The shorter side of the result is at least this many pixels, unless the original's is shorter.</param>
    /// <param name="image">The picture, when the result is true; the caller disposes it.</param>
    /// <param name="rejection">Why there is none, when the result is false.</param>
    public bool TryDecode(
        ReadOnlySpan<byte> bytes, in ImageHeader header, int minimumSide, [NotNullWhen(true)] out GreyImage? image, [NotNullWhen(false)] out ImageRejection? rejection) =>
        TryDecodeReduced(bytes, header, ReductionFor(Math.Min(header.Width, header.Height), minimumSide), out image, out rejection);

    /// <summary>Decodes a picture that has been inspected, reduced by a given factor.</summary>
    /// <param name="bytes">The encoded picture, whole. Not kept after the call.</param>
    /// <param name="header">What <see cref="TryInspect"/> said of these bytes.</param>
    /// <param name="reduction">How many pixels of a side become one: 1, 2, 4 or 8.</param>
    /// <param name="image">The picture, when the result is true; the caller disposes it.</param>
    /// <param name="rejection">Why there is none, when the result is false.</param>
    public bool TryDecodeReduced(
        ReadOnlySpan<byte> bytes, in ImageHeader header, int reduction, [NotNullWhen(true)] out GreyImage? image, [NotNullWhen(false)] out ImageRejection? rejection)
    {
        if (reduction is not (1 or 2 or 4 or 8))
        {
            throw new ArgumentOutOfRangeException(nameof(reduction), reduction, "Pictures are reduced by 1, 2, 4 or 8.");
        }

        if (_useTurboJpeg && TurboJpeg.CanRead(header))
        {
            rejection = TurboJpeg.Decode(bytes, header, reduction, out image, out var worthASecondTry);
            if (!worthASecondTry)
            {
                return image is not null;
            }
        }

        rejection = SkiaDecoder.Decode(bytes, header, reduction, out image);
        return image is not null;
    }

    /// <summary>The largest reduction, 1, 2, 4 or 8, that leaves of <paramref name="length"/> at least <paramref name="least"/> pixels.</summary>
    public static int ReductionFor(int length, int least)
    {
        var reduction = 1;
        while (reduction < 8 && length / (reduction * 2) >= least)
        {
            reduction *= 2;
        }

        return reduction;
    }

    /// <summary>How many pixels a side of <paramref name="length"/> has after reduction; a last partial pixel counts.</summary>
    public static int Reduced(int length, int reduction) => (length + reduction - 1) / reduction;
}
