using System.Globalization;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Serilog;
using SmileApi.Batching;
using SmileApi.Classify;

namespace SmileApi.Operations;

/// <summary>Answers with a problem document.</summary>
internal sealed class ProblemResult(Problem problem) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext) => Problems.WriteAsync(httpContext, problem);
}

/// <summary>Every error of the service, the framework's own included, leaves as an RFC 9457 problem document through here.</summary>
internal static class Problems
{
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_late = TimeSpan.FromSeconds(30);

    public static void UseProblems(this WebApplication app)
    {
        app.Use((context, next) =>
        {
            // At the last moment: the exception handler clears the headers that were set before.
            context.Response.OnStarting(
                static state =>
                {
                    var context = (HttpContext)state;
                    context.Response.Headers["X-Request-Id"] = context.TraceIdentifier;
                    return Task.CompletedTask;
                },
                context);
            SetOutcome(context, "ok");
            return next(context);
        });
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            ExceptionHandler = context => WriteAsync(context, ProblemOf(context.Features.GetRequiredFeature<IExceptionHandlerFeature>().Error)),
            // A client's broken request is no event for the error log.
            SuppressDiagnosticsCallback = failure => failure.Exception is BadHttpRequestException,
        });
        app.UseStatusCodePages(pages => WriteAsync(pages.HttpContext, ProblemOf(pages.HttpContext)));
    }

    /// <summary>Declares for the API's description that these statuses come as problem documents.</summary>
    public static RouteHandlerBuilder ProducesProblems(this RouteHandlerBuilder endpoint, params ReadOnlySpan<int> statuses)
    {
        foreach (var status in statuses)
        {
            endpoint.Produces<ProblemDocument>(status, "application/problem+json");
        }

        return endpoint;
    }

    public static Task WriteAsync(HttpContext context, Problem problem)
    {
        var response = context.Response;
        context.RequestServices.GetRequiredService<SmileMetrics>().Rejected(problem.Kind);
        SetOutcome(context, problem.Kind.Name);

        response.StatusCode = problem.Kind.Status;
        if (problem.RetryAfter is { } retryAfter)
        {
            response.Headers.RetryAfter = RetryAfterSeconds(problem.Kind, retryAfter).ToString(CultureInfo.InvariantCulture);
        }

        if (problem.Kind == ProblemKind.UploadTooLarge)
        {
            // What is still on its way is not worth a connection. Kestrel sends the answer first and then takes in the rest
            // for up to five seconds; to hang up on a sender at once would reset the connection and lose the answer.
            response.Headers.Connection = "close";
        }

        return JsonResponse.WriteAsync(response, ProblemDocument.Of(problem, context.TraceIdentifier), WireJson.Default.ProblemDocument, "application/problem+json");
    }

    /// <summary>An estimate of ours is worth a minute at most; a rate limit is kept to the second.</summary>
    public static double RetryAfterSeconds(ProblemKind kind, TimeSpan retryAfter) =>
        Math.Clamp(Math.Ceiling(retryAfter.TotalSeconds), 1, kind == ProblemKind.RateLimited ? double.MaxValue : 60);

    /// <summary>The last word of the request's line in the log.</summary>
    public static void SetOutcome(HttpContext context, string outcome) =>
        context.RequestServices.GetRequiredService<IDiagnosticContext>().Set("Outcome", outcome);

    /// <summary>What a caller is told of an exception.</summary>
    public static Problem ProblemOf(Exception exception) => exception switch
    {
        BadHttpRequestException { StatusCode: 408 } => new(ProblemKind.RequestTimeout, "The request's body arrived too slowly. Try again on a better connection."),
        BadHttpRequestException { StatusCode: 413 } => new(ProblemKind.UploadTooLarge, "The request's body is too large."),
        BadHttpRequestException bad => new(ProblemKind.MalformedRequest, $"The request is not valid HTTP: {bad.Message}"),
        InferenceFailedException { Kind: InferenceFailure.Hung } => new(
            ProblemKind.InferenceTimeout, "The picture was read, but the network did not come to an end with it, or with another that shared its run. Try again.", s_soon),
        InferenceFailedException { Kind: InferenceFailure.NoRunner } => new(
            ProblemKind.NotReady, "The networks do not answer any more; the service must be started anew. Send requests elsewhere.", s_late),
        InferenceFailedException => new(ProblemKind.InferenceFailed, "The picture was read, but the network failed on it. Try again; if it stays so, report the requestId."),
        _ => new(ProblemKind.InternalError, "This is our fault, not your picture's. Try again; if it stays so, report the requestId."),
    };

    private static Problem ProblemOf(HttpContext context)
    {
        var (request, status) = (context.Request, context.Response.StatusCode);
        return status switch
        {
            404 => new(ProblemKind.NotFound, $"There is no {request.Path}. The API is described at /swagger."),
            405 => new(ProblemKind.MethodNotAllowed, $"{request.Path} does not answer {request.Method}; it answers {context.Response.Headers.Allow}."),
            _ => new(new ProblemKind("http-error", status, $"{ReasonPhrases.GetReasonPhrase(status)}."), "The request was refused. The API is described at /swagger."),
        };
    }
}
