using Microsoft.AspNetCore.Mvc;
using Microsoft.Net.Http.Headers;
using SmileApi.Admission;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Explain;

/// <summary><c>POST /explain</c>: one picture in; out comes what the network saw in its faces, drawn or as numbers.</summary>
internal static class ExplainEndpoint
{
    private const string Json = "application/json";
    private const string Png = "image/png";
    private const string WebP = "image/webp";

    private static readonly string[] s_known = [Png, WebP, Json];

    public static void AddExplain(this WebApplicationBuilder builder) => builder.Services.AddSingleton<Explainer>();

    public static void MapExplain(this IEndpointRouteBuilder app) =>
        app.MapPost("/explain", ExplainAsync)
            // As for /classify.
            .WithMetadata(new DisableRequestSizeLimitAttribute())
            .WithAdmission()
            .WithTags("Classify")
            .WithSummary("What in these faces speaks for a smile, and what against one?")
            .WithDescription(
                "Takes what `/classify` takes and judges it the same way. The answer is the picture in grey, as the network sees it, at most 1024 pixels long, "
                + "as PNG or, with `Accept: image/webp`, as WebP: over each face a map of what spoke for a smile (orange) and against one (blue), "
                + "and a box in the colour of the verdict with the probability as a bar. With `Accept: application/json` it is the verdict with the map as numbers. "
                + "The map is coarse, five places by five in the present network: it tells the region that counted, not the wrinkle.")
            .Produces(200, contentType: Png, additionalContentTypes: WebP)
            .Produces<Explanation>(200, Json)
            .ProducesProblems(400, 401, 408, 413, 415, 422, 429, 500, 501, 503, 504);

    private static async Task<IResult> ExplainAsync(HttpContext context, UploadReader uploads, Explainer explainer, AdmissionGate gate, TimeProvider time)
    {
        var received = time.GetTimestamp();
        var aborted = context.RequestAborted;
        var (read, problem) = await PictureRequest.ReadAsync(context, uploads);
        if (read is not { } picture)
        {
            return new ProblemResult(problem!);
        }

        using (picture)
        {
            (var explained, problem) = await explainer.ExplainAsync(picture.Upload.Bytes, picture.Query, received, context.TraceIdentifier, aborted);
            if (explained is null)
            {
                return new ProblemResult(problem!);
            }

            context.Response.Headers.Vary = "Accept";
            var wanted = Wanted(context.Request);
            if (wanted == Json)
            {
                return new JsonAnswer<Explanation>(Explanation.Of(explained.Verdict, explained.Maps), WireJson.Default.Explanation);
            }

            if (!gate.TryHoldAnswer(context, Drawing.MemoryOf(explained.Verdict.Image), out problem))
            {
                return new ProblemResult(problem);
            }

            (var drawing, problem) = await explainer.DrawAsync(picture.Upload.Bytes, explained, asWebP: wanted == WebP, aborted);
            return drawing is null ? new ProblemResult(problem!) : TypedResults.Bytes(drawing, wanted);
        }
    }

    /// <summary>What the caller likes best of what there is (RFC 9110, section 12.5.1); PNG, when it says nothing of that.</summary>
    private static string Wanted(HttpRequest request)
    {
        var accepted = request.GetTypedHeaders().Accept;
        return s_known.MaxBy(known =>
        {
            // The most specific range that holds for it tells how much it is liked; what none holds for, still more than what is refused.
            var (range, place) = accepted.Select((range, place) => (range, place)).Where(said => Holds(said.range, known)).OrderByDescending(said => Specificity(said.range)).FirstOrDefault();
            return (range is null ? 0.0005 : range.Quality ?? 1, -place);
        })!;

        static bool Holds(MediaTypeHeaderValue range, string known) =>
            range.MatchesAllTypes || known.Equals(range.MediaType.Value, StringComparison.OrdinalIgnoreCase)
            || (range.MatchesAllSubTypes && known.StartsWith($"{range.Type}/", StringComparison.OrdinalIgnoreCase));

        static int Specificity(MediaTypeHeaderValue range) => range.MatchesAllTypes ? 0 : range.MatchesAllSubTypes ? 1 : 2;
    }
}

/// <summary>A picture that has been judged, and what the network saw in its faces.</summary>
internal sealed record Explained(Verdict Verdict, IReadOnlyList<FaceMap> Maps);

/// <summary>Judges a picture and shows what the network saw.</summary>
internal sealed class Explainer(Classifier classifier, DecodeGate decoder)
{
    /// <inheritdoc cref="Classifier.ClassifyAfreshAsync"/>
    public async Task<(Explained? Explained, Problem? Problem)> ExplainAsync(
        ReadOnlyMemory<byte> bytes, ClassifyQuery query, long received, string requestId, CancellationToken aborted)
    {
        var maps = new List<FaceMap>();
        var (verdict, problem) = await classifier.ClassifyAfreshAsync(bytes, query, received, requestId, maps, aborted);
        return (verdict is null ? null : new Explained(verdict, maps), problem);
    }

    /// <summary>
    /// Draws it. The picture is decoded a second time, as sharply as the drawing needs: the search reads it as coarsely as it may.
    /// </summary>
    /// <returns>The encoded drawing, or the problem with the picture.</returns>
    public async Task<(byte[]? Drawing, Problem? Problem)> DrawAsync(ReadOnlyMemory<byte> bytes, Explained explained, bool asWebP, CancellationToken aborted)
    {
        if (!decoder.TryInspect(bytes.Span, out var header, out var problem))
        {
            return (null, problem);
        }

        (var photo, problem) = await decoder.DecodeAsync(bytes, header, ImageDecoder.ReductionFor(Math.Max(header.Width, header.Height), Drawing.LongestSide), aborted);
        using (photo)
        {
            if (photo is null)
            {
                return (null, problem);
            }

            // To draw takes about as long as to decode, and is work for the same processors.
            using var turn = await decoder.TakeTurnAsync(aborted);
            using var drawing = Drawing.Draw(photo.Image, explained.Verdict.Faces, explained.Maps, asWebP, aborted);
            return (drawing.ToArray(), null);
        }
    }
}
