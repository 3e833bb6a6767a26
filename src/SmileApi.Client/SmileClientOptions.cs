using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SmileApi.Client;

/// <summary>Where the service is and how it is asked.</summary>
public sealed class SmileClientOptions
{
    /// <summary>Where the service is. Default: <c>http://localhost:8080</c>.</summary>
    [Required]
    public Uri Address { get; set; } = new("http://localhost:8080");

    /// <summary>The API key, if the service wants one.</summary>
    public string? ApiKey { get; set; }

    /// <summary>
    /// How often a request is sent again that was turned away (429, 502, 503) or did not come through. It waits as long as
    /// <c>Retry-After</c> says, else half a second and longer from time to time. Range 0 to 100, default 5.
    /// </summary>
    [Range(0, 100)]
    public int Retries { get; set; } = 5;

    /// <summary>How long a call may take, all tries of its request included. Default 5 minutes. For many pictures it is the time of 16 of them.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(5);
}

[OptionsValidator]
internal sealed partial class ValidateSmileClientOptions : IValidateOptions<SmileClientOptions>;
