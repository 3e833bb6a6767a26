using System.Runtime.CompilerServices;
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
            .ProducesProblems(400, 401, 408, 413, 415, 422, 429, 500, 503, 504);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<IResult> ClassifyAsync(HttpContext context, UploadReader uploads, Classifier classifier, TimeProvider time)
    {
        var received = time.GetTimestamp();
        var (read, problem) = await PictureRequest.ReadAsync(context, uploads);
        if (read is not { } picture)
        {
            return new ProblemResult(problem!);
        }

        using (picture)
        {
            (var verdict, problem) = await classifier.ClassifyAsync(picture.Upload.Bytes, picture.Query, received, context.TraceIdentifier, context.RequestAborted);
            return verdict is null ? new ProblemResult(problem!) : new JsonAnswer<Verdict>(verdict, WireJson.Default.Verdict);
        }
    }
}
