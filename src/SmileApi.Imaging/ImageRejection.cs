namespace SmileApi.Imaging;

/// <summary>Why a picture was not read. Each value is an expected outcome, never an exception.</summary>
public enum ImageProblem
{
    /// <summary>There were no bytes at all.</summary>
    Empty,

    /// <summary>The bytes are not JPEG, PNG or WebP.</summary>
    UnsupportedFormat,

    /// <summary>More bytes than <see cref="ImageLimits.MaxBytes"/>.</summary>
    TooManyBytes,

    /// <summary>Sides, pixels or scans beyond <see cref="ImageLimits"/>.</summary>
    TooLarge,

    /// <summary>The picture ends before its last pixel.</summary>
    Truncated,

    /// <summary>The bytes contradict their own format.</summary>
    Corrupt,

    /// <summary>A valid but rare variant of an accepted format (lossless or 12-bit JPEG, say).</summary>
    UnsupportedVariant,
}

/// <summary>Why a picture was not read, and a sentence about it for the person who sent it.</summary>
/// <param name="Problem">The kind of failure, for programs.</param>
/// <param name="Detail">One or two sentences for people: what is wrong and what to do.</param>
public sealed record ImageRejection(ImageProblem Problem, string Detail);
