using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Net.Http.Headers;
using SmileApi.Admission;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Batches;

/// <summary><c>POST /classify/batch</c>: many pictures in, a verdict or a problem on each out, in their order.</summary>
internal static class BatchEndpoint
{
    /// <summary>What lines of JSON are called.</summary>
    private static readonly string[] s_lines = [BatchAnswer.LinesType, "application/ndjson", "application/jsonl", "application/x-jsonlines"];

    public static void AddBatches(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<BatchOptions, ValidateBatchOptions>(BatchOptions.Section);
        builder.Services.AddSingleton<BatchClassifier>();
    }

    public static void MapBatches(this IEndpointRouteBuilder app) =>
        app.MapPost("/classify/batch", ClassifyAsync)
            // Kestrel's own limit is for a body that is kept; this one is read a picture at a time.
            .WithMetadata(new DisableRequestSizeLimitAttribute())
            .WithAdmissionOfStream()
            .WithTags("Classify")
            .WithSummary("The same for many pictures")
            .WithDescription(
                "Takes many pictures as the files of one multipart/form-data request, or as lines of JSON (application/x-ndjson), "
                + "`{\"image\": \"<base64>\", \"name\": \"a.jpg\"}` each, and answers with a result for each, in their order: a verdict as that of "
                + "`/classify`, or the problem document that the picture would have got by itself. One picture's problem is no other's. "
                + "With `Accept: application/x-ndjson` (the default for lines) each result is a line that is sent as soon as the picture is judged, and there "
                + "may be any number of pictures; with `Accept: application/json` (the default for multipart) they come as one document at the end. "
                + "The body is read as fast as pictures are judged and results are read, so a client that wants lines must read while it sends. "
                + "If the body breaks off or the service is about to stop, the last line (or the document's `problem`) says why nothing more was read; all results before it hold.")
            .Produces<BatchDocument>(200, "application/json", BatchAnswer.LinesType)
            .ProducesProblems(400, 401, 408, 415, 429, 500, 503);

    private static async Task<IResult> ClassifyAsync(HttpContext context, UploadReader uploads, BatchClassifier classifier)
    {
        if (!ClassifyQuery.TryRead(context.Request, out var query, out var problem))
        {
            return new ProblemResult(problem);
        }

        var isLines = false;
        IPictureSource pictures;
        var type = MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var contentType) ? contentType.MediaType.Value : null;
        if ("multipart/form-data".Equals(type, StringComparison.OrdinalIgnoreCase))
        {
            var boundary = HeaderUtilities.RemoveQuotes(contentType!.Boundary).ToString();
            if (boundary.Length is 0 or > 200)
            {
                return new ProblemResult(UploadReader.NoBoundary);
            }

            pictures = new MultipartPictures(boundary, new BodyStream(context.Request.BodyReader), uploads);
        }
        else if (IsLines(type))
        {
            isLines = true;
            pictures = new JsonLinePictures(new BodyStream(context.Request.BodyReader), uploads);
        }
        else
        {
            return new ProblemResult(new Problem(
                ProblemKind.UnsupportedMediaType, $"Send many pictures as multipart/form-data, or as lines of JSON with Content-Type: {BatchAnswer.LinesType}. One picture goes to /classify."));
        }

        using (pictures as IDisposable)
        {
            return await AnswerAsync(context, pictures, query, AsksForLines(context.Request, byDefault: isLines), classifier);
        }
    }

    private static async Task<IResult> AnswerAsync(HttpContext context, IPictureSource pictures, ClassifyQuery query, bool asLines, BatchClassifier classifier)
    {
        var answer = new BatchAnswer(context.Response, asLines, context.Features.GetRequiredFeature<AdmissionGate.Admission>());
        var (count, refused, end) = await classifier.RunAsync(context, pictures, query, answer, context.RequestAborted);
        if (!answer.HasBegun)
        {
            return new ProblemResult(end ?? new Problem(ProblemKind.EmptyUpload, "The batch holds no picture. Send files of a form, or lines {\"image\": \"<base64>\"}."));
        }

        await answer.EndAsync(end, context.TraceIdentifier, context.RequestAborted);
        Problems.SetOutcome(context, $"{end?.Kind.Name ?? "ok"}, {count} pictures, {refused} of them refused");
        return Results.Empty;
    }

    private static bool IsLines(string? type) => Array.Exists(s_lines, known => known.Equals(type, StringComparison.OrdinalIgnoreCase));

    private static bool AsksForLines(HttpRequest request, bool byDefault)
    {
        foreach (var accepted in request.GetTypedHeaders().Accept.Where(accepted => accepted.Quality != 0).OrderByDescending(accepted => accepted.Quality ?? 1))
        {
            if (IsLines(accepted.MediaType.Value))
            {
                return true;
            }

            if (accepted.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
            {
                return false;
            }
        }

        return byDefault;
    }
}
