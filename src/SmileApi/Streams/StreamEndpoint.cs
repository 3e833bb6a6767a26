using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Options;
using SmileApi.Admission;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Streams;

/// <summary><c>GET /stream</c>: a WebSocket over which the frames of a camera come in, and answers go out.</summary>
internal static class StreamEndpoint
{
    private const string Path = "/stream";

    /// <summary>The subprotocol: frames in, answers out. Browsers that offer any, as they do to send a key, want one to be chosen.</summary>
    private const string Subprotocol = "smileapi";

    /// <summary>
    /// Of answers on their way that the kernel keeps for a client that does not read them, in bytes; by itself it would keep megabytes,
    /// some thousand answers, each of them staler than the last.
    /// </summary>
    private const int SendBuffer = 16 << 10;

    public static void AddStreams(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<StreamOptions, ValidateStreamOptions>(StreamOptions.Section);
        builder.Services.AddSingleton<StreamClassifier>();
    }

    public static void UseStreams(this WebApplication app) =>
        app.UseWhen(context => context.Request.Path.StartsWithSegments(Path), streams => streams.UseWebSockets());

    public static void MapStreams(this IEndpointRouteBuilder app)
    {
        app.MapGet(Path, StreamAsync)
            .WithAdmissionOfStream()
            .WithTags("Classify")
            .WithSummary("The same for the frames of a camera, over a WebSocket")
            .WithDescription(
                "Opens a WebSocket. Each binary message to the service is a frame, a whole picture (JPEG, PNG or WebP). Each text message from it is the answer to one, "
                + "`{\"frame\": 17, \"skipped\": 2, \"status\": 200, \"result\": {…}, \"events\": […]}`: its number from 1 on, how many before it were passed over, "
                + "and a verdict as that of `/classify`, or `problem`, the problem document that the picture would have got by itself. "
                + "The newest frame wins: while one is judged, a newer one takes the place of the one that waits. Each face has an `id` that it keeps from frame to frame; "
                + "`events` tells whose smile has started or ended (`{\"type\": \"smile-started\", \"face\": 1, \"probability\": 0.97}`). "
                + "The service closes with 1000 when no frame comes, 1001 when it stops, 1003 after a text message, 1008 when a frame does not arrive in time. "
                + "A page sends its API key as a subprotocol: `new WebSocket(url, [\"smileapi\", \"smileapi.key.\" + key])`.")
            .Produces(101)
            .ProducesProblems(400, 401, 403, 426, 429, 503);

        // The same over HTTP/2 (RFC 8441).
        app.MapMethods(Path, [HttpMethods.Connect], StreamAsync).WithAdmissionOfStream().ExcludeFromDescription();
    }

    private static async Task<IResult> StreamAsync(HttpContext context, StreamClassifier streams, IOptions<CorsOptions> cors, IOptions<StreamOptions> options)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.Headers.Upgrade = "websocket";
            return new ProblemResult(new Problem(ProblemKind.UpgradeRequired, $"{Path} is for frames of a camera over a WebSocket (RFC 6455). A picture by itself goes to /classify."));
        }

        if (!MayOpen(context.Request, cors.Value))
        {
            return new ProblemResult(new Problem(
                ProblemKind.OriginNotAllowed, "A browser asks on behalf of a page of another origin, which is not among those whose pages may read the answers (Access:Origins)."));
        }

        if (!StreamQuery.TryRead(context.Request.Query, out var query, out var problem) || !streams.TryOpen(out var place, out problem))
        {
            return new ProblemResult(problem);
        }

        using (place)
        {
            LeaveSlowReadersToUs(context);
            var every = TimeSpan.FromSeconds(options.Value.KeepAliveSeconds);
            using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext
            {
                SubProtocol = context.WebSockets.WebSocketRequestedProtocols.Contains(Subprotocol) ? Subprotocol : null,
                KeepAliveInterval = every,
                KeepAliveTimeout = every,
            });
            Problems.SetOutcome(context, await streams.RunAsync(context, socket, query, context.RequestAborted));
            return Results.Empty;
        }
    }

    /// <summary>
    /// Browsers ask nobody whether a page may open a WebSocket, and leave it to the service: pages of our own host may, and those that
    /// may read other answers, too. Who is no browser names no origin, and has nothing to fear from pages.
    /// </summary>
    private static bool MayOpen(HttpRequest request, CorsOptions cors)
    {
        var origin = request.Headers.Origin.ToString();
        if (origin.Length == 0)
        {
            return true;
        }

        // Without the scheme: a proxy that ends TLS may not tell us of it.
        var isOwn = Uri.TryCreate(origin, UriKind.Absolute, out var page) && page.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase);
        return isOwn || (cors.GetPolicy(cors.DefaultPolicyName) is { } policy && (policy.AllowAnyOrigin || policy.IsOriginAllowed(origin)));
    }

    /// <summary>The server cuts off who reads slower than 240 bytes a second; a client may pause for longer than that allows.</summary>
    private static void LeaveSlowReadersToUs(HttpContext context)
    {
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } pace)
        {
            pace.MinDataRate = null;
        }

        // Of HTTP/2 the socket is that of several requests, whose windows are small anyway.
        if (!HttpProtocol.IsHttp2(context.Request.Protocol) && context.Features.Get<IConnectionSocketFeature>() is { } connection)
        {
            connection.Socket.SendBufferSize = SendBuffer;
        }
    }
}
