using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;

namespace SmileApi.Access;

/// <summary>What a caller may do now: the content of the headers <c>RateLimit-Policy</c> and <c>RateLimit</c>.</summary>
/// <param name="Policy">By what the caller is told from others: <c>key</c> or <c>address</c>.</param>
/// <param name="Requests">How many at once.</param>
/// <param name="Window">In what time they all come back.</param>
/// <param name="Remaining">How many now.</param>
/// <param name="FullAfter">When all of them are back.</param>
/// <param name="RetryAfter">When the next one is back, if there is none now.</param>
internal sealed record Quota(string Policy, int Requests, TimeSpan Window, int Remaining, TimeSpan FullAfter, TimeSpan? RetryAfter);

/// <summary>
/// Says of each request whether its caller has asked too often. A caller is an API key, or an address where there is no key; an
/// IPv6 network of 64 bits is one caller, since whoever has one address there has them all. Requests come back one by one, evenly
/// over the window (the generic cell rate algorithm), so that one number a caller is all there is to remember. The number of callers
/// remembered is bounded: beyond, those who have been silent longest are forgotten. See <c>docs/decisions/0012-own-rate-limiter.md</c>.
/// </summary>
internal sealed class CallerLimiter(
    IOptions<AccessOptions> access, IOptions<RateLimitOptions> limit, TimeProvider time, int mostCallers = CallerLimiter.DefaultMostCallers)
    : PartitionedRateLimiter<HttpContext>
{
    /// <summary>Some 100 bytes each.</summary>
    private const int DefaultMostCallers = 100_000;

    private readonly Dictionary<string, ApiKeyOptions> _keys = access.Value.Keys.ToDictionary(key => key.Name, StringComparer.Ordinal);
    private readonly Lock _lock = new();

    // When each caller will have all requests back. Two generations: when the young one has half of the callers, it becomes the old
    // one, and who was only in the old one is forgotten. That is bounded, and costs no clock and no list.
    private Dictionary<Caller, long> _young = [];
    private Dictionary<Caller, long> _old = [];

    /// <summary>Whether anybody is limited.</summary>
    public bool IsOn => limit.Value.Requests > 0 || _keys.Values.Any(key => key.Requests > 0);

    /// <summary>How many callers are remembered.</summary>
    public int Callers
    {
        get
        {
            lock (_lock)
            {
                return _young.Count + _old.Count;
            }
        }
    }

    public override RateLimiterStatistics? GetStatistics(HttpContext resource) => null;

    protected override RateLimitLease AttemptAcquireCore(HttpContext resource, int permitCount)
    {
        var name = resource.User.Identity?.Name;
        var key = name is null ? null : _keys.GetValueOrDefault(name);
        var requests = key?.Requests ?? limit.Value.Requests;
        if (requests == 0)
        {
            return new Lease(null);
        }

        var window = TimeSpan.FromSeconds(key?.WindowSeconds ?? limit.Value.WindowSeconds);
        var caller = key is null ? new Caller(null, NetworkOf(resource.Connection.RemoteIpAddress)) : new Caller(name, default);
        var quota = Take(caller, requests, window, permitCount);
        resource.Features.Set(quota);
        return new Lease(quota.RetryAfter);
    }

    /// <summary>Nobody waits for a turn: the answer is the same, and no request is counted twice, because refused ones are not counted.</summary>
    protected override ValueTask<RateLimitLease> AcquireAsyncCore(HttpContext context, int permitCount, CancellationToken cancellationToken) =>
        ValueTask.FromResult(AttemptAcquireCore(context, permitCount));

    private Quota Take(Caller caller, int requests, TimeSpan window, int count)
    {
        var one = time.TimestampFrequency * window.TotalSeconds / requests;
        var all = (long)(one * requests);
        var cost = (long)(one * count);
        lock (_lock)
        {
            var now = time.GetTimestamp();
            var debt = Math.Max(0, Recall(caller) - now);
            var over = debt + cost - all;
            debt += over <= 0 ? cost : 0;
            Remember(caller, now + debt);
            return new Quota(
                caller.Key is null ? "address" : "key", requests, window,
                Remaining: (int)((all - debt) / one),
                FullAfter: Duration(debt),
                RetryAfter: over > 0 ? Duration(over) : null);
        }
    }

    private long Recall(Caller caller) => _young.TryGetValue(caller, out var full) || _old.TryGetValue(caller, out full) ? full : long.MinValue / 2;

    private void Remember(Caller caller, long full)
    {
        _young[caller] = full;
        _old.Remove(caller);
        if (_young.Count >= mostCallers / 2)
        {
            (_old, _young) = (_young, []);
        }
    }

    private TimeSpan Duration(long timestamps) => TimeSpan.FromSeconds((double)timestamps / time.TimestampFrequency);

    private static UInt128 NetworkOf(IPAddress? address)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        if (address is { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false })
        {
            address.TryWriteBytes(bytes, out _);
            bytes[8..].Clear();
        }
        else
        {
            // In the lower half, where no network of IPv6 has anything.
            address?.MapToIPv4().TryWriteBytes(bytes[12..], out _);
        }

        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    private readonly record struct Caller(string? Key, UInt128 Network);

    private sealed class Lease(TimeSpan? retryAfter) : RateLimitLease
    {
        public override bool IsAcquired => retryAfter is null;

        public override IEnumerable<string> MetadataNames => retryAfter is null ? [] : [MetadataName.RetryAfter.Name];

        public override bool TryGetMetadata(string metadataName, [NotNullWhen(true)] out object? metadata)
        {
            metadata = metadataName == MetadataName.RetryAfter.Name ? retryAfter : null;
            return metadata is not null;
        }
    }
}
