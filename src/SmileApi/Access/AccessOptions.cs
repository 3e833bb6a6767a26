using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;

namespace SmileApi.Access;

/// <summary>Section <c>Access</c>: who may ask, and whose word on the caller's address is taken.</summary>
internal sealed class AccessOptions : IValidatableObject
{
    public const string Section = "Access";

    /// <summary>API keys. With none (the default) everybody may ask; with one or more, whoever has no valid key gets 401.</summary>
    [ValidateEnumeratedItems]
    public IList<ApiKeyOptions> Keys { get; set; } = [];

    /// <summary>Whether <c>/metrics</c> needs no key although there are keys. Default false. On a management port it never needs one.</summary>
    public bool OpenMetrics { get; set; }

    /// <summary>
    /// Addresses (<c>10.0.0.7</c>) and networks (<c>10.0.0.0/8</c>) of the proxies in front, whose <c>X-Forwarded-For</c> and
    /// <c>X-Forwarded-Proto</c> are believed. Default none: these headers are ignored.
    /// </summary>
    public IList<string> Proxies { get; set; } = [];

    /// <summary>
    /// Origins (<c>https://app.example</c>) whose pages a browser lets read the answers; <c>*</c> for all. Default none: CORS is off.
    /// </summary>
    public IList<string> Origins { get; set; } = [];

    /// <summary>What no range can say: names that differ, addresses and origins that are some.</summary>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var twice in Keys.GroupBy(key => key.Name, StringComparer.Ordinal).Where(group => group.Count() > 1))
        {
            yield return new ValidationResult($"Two of Access:Keys are called '{twice.Key}'.", [nameof(Keys)]);
        }

        foreach (var proxy in Proxies.Where(proxy => !IPAddress.TryParse(proxy, out _) && !IPNetwork.TryParse(proxy, out _)))
        {
            yield return new ValidationResult($"'{proxy}' of Access:Proxies is neither an address nor a network such as 10.0.0.0/8.", [nameof(Proxies)]);
        }

        foreach (var origin in Origins.Where(origin => !IsOrigin(origin)))
        {
            yield return new ValidationResult($"'{origin}' of Access:Origins is neither * nor an origin such as https://app.example, without a path.", [nameof(Origins)]);
        }
    }

    private static bool IsOrigin(string text) =>
        text == "*" || (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.GetLeftPart(UriPartial.Authority) == text);
}

/// <summary>One API key. The key itself is nowhere in the configuration, only its hash.</summary>
internal sealed class ApiKeyOptions
{
    /// <summary>Whose key it is; stands in the log and counts the key's requests. Letters, digits, dots, hyphens and underscores, at most 64.</summary>
    [Required]
    [RegularExpression("[A-Za-z0-9._-]{1,64}")]
    public string Name { get; set; } = "";

    /// <summary>
    /// SHA-256 of the key's bytes (UTF-8), 64 hexadecimal digits. No slow hash is needed for a key of 32 random bytes: there is
    /// nothing to guess.
    /// </summary>
    [Required]
    [RegularExpression("[0-9A-Fa-f]{64}")]
    public string Sha256 { get; set; } = "";

    /// <summary>This key's own <see cref="RateLimitOptions.Requests"/>; 0 is without limit. Default: the one of section <c>RateLimit</c>. Range 0 to 1,000,000.</summary>
    [Range(0, 1_000_000)]
    public int? Requests { get; set; }

    /// <summary>This key's own <see cref="RateLimitOptions.WindowSeconds"/>. Default: the one of section <c>RateLimit</c>. Range 1 to 86,400.</summary>
    [Range(1, 86_400)]
    public int? WindowSeconds { get; set; }
}

/// <summary>Section <c>RateLimit</c>: how often one caller may ask. A caller is an API key, or where there is none an address.</summary>
internal sealed class RateLimitOptions
{
    public const string Section = "RateLimit";

    /// <summary>
    /// Requests that a caller may send at once, and within a window in the long run; 0 (the default) is without limit. Range 0 to 1,000,000.
    /// </summary>
    [Range(0, 1_000_000)]
    public int Requests { get; set; }

    /// <summary>In how many seconds a caller who has used up all requests gets them all back, one by one. Range 1 to 86,400, default 60.</summary>
    [Range(1, 86_400)]
    public int WindowSeconds { get; set; } = 60;
}

/// <summary>Section <c>Management</c>: a port of its own for what is the operator's.</summary>
internal sealed class ManagementOptions
{
    public const string Section = "Management";

    /// <summary>
    /// The port where <c>/metrics</c> and everything below <c>/admin</c> are, and no longer elsewhere. Default none: they are where the
    /// rest is. Range 1 to 65535.
    /// </summary>
    [Range(1, 65_535)]
    public int? Port { get; set; }

    /// <summary>
    /// Address on which the port is opened: <c>localhost</c>, an address, or <c>*</c> (the default) for all of this machine's. Of no
    /// effect when Kestrel has an endpoint called <c>Management</c>.
    /// </summary>
    [Required]
    public string Address { get; set; } = "*";
}

[OptionsValidator]
internal sealed partial class ValidateAccessOptions : IValidateOptions<AccessOptions>;

[OptionsValidator]
internal sealed partial class ValidateRateLimitOptions : IValidateOptions<RateLimitOptions>;

[OptionsValidator]
internal sealed partial class ValidateManagementOptions : IValidateOptions<ManagementOptions>;
