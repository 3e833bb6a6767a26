using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;
using SmileApi.Admission;

namespace SmileApi.Classify;

/// <summary>A request for one picture that has arrived as a whole, and whose work may begin; dispose it after the last use of the picture.</summary>
/// <param name="Query">What is wanted of the picture.</param>
/// <param name="Upload">The picture; owned by the request.</param>
internal readonly record struct PictureRequest(ClassifyQuery Query, Upload Upload) : IDisposable
{
    /// <returns>The request, or the problem with it.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<(PictureRequest? Request, Problem? Problem)> ReadAsync(HttpContext context, UploadReader uploads)
    {
        if (!ClassifyQuery.TryRead(context.Request, out var query, out var problem))
        {
            return (null, problem);
        }

        var admission = context.Features.GetRequiredFeature<AdmissionGate.Admission>();
        (var upload, problem) = await uploads.ReadAsync(context.Request, admission, context.RequestAborted);
        if (upload is null)
        {
            return (null, problem);
        }

        if (!admission.TryBeginWork(out problem))
        {
            ((IDisposable)upload).Dispose();
            return (null, problem);
        }

        return (new PictureRequest(query, upload), null);
    }

    public void Dispose() => ((IDisposable)Upload).Dispose();
}
