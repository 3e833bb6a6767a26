using SmileApi.Access;

namespace SmileApi.Operations;

/// <summary>
/// The page at <c>/</c>: plain files from the folder <c>wwwroot</c>, for everybody, keys or not; what the page asks of the service
/// goes through the doors like any other request. All its addresses are relative, so that it works below a proxy's path as well.
/// </summary>
internal static class Page
{
    /// <summary>
    /// Everything from here, nothing from elsewhere, nothing inline. Pictures and the camera's frames are blobs of the browser's own.
    /// </summary>
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void MapPage(this IEndpointRouteBuilder app)
    {
        var files = app.CreateApplicationBuilder();
        files.Use(async (context, next) =>
        {
            // The file middleware leaves requests alone for which an endpoint was found, even its own.
            context.SetEndpoint(null);
            var address = context.Request.Path;
            context.Request.Path = address == "/" ? "/index.html" : address;
            await next(context);
            context.Request.Path = address;
        });
        files.UseStaticFiles(new StaticFileOptions
        {
            OnPrepareResponse = file =>
            {
                var headers = file.Context.Response.Headers;
                headers.ContentSecurityPolicy = ContentSecurityPolicy;
                headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()";

                // Kept by browsers, but asked for by ETag each time: after an update nobody runs half of an old page.
                headers.CacheControl = "no-cache";
            },
        });
        var serve = files.Build();
        foreach (var address in new[] { "/", "/page/{**file}" })
        {
            app.MapMethods(address, [HttpMethods.Get, HttpMethods.Head], serve).ExcludeFromDescription().Open();
        }
    }
}
