using System.Globalization;

namespace SmileApi.Client;

/// <summary>Where the faces of a picture are.</summary>
public enum FaceMode
{
    /// <summary>The service finds the faces and judges each.</summary>
    Detect,

    /// <summary>The picture is one face, which fills it from the brow to below the lower lip.</summary>
    Whole,
}

/// <summary>What an explanation is drawn as.</summary>
public enum DrawingFormat
{
    /// <summary>Exact.</summary>
    Png,

    /// <summary>Lossy, and smaller.</summary>
    WebP,
}

/// <summary>What may be said about a picture; everything has a default.</summary>
public sealed record ClassifyOptions
{
    /// <summary>Where the faces are. Default: <see cref="FaceMode.Detect"/>.</summary>
    public FaceMode Faces { get; init; }

    /// <summary>Probabilities from here on count as a smile, 0..1. Default: the model's own.</summary>
    public float? Threshold { get; init; }

    /// <summary>Least confidence of a face to be in the answer, 0..1. Default: the detector's own.</summary>
    public float? Confidence { get; init; }

    /// <summary>Side of the smallest face to find, in pixels, 1..65535. Default: 3 % of the longer side, at least 20.</summary>
    public int? MinFace { get; init; }

    /// <summary>Most faces of the answer, 1..1000; the largest stay. Default: 100.</summary>
    public int? Limit { get; init; }

    /// <summary>Within which time the service is to answer a picture; it can only shorten the service's own. Default: the service's.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>The query string, with its question mark; empty when nothing is said.</summary>
    internal string Query()
    {
        var query = string.Join('&', new[]
        {
            Faces == FaceMode.Whole ? "faces=whole" : null, Named("threshold", Threshold), Named("confidence", Confidence), Named("minFace", MinFace), Named("limit", Limit),
        }.Where(option => option is not null));
        return query.Length > 0 ? $"?{query}" : "";

        static string? Named<T>(string name, T? value)
            where T : struct, IFormattable => value is { } given ? $"{name}={given.ToString(null, CultureInfo.InvariantCulture)}" : null;
    }
}
