namespace SmileApi.Classify;

/// <summary>A kind of error that the API answers with; each is described in <c>docs/problems.md</c>.</summary>
/// <param name="Name">Kebab-case; the last part of the document's <c>type</c>.</param>
/// <param name="Status">HTTP status code.</param>
/// <param name="Title">The same short sentence for every problem of this kind.</param>
internal sealed record ProblemKind(string Name, int Status, string Title)
{
    public static readonly ProblemKind EmptyUpload = new("empty-upload", 400, "The request holds no picture.");
    public static readonly ProblemKind MalformedRequest = new("malformed-request", 400, "The request cannot be understood.");
    public static readonly ProblemKind InvalidParameter = new("invalid-parameter", 400, "A parameter is not valid.");
    public static readonly ProblemKind Unauthorized = new("unauthorized", 401, "The request has no valid API key.");
    public static readonly ProblemKind NotFound = new("not-found", 404, "There is nothing at this address.");
    public static readonly ProblemKind MethodNotAllowed = new("method-not-allowed", 405, "This address does not answer this HTTP method.");
    public static readonly ProblemKind RequestTimeout = new("request-timeout", 408, "The request was sent too slowly.");
    public static readonly ProblemKind UploadTooLarge = new("upload-too-large", 413, "The upload has too many bytes.");
    public static readonly ProblemKind UnsupportedFormat = new("unsupported-format", 415, "The upload is not a picture of an accepted format.");
    public static readonly ProblemKind PictureTooLarge = new("picture-too-large", 422, "The picture has too many pixels.");
    public static readonly ProblemKind PictureTruncated = new("picture-truncated", 422, "The picture is cut off.");
    public static readonly ProblemKind PictureCorrupt = new("picture-corrupt", 422, "The picture is damaged.");
    public static readonly ProblemKind PictureTooSlow = new("picture-too-slow", 422, "Decoding the picture takes too long.");
    public static readonly ProblemKind UnsupportedVariant = new("unsupported-variant", 422, "The picture is of a rare kind that is not read.");
    public static readonly ProblemKind RateLimited = new("rate-limited", 429, "Too many requests.");
    public static readonly ProblemKind InternalError = new("internal-error", 500, "Something went wrong in the service.");
    public static readonly ProblemKind InferenceFailed = new("inference-failed", 500, "The network could not judge the picture.");
    public static readonly ProblemKind InferenceTimeout = new("inference-timeout", 503, "The network took too long.");
    public static readonly ProblemKind Overloaded = new("overloaded", 503, "The service has more work than it can take.");
    public static readonly ProblemKind NotReady = new("not-ready", 503, "The service cannot answer now.");
    public static readonly ProblemKind DeadlineExceeded = new("deadline-exceeded", 504, "The request's time is over.");

    // Of POST /explain alone.
    public static readonly ProblemKind NoExplanation = new("no-explanation", 501, "The model cannot say what it saw.");

    // Of POST /classify/batch alone.
    public static readonly ProblemKind BatchTooLong = new("batch-too-long", 413, "The batch is too long for one document.");
    public static readonly ProblemKind UnsupportedMediaType = new("unsupported-media-type", 415, "The request's body is of a kind that is not read here.");

    /// <summary>The kinds that only batches meet, as a whole.</summary>
    public static readonly IReadOnlyList<ProblemKind> OfBatches = [BatchTooLong, UnsupportedMediaType];

    // Of POST /admin/model alone.
    public static readonly ProblemKind AdminKeyInvalid = new("admin-key-invalid", 401, "The administrator's key is missing or wrong.");
    public static readonly ProblemKind ReloadInProgress = new("reload-in-progress", 409, "Other models are being loaded now.");
    public static readonly ProblemKind ModelRefused = new("model-refused", 422, "The models cannot be served.");

    /// <summary>The kinds that only administrators meet.</summary>
    public static readonly IReadOnlyList<ProblemKind> OfAdministration = [AdminKeyInvalid, ReloadInProgress, ModelRefused];

    /// <summary>Every kind that has a name of its own.</summary>
    public static readonly IReadOnlyList<ProblemKind> All =
    [
        EmptyUpload, MalformedRequest, InvalidParameter, Unauthorized, NotFound, MethodNotAllowed, RequestTimeout, UploadTooLarge,
        UnsupportedFormat, PictureTooLarge, PictureTruncated, PictureCorrupt, PictureTooSlow, UnsupportedVariant, RateLimited, InternalError, InferenceFailed,
        InferenceTimeout, Overloaded, NotReady, DeadlineExceeded, NoExplanation, .. OfBatches, .. OfAdministration,
    ];

    public string Type => $"urn:smileapi:problem:{Name}";
}

/// <summary>One error, as a value: what kind it is, and what this caller should know and do.</summary>
/// <param name="Detail">One or two sentences for the person who sent the request.</param>
/// <param name="RetryAfter">When trying again makes sense, if it does.</param>
internal sealed record Problem(ProblemKind Kind, string Detail, TimeSpan? RetryAfter = null);
