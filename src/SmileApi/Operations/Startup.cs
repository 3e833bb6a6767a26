using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;
using SmileApi.Admission;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Models;

namespace SmileApi.Operations;

/// <summary>The service cannot start; the message is the one line that its operator reads.</summary>
internal sealed class StartRefusedException(string message, int exitCode = 1) : Exception(message)
{
    public int ExitCode => exitCode;
}

/// <summary>Starting well or not at all: the default address, checked options, and reasons without stack traces.</summary>
internal static class Startup
{
    /// <summary>Exit code of a service that stops by itself because only a new start can help (EX_SOFTWARE of sysexits.h).</summary>
    private const int StartAnew = 70;

    private const string DefaultAddress = "http://localhost:8080";

    /// <summary>
    /// Listens on <c>http://localhost:8080</c> unless told otherwise. Only then is the address set in code, because one that is
    /// set beats <c>--urls</c> and every environment variable.
    /// </summary>
    public static void AddListening(this WebApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        string[] addresses = ["urls", "http_ports", "https_ports"];
        if (Array.TrueForAll(addresses, key => string.IsNullOrEmpty(configuration[key])) && !configuration.GetSection("Kestrel:Endpoints").GetChildren().Any())
        {
            builder.WebHost.UseUrls(DefaultAddress);
        }

        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.Services.AddSingleton<ReceiveMemory>();
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>>(services => services.GetRequiredService<ReceiveMemory>());
    }

    /// <summary>Binds a section, refuses names it does not know, and checks the ranges before the service starts.</summary>
    public static void AddValidatedOptions<TOptions, TValidator>(this WebApplicationBuilder builder, string section)
        where TOptions : class
        where TValidator : class, IValidateOptions<TOptions>
    {
        builder.Services.AddOptions<TOptions>()
            .BindConfiguration(section, binder => binder.ErrorOnUnknownConfiguration = true)
            .ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<TOptions>, TValidator>();
    }

    /// <summary>Runs until stopped; exit code 70 when it has stopped by itself, to be started anew. What prevents the start goes to stderr, a line each, with exit code 1, or 69 when it is a GPU that cannot be used.</summary>
    public static async Task<int> RunOrExplainAsync(this WebApplication app)
    {
        var stopping = app.Lifetime.ApplicationStopping;
        try
        {
            await using (app)
            {
                app.Services.GetService<IStartupValidator>()?.Validate();
                app.SettleInference();
                app.SettleAdmission();
                app.Services.GetRequiredService<ModelStore>();
                var watchdog = app.Services.GetRequiredService<DecodeWatchdog>();
                app.Services.GetRequiredService<AdmissionGate>(); // Its gauges are there before the first request.
                await app.RunAsync();
                return watchdog.IsSpent ? StartAnew : 0;
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return 0; // Asked to stop before it had begun to listen.
        }
        catch (StartRefusedException e)
        {
            Explain(e.Message);
            return e.ExitCode;
        }
        catch (OptionsValidationException e)
        {
            return Explain([.. e.Failures]);
        }
        catch (AggregateException e) when (e.InnerExceptions.All(inner => inner is OptionsValidationException))
        {
            return Explain([.. e.InnerExceptions.Cast<OptionsValidationException>().SelectMany(inner => inner.Failures)]);
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or SocketException or FormatException)
        {
            // A setting of the wrong type, an address that is taken, not ours, or none: the framework's messages say which, of what
            // stands in a list one further in.
            return Explain(e is InvalidOperationException { InnerException: InvalidOperationException inner } ? inner.Message : e.Message);
        }
    }

    private static int Explain(params string[] reasons)
    {
        Console.Error.WriteLine("SmileApi did not start:");
        Array.ForEach(reasons, reason => Console.Error.WriteLine($"  {reason.ReplaceLineEndings(" ")}"));
        return 1;
    }
}
