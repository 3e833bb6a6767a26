namespace SmileApi.Access;

/// <summary>What browsers must not do with the answers. An endpoint that sets one of these headers itself keeps its own.</summary>
internal static class SecurityHeaders
{
    /// <summary>Answers that are no pages: nothing may come of them.</summary>
    private const string NoPage = "default-src 'none'; frame-ancestors 'none'";

    /// <summary>
    /// Swagger UI: everything from here, nothing from elsewhere, no inline script. It makes style elements and pictures from data as it goes.
    /// </summary>
    private const string SwaggerPage =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void UseSecurityHeaders(this WebApplication app) => app.Use((context, next) =>
    {
        // At the last moment: the exception handler clears the headers that were set before.
        context.Response.OnStarting(
            static state =>
            {
                var context = (HttpContext)state;
                var headers = context.Response.Headers;
                headers.TryAdd("X-Content-Type-Options", "nosniff");
                headers.TryAdd("Referrer-Policy", "no-referrer");
                headers.TryAdd("Content-Security-Policy", context.Request.Path.StartsWithSegments("/swagger") ? SwaggerPage : NoPage);
                return Task.CompletedTask;
            },
            context);
        return next(context);
    });
}
