using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
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
            .Produces<ProblemDocument>(400, "application/problem+json")
            .Produces<ProblemDocument>(401, "application/problem+json")
            .Produces<ProblemDocument>(408, "application/problem+json")
            .Produces<ProblemDocument>(413, "application/problem+json")
            .Produces<ProblemDocument>(415, "application/problem+json")
            .Produces<ProblemDocument>(422, "application/problem+json")
            .Produces<ProblemDocument>(429, "application/problem+json")
            .Produces<ProblemDocument>(500, "application/problem+json")
            .Produces<ProblemDocument>(501, "application/problem+json")
            .Produces<ProblemDocument>(503, "application/problem+json")
            .Produces<ProblemDocument>(504, "application/problem+json");

    private static async Task<IResult> ExplainAsync(HttpContext context, UploadReader uploads, Explainer explainer, TimeProvider time)
    {
        var received = time.GetTimestamp();
        var aborted = context.RequestAborted;
        var admission = context.Features.GetRequiredFeature<AdmissionGate.Admission>();
        if (!ClassifyQuery.TryRead(context.Request, out var query, out var problem))
        {
            return new ProblemResult(problem);
        }

        var (upload, uploadProblem) = await uploads.ReadAsync(context.Request, admission, aborted);
        using (upload)
        {
            if (upload is null || !admission.TryBeginWork(out uploadProblem))
            {
                return new ProblemResult(uploadProblem!);
            }

            var (explained, rejection) = await explainer.ExplainAsync(upload.Bytes, query, received, context.TraceIdentifier, aborted);
            if (explained is null)
            {
                return new ProblemResult(rejection!);
            }

            context.Response.Headers.Vary = "Accept";
            var wanted = Wanted(context.Request);
            if (wanted == Json)
            {
                return TypedResults.Json(Explanation.Of(explained.Verdict, explained.Maps), WireJson.Default.Explanation);
            }

            // Until it has been sent, which is as quick as its reader.
            rejection = await admission.HoldMoreAsync(Drawing.MemoryOf(explained.Verdict.Image), aborted);
            if (rejection is not null)
            {
                return new ProblemResult(rejection);
            }

            (var drawing, rejection) = await explainer.DrawAsync(upload.Bytes, explained, asWebP: wanted == WebP, aborted);
            return drawing is null ? new ProblemResult(rejection!) : TypedResults.Bytes(drawing, wanted);
        }
    }

    /// <summary>The first of what the caller accepts that there is; PNG, when it says nothing of that.</summary>
    private static string Wanted(HttpRequest request) => request.GetTypedHeaders().Accept
        .OrderByDescending(accepted => accepted.Quality ?? 1)
        .Select(accepted => Array.Find([Png, WebP, Json], known => accepted.MediaType.Equals(known, StringComparison.OrdinalIgnoreCase)))
        .FirstOrDefault(known => known is not null) ?? Png;
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

            aborted.ThrowIfCancellationRequested();
            using var drawing = Drawing.Draw(photo.Image, explained.Verdict.Faces, explained.Maps, asWebP);
            return (drawing.ToArray(), null);
        }
    }
}
