using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using Polly;

namespace SmileApi.Client;

/// <summary>Adds <see cref="SmileClient"/> to an application.</summary>
public static class SmileClientExtensions
{
    private static readonly TimeSpan s_firstDelay = TimeSpan.FromSeconds(0.5);

    /// <summary>Adds a <see cref="SmileClient"/> over a client of <c>IHttpClientFactory</c>, which sends again what was turned away or did not come through.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Where the service is and how it is asked.</param>
    /// <returns>The builder of the HTTP client, for handlers of your own.</returns>
    public static IHttpClientBuilder AddSmileClient(this IServiceCollection services, Action<SmileClientOptions>? configure = null)
    {
        services.AddOptions<SmileClientOptions>().Configure(configure ?? (_ => { }));
        services.AddSingleton<IValidateOptions<SmileClientOptions>, ValidateSmileClientOptions>();
        var builder = services.AddHttpClient<SmileClient>((provider, http) =>
        {
            var options = provider.GetRequiredService<IOptions<SmileClientOptions>>().Value;
            (http.BaseAddress, http.Timeout) = (options.Address, options.Timeout);
            if (options.ApiKey is { Length: > 0 } key)
            {
                http.DefaultRequestHeaders.Add("X-API-Key", key);
            }
        });
        builder.AddResilienceHandler("smileapi", (pipeline, context) =>
        {
            var options = context.ServiceProvider.GetRequiredService<IOptions<SmileClientOptions>>().Value;
            pipeline.TimeProvider = context.ServiceProvider.GetService<TimeProvider>() ?? TimeProvider.System;
            if (options.Retries > 0)
            {
                pipeline.AddRetry(new HttpRetryStrategyOptions
                {
                    MaxRetryAttempts = options.Retries,
                    Delay = s_firstDelay,
                    BackoffType = DelayBackoffType.Exponential,
                    UseJitter = true,
                    ShouldHandle = tried => ValueTask.FromResult(MayHelp(tried.Outcome) && IsRepeatable(tried.Context.GetRequestMessage())),
                });
            }
        });
        builder.AddHttpMessageHandler(() => new WholeAnswers()); // Within: an answer that breaks off is asked for again as well.
        return builder;
    }

    /// <summary>Whether the same request may be answered another time. A judgement changes nothing, so that asking twice does no harm.</summary>
    private static bool MayHelp(Outcome<HttpResponseMessage> outcome) => outcome.Exception is HttpRequestException
        || outcome.Result?.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable;

    private static bool IsRepeatable(HttpRequestMessage? request) => request?.Content is not StreamContentOnce;
}

/// <summary>Hands on an answer when all of it is there.</summary>
internal sealed class WholeAnswers : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.SwitchingProtocols)
        {
            return response; // A stream, and no answer.
        }

        try
        {
            await response.Content.LoadIntoBufferAsync(cancellationToken).ConfigureAwait(false);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }
}
