using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using SmileApi.Admission;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary><c>POST /classify</c>: one picture in, one verdict or one problem out.</summary>
internal static class ClassifyEndpoint
{
    public static void AddClassify(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<ImageLimits, ValidateImageLimits>("Images");
        builder.AddValidatedOptions<DecodingOptions, ValidateDecodingOptions>(DecodingOptions.Section);
        builder.AddValidatedOptions<CacheOptions, ValidateCacheOptions>(CacheOptions.Section);
        builder.Services.AddSingleton<AnswerCache>();
        builder.Services.AddSingleton(services => new ImageDecoder(
            services.GetRequiredService<IOptions<ImageLimits>>().Value,
            services.GetRequiredService<IOptions<DecodingOptions>>().Value.UseTurboJpeg));
        builder.Services.AddSingleton<DecodePicture>(services => services.GetRequiredService<ImageDecoder>().TryDecodeReduced);
        builder.Services.AddSingleton<DecodeWatchdog>();
        builder.Services.AddSingleton<UploadReader>();
        builder.Services.AddSingleton<DecodeGate>();
        builder.Services.AddSingleton<Classifier>();
    }

    public static void MapClassify(this IEndpointRouteBuilder app) =>
        app.MapPost("/classify", ClassifyAsync)
            // Kestrel's own limit resets the connection before the client has read why; UploadReader counts instead.
            .WithMetadata(new DisableRequestSizeLimitAttribute())
            .WithAdmission()
            .WithTags("Classify")
            .WithSummary("How likely is it that the people in this picture smile?")
            .WithDescription(
                "Takes one picture (JPEG, PNG or WebP) as the raw body, as multipart/form-data (a file called `image`) or as JSON "
                + "`{\"image\": \"<base64>\"}`, finds its faces and judges each. They come largest first, and `smile` and `probability` are the "
                + "largest one's; a picture without a face is answered with `faces: []` and null. A smile is an expression, not a feeling.")
            .Produces<Verdict>()
            .Produces<ProblemDocument>(400, "application/problem+json")
            .Produces<ProblemDocument>(401, "application/problem+json")
            .Produces<ProblemDocument>(408, "application/problem+json")
            .Produces<ProblemDocument>(413, "application/problem+json")
            .Produces<ProblemDocument>(415, "application/problem+json")
            .Produces<ProblemDocument>(422, "application/problem+json")
            .Produces<ProblemDocument>(429, "application/problem+json")
            .Produces<ProblemDocument>(500, "application/problem+json")
            .Produces<ProblemDocument>(503, "application/problem+json")
            .Produces<ProblemDocument>(504, "application/problem+json");

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<IResult> ClassifyAsync(HttpContext context, UploadReader uploads, Classifier classifier, TimeProvider time)
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
            if (upload is null)
            {
                return new ProblemResult(uploadProblem!);
            }

            if (!admission.TryBeginWork(out problem))
            {
                return new ProblemResult(problem);
            }

            var (verdict, rejection) = await classifier.ClassifyAsync(upload.Bytes, query, received, context.TraceIdentifier, aborted);
            return verdict is null ? new ProblemResult(rejection!) : new VerdictResult(verdict);
        }
    }
}

/// <summary>Answers with a verdict. The framework's own result makes a logger for each answer, which costs more than writing it.</summary>
internal sealed class VerdictResult(Verdict verdict) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext) => JsonResponse.WriteAsync(httpContext.Response, verdict, WireJson.Default.Verdict);
}
