using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Options;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Admission;

internal static class AdmissionExtensions
{
    /// <summary>A sender of headers may take so long; they are a few hundred bytes.</summary>
    private static readonly TimeSpan s_headers = TimeSpan.FromSeconds(10);

    public static void AddAdmission(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<RequestOptions, ValidateRequestOptions>(RequestOptions.Section);
        builder.AddValidatedOptions<MemoryOptions, ValidateMemoryOptions>(MemoryOptions.Section);
        builder.Services.AddSingleton<MemoryBudget>();
        builder.Services.AddSingleton<AdmissionGate>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBufferSize = MemoryBudget.ServerBuffer;
            kestrel.Limits.RequestHeadersTimeout = s_headers;
        });
    }

    /// <summary>Divides the memory before the server listens, and not while it is made: there nobody explains why that cannot be done.</summary>
    /// <exception cref="StartRefusedException">The limits do not fit under the ceiling.</exception>
    public static void SettleAdmission(this WebApplication app)
    {
        var memory = app.Services.GetRequiredService<MemoryBudget>();
        memory.TellCollector();
        app.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits.MaxConcurrentConnections = memory.MaxConnections;
    }

    /// <summary>
    /// Lets a request in only where there is room, before its body is read, and ends its work when its deadline has passed. The
    /// handler finds its <see cref="AdmissionGate.Admission"/> among the features, and the end of its time in
    /// <see cref="HttpContext.RequestAborted"/>, beside the end of its caller.
    /// </summary>
    public static TBuilder WithAdmission<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.AddEndpointFilter<TBuilder, AdmissionFilter>();

    /// <summary>
    /// The same for a stream of pictures, which may take as long as it likes while something moves: its handler finds the time that
    /// each of its pictures has in a <see cref="PictureDeadline"/> among the features.
    /// </summary>
    public static TBuilder WithAdmissionOfStream<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(new IsStream()).WithAdmission();
}

/// <summary>Marks an endpoint whose deadline is each picture's.</summary>
internal sealed class IsStream;

/// <summary>The time that a picture of a stream has, from its first byte to its answer.</summary>
internal sealed record PictureDeadline(TimeSpan Time);

/// <summary>See <see cref="AdmissionExtensions.WithAdmission"/>.</summary>
internal sealed class AdmissionFilter(AdmissionGate gate, IOptions<RequestOptions> options, TimeProvider time) : IEndpointFilter
{
    public const string TimeoutHeader = "X-Request-Timeout";

    /// <summary>A sender slower than this for its first seconds is not going to be one of a picture.</summary>
    private const double LeastBytesPerSecond = 1 << 10;
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(5);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (!TryReadDeadline(http.Request, out var deadline))
        {
            return new ProblemResult(new Problem(
                ProblemKind.InvalidParameter, $"The header {TimeoutHeader} must be one number of seconds above 0, such as 2.5."));
        }

        // Of a stream nothing is held but what the server has received of it; each of its pictures is let in by itself.
        var isStream = http.GetEndpoint()?.Metadata.GetMetadata<IsStream>() is not null;
        if (!gate.TryEnter(isStream ? null : http.Request.ContentLength, out var admission, out var problem))
        {
            return new ProblemResult(problem);
        }

        using (admission)
        {
            http.Features.Set(admission);
            http.Features.Set(new PictureDeadline(deadline));
            DemandPace(http, deadline, isStream);
            var gone = http.RequestAborted;
            using var either = new CancellationTokenSource(isStream ? Timeout.InfiniteTimeSpan : deadline, time);
            using var leaving = gone.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), either);
            http.RequestAborted = either.Token;
            try
            {
                return await next(context);
            }
            catch (Exception e) when (IsEndOfCaller(e, gone))
            {
                return new CallerGoneResult();
            }
            catch (OperationCanceledException) when (either.IsCancellationRequested)
            {
                return new ProblemResult(new Problem(
                    ProblemKind.DeadlineExceeded,
                    string.Create(CultureInfo.InvariantCulture, $"The request was not answered within {deadline.TotalSeconds:0.###} seconds, its upload included. Try again later, or give it more time.")));
            }
            finally
            {
                http.RequestAborted = gone; // The answer to a late request is not late itself.
            }
        }
    }

    /// <summary>A reader of the body may hear of a broken connection before the token does.</summary>
    private static bool IsEndOfCaller(Exception e, CancellationToken gone) =>
        e is ConnectionResetException or ConnectionAbortedException || (e is OperationCanceledException or IOException && gone.IsCancellationRequested);

    /// <summary>The configured deadline, or a shorter one that the caller asks for.</summary>
    /// <returns>False when the caller's is no number of seconds.</returns>
    private bool TryReadDeadline(HttpRequest request, out TimeSpan deadline)
    {
        deadline = TimeSpan.FromSeconds(options.Value.DeadlineSeconds);
        var header = request.Headers[TimeoutHeader];
        if (header.Count == 0)
        {
            return true;
        }

        if (header is not [var text]
            || !double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) || !(seconds > 0))
        {
            return false;
        }

        // Less than a timer's tick is over at once, as it should be.
        deadline = seconds < deadline.TotalSeconds ? TimeSpan.FromSeconds(Math.Max(seconds, 0.001)) : deadline;
        return true;
    }

    /// <summary>
    /// An upload must come at half the pace at least that would bring it in time, from its fifth second on. Memory has been set
    /// aside for all of it: senders who announce much and send little would otherwise keep it from others until their deadline.
    /// </summary>
    private static void DemandPace(HttpContext http, TimeSpan deadline, bool isStream)
    {
        // With HTTP/2 the pace is the connection's, and cannot be set for one request of several.
        if (!HttpProtocol.IsHttp2(http.Request.Protocol) && http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } pace)
        {
            // A stream's sender may have nothing to say for a while; its handler has a clock for each picture.
            var needed = (http.Request.ContentLength ?? 0) / deadline.TotalSeconds / 2;
            pace.MinDataRate = isStream ? null : new MinDataRate(Math.Max(LeastBytesPerSecond, needed), s_grace);
        }
    }
}

/// <summary>Nobody hears this answer; it is noted in the log as 499, as other servers do, and is no error.</summary>
internal sealed class CallerGoneResult : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        Problems.SetOutcome(httpContext, "caller-gone");
        if (httpContext.Response.HasStarted)
        {
            httpContext.Abort(); // In the middle of an answer, which must not look as if it had ended.
            return Task.CompletedTask;
        }

        httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        if (httpContext.Features.Get<IStatusCodePagesFeature>() is { } pages)
        {
            pages.Enabled = false;
        }

        return Task.CompletedTask;
    }
}
