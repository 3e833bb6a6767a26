using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Access;

/// <summary>
/// The doors: whose word on an address is taken, which browsers may read, who may ask, and how often. All are open unless configured.
/// They stand before every endpoint; one that needs neither key nor limit says <c>.Open()</c>.
/// </summary>
internal static class AccessExtensions
{
    public static void AddAccess(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<AccessOptions, ValidateAccessOptions>(AccessOptions.Section);
        builder.AddValidatedOptions<RateLimitOptions, ValidateRateLimitOptions>(RateLimitOptions.Section);
        builder.AddValidatedOptions<ManagementOptions, ValidateManagementOptions>(ManagementOptions.Section);
        builder.AddManagementPort();
        builder.Services.AddSingleton<ApiKeys>();
        builder.Services.AddSingleton(services => new CallerLimiter(
            services.GetRequiredService<IOptions<AccessOptions>>(),
            services.GetRequiredService<IOptions<RateLimitOptions>>(),
            services.GetRequiredService<TimeProvider>()));
        builder.Services.AddTransient<ApiKeyHandler>();
        builder.Services.AddAuthenticationCore(authentication => authentication.AddScheme<ApiKeyHandler>(ApiKeyHandler.Scheme, displayName: null));
        builder.Services.AddAuthorization();
        builder.Services.AddCors();
        builder.Services.AddRateLimiter(_ => { });
        builder.Services.AddOptions<AuthorizationOptions>().Configure<ApiKeys>((authorization, keys) => authorization.FallbackPolicy = keys.Any
            ? new AuthorizationPolicyBuilder(ApiKeyHandler.Scheme).RequireAuthenticatedUser().Build()
            : null);
        builder.Services.AddOptions<ForwardedHeadersOptions>().Configure<IOptions<AccessOptions>>((forwarded, access) => Believe(forwarded, access.Value.Proxies));
        builder.Services.AddOptions<CorsOptions>().Configure<IOptions<AccessOptions>>((cors, access) => Let(cors, access.Value.Origins));
        builder.Services.AddOptions<RateLimiterOptions>().Configure<CallerLimiter>((limiting, limiter) =>
        {
            limiting.GlobalLimiter = limiter.IsOn ? limiter : null;
            limiting.OnRejected = (rejected, _) => new ValueTask(RefuseAsync(rejected.HttpContext));
        });
    }

    /// <summary>
    /// Options are read when the first request comes or later: here they are not checked yet, and a wrong one would end the program
    /// with a stack trace. In this order: whoever tries keys that are none is slowed down as an address, and a browser's question
    /// costs nobody a request. A door that is not configured is not walked through: the framework's allocate for each
    /// request, open or not.
    /// </summary>
    public static void UseAccess(this WebApplication app)
    {
        // The framework puts these two in front by itself where it does not see that they have been used; it does not look into branches.
        var properties = ((IApplicationBuilder)app).Properties;
        properties["__AuthenticationMiddlewareSet"] = properties["__AuthorizationMiddlewareSet"] = true;

        var keys = new Lazy<bool>(() => app.Services.GetRequiredService<ApiKeys>().Any);
        var limits = new Lazy<bool>(() => app.Services.GetRequiredService<CallerLimiter>().IsOn);
        var proxies = new Lazy<bool>(() => app.Services.GetRequiredService<IOptions<AccessOptions>>().Value.Proxies.Count > 0);
        app.UseWhen(_ => proxies.Value, believing => believing.UseForwardedHeaders());
        app.UseSecurityHeaders();
        app.UseManagementPort();
        app.UseCors();
        app.UseWhen(_ => keys.Value, guarded => guarded.UseAuthentication());
        app.UseWhen(_ => limits.Value, limited =>
        {
            limited.UseRateLimitHeaders();
            limited.UseRateLimiter();
        });
        app.UseWhen(_ => keys.Value, guarded => guarded.UseAuthorization());
    }

    /// <summary>For everybody, as often as they like: probes, and the page that explains the rest.</summary>
    public static TBuilder Open<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder
        => endpoint.AllowAnonymous().DisableRateLimiting();

    private static void Let(CorsOptions cors, IList<string> origins)
    {
        if (origins.Count > 0)
        {
            cors.AddDefaultPolicy(policy => policy
                .WithOrigins([.. origins])
                .WithMethods("GET", "POST")
                .AllowAnyHeader()
                .WithExposedHeaders("X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy", "WWW-Authenticate"));
        }
    }

    private static void Believe(ForwardedHeadersOptions forwarded, IList<string> proxies)
    {
        // With nobody to believe, nothing: to the framework two empty lists would mean everybody.
        forwarded.ForwardedHeaders = proxies.Count > 0 ? ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto : ForwardedHeaders.None;

        // As far back as each word is that of a proxy we know. The framework's own list has the loopback addresses.
        forwarded.ForwardLimit = null;
        forwarded.KnownProxies.Clear();
        forwarded.KnownIPNetworks.Clear();
        foreach (var proxy in proxies)
        {
            if (IPAddress.TryParse(proxy, out var address))
            {
                forwarded.KnownProxies.Add(address);
            }
            else
            {
                forwarded.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(proxy));
            }
        }
    }

    private static void UseRateLimitHeaders(this IApplicationBuilder app) => app.Use((context, next) =>
    {
        // At the last moment: the exception handler clears the headers that were set before.
        context.Response.OnStarting(() =>
        {
            if (context.Features.Get<Quota>() is { } quota)
            {
                // draft-ietf-httpapi-ratelimit-headers-10
                context.Response.Headers["RateLimit-Policy"] = string.Create(CultureInfo.InvariantCulture, $"\"{quota.Policy}\";q={quota.Requests};w={quota.Window.TotalSeconds:0}");
                context.Response.Headers["RateLimit"] = string.Create(CultureInfo.InvariantCulture, $"\"{quota.Policy}\";r={quota.Remaining};t={Math.Ceiling(quota.FullAfter.TotalSeconds):0}");
            }

            return Task.CompletedTask;
        });
        return next(context);
    });

    private static Task RefuseAsync(HttpContext context)
    {
        var quota = context.Features.GetRequiredFeature<Quota>();
        var detail = string.Create(
            CultureInfo.InvariantCulture,
            $"This {quota.Policy} may send {quota.Requests} requests in {quota.Window.TotalSeconds:0} seconds. Wait as long as Retry-After says.");
        return Problems.WriteAsync(context, new Problem(ProblemKind.RateLimited, detail, quota.RetryAfter));
    }
}
