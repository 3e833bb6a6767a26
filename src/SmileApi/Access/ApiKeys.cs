using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Access;

/// <summary>The configured API keys, by their hashes.</summary>
internal sealed class ApiKeys(IOptions<AccessOptions> options)
{
    private readonly (string Name, byte[] Hash)[] _keys =
        [.. options.Value.Keys.Select(key => (key.Name, Convert.FromHexString(key.Sha256)))];

    /// <summary>Whether there are any; without, everybody may ask.</summary>
    public bool Any => _keys.Length > 0;

    /// <summary>Whose key this is, or null. Takes the same time whichever it is, and however much of it is right.</summary>
    public string? NameOf(string key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), hash);
        string? name = null;
        foreach (var (candidate, expected) in _keys)
        {
            // No early end: the time must not tell which key it was.
            name = CryptographicOperations.FixedTimeEquals(hash, expected) ? candidate : name;
        }

        return name;
    }
}

/// <summary>
/// Tells who asks by the header <c>X-API-Key</c> or <c>Authorization: Bearer</c>, or of a WebSocket by a subprotocol, the one header
/// that a page can set there; the user's name is the key's. Written against the
/// bare interface, because the framework's base class comes with keys for cookies, which it stores in the home folder.
/// </summary>
internal sealed class ApiKeyHandler(ApiKeys keys) : IAuthenticationHandler
{
    public const string Scheme = "ApiKey";
    public const string Header = "X-API-Key";

    /// <summary>What goes before the key in the name of a subprotocol.</summary>
    public const string Subprotocol = "smileapi.key.";

    private const string Bearer = "Bearer ";

    private HttpContext _context = null!;

    public Task InitializeAsync(AuthenticationScheme scheme, HttpContext context)
    {
        _context = context;
        return Task.CompletedTask;
    }

    public Task<AuthenticateResult> AuthenticateAsync()
    {
        if (!keys.Any || Presented() is not { } key)
        {
            return Task.FromResult(AuthenticateResult.NoResult());
        }

        if (keys.NameOf(key) is not { } name)
        {
            return Task.FromResult(AuthenticateResult.Fail("No such API key."));
        }

        var user = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, name)], Scheme));
        return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(user, Scheme)));
    }

    public Task ChallengeAsync(AuthenticationProperties? properties)
    {
        var wrong = Presented() is not null;
        _context.Response.Headers.WWWAuthenticate = wrong ? "Bearer realm=\"SmileApi\", error=\"invalid_token\"" : "Bearer realm=\"SmileApi\"";
        return Problems.WriteAsync(_context, new Problem(
            ProblemKind.Unauthorized,
            $"{(wrong ? "There is no such API key." : "This service wants an API key.")} Send yours in the header {Header}, or as Authorization: Bearer."));
    }

    /// <summary>Nothing here is forbidden to anybody who has a key.</summary>
    public Task ForbidAsync(AuthenticationProperties? properties) => ChallengeAsync(properties);

    private string? Presented()
    {
        var headers = _context.Request.Headers;
        var key = headers[Header].ToString();
        if (key.Length > 0)
        {
            return key;
        }

        var authorization = headers.Authorization.ToString();
        return authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)
            ? authorization[Bearer.Length..].Trim()
            : Array.Find(headers.GetCommaSeparatedValues(HeaderNames.SecWebSocketProtocol), name => name.StartsWith(Subprotocol, StringComparison.Ordinal))?[Subprotocol.Length..];
    }
}
