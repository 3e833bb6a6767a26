using System.Net;
using System.Security.Claims;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SmileApi.Access;

namespace SmileApi.Tests.Access;

public sealed class CallerLimiterTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void A_caller_may_send_all_requests_at_once_and_gets_them_back_one_by_one()
    {
        using var limiter = Limiter(requests: 4, window: 60);

        Assert.Equal([3, 2, 1, 0], Enumerable.Range(0, 4).Select(_ => Ask(limiter, "10.0.0.1").Remaining));
        var refused = Ask(limiter, "10.0.0.1");
        Assert.Equal(TimeSpan.FromSeconds(15), refused.RetryAfter);
        Assert.Equal(TimeSpan.FromSeconds(60), refused.FullAfter);

        _clock.Advance(TimeSpan.FromSeconds(15) - TimeSpan.FromTicks(1));
        Assert.Equal(TimeSpan.FromTicks(1), Ask(limiter, "10.0.0.1").RetryAfter);
        _clock.Advance(TimeSpan.FromTicks(1));
        Assert.Null(Ask(limiter, "10.0.0.1").RetryAfter);
        Assert.NotNull(Ask(limiter, "10.0.0.1").RetryAfter);

        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(3, Ask(limiter, "10.0.0.1").Remaining);
    }

    [Fact]
    public void Refused_requests_do_not_count()
    {
        using var limiter = Limiter(requests: 1, window: 10);
        Ask(limiter, "10.0.0.1");
        for (var i = 0; i < 1000; i++)
        {
            Assert.NotNull(Ask(limiter, "10.0.0.1").RetryAfter);
        }

        _clock.Advance(TimeSpan.FromSeconds(10));

        Assert.Null(Ask(limiter, "10.0.0.1").RetryAfter);
    }

    [Fact]
    public void In_the_long_run_as_many_are_answered_as_the_limit_says()
    {
        using var limiter = Limiter(requests: 7, window: 3);
        var answered = 0;
        for (var i = 0; i < 100_000; i++)
        {
            answered += Ask(limiter, "10.0.0.1").RetryAfter is null ? 1 : 0;
            _clock.Advance(TimeSpan.FromMilliseconds(3));
        }

        Assert.InRange(answered, 700, 707); // 300 seconds, and the 7 of the start.
    }

    [Theory]
    [InlineData("10.0.0.1", "10.0.0.2", false)]
    [InlineData("10.0.0.1", "::ffff:10.0.0.1", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("::1", "127.0.0.1", false)]
    public void An_address_is_a_caller_and_so_is_a_network_of_IPv6(string one, string other, bool same)
    {
        using var limiter = Limiter(requests: 1, window: 60);
        Ask(limiter, one);

        Assert.Equal(same, Ask(limiter, other).RetryAfter is not null);
    }

    [Fact]
    public void A_key_has_its_own_limit_wherever_it_comes_from()
    {
        using var limiter = Limiter(requests: 1, window: 60, new ApiKeyOptions { Name = "a", Requests = 2, WindowSeconds = 10 }, new ApiKeyOptions { Name = "b" });

        Assert.Null(Ask(limiter, "10.0.0.1", "a").RetryAfter);
        Assert.Null(Ask(limiter, "10.0.0.2", "a").RetryAfter);
        Assert.Equal(TimeSpan.FromSeconds(5), Ask(limiter, "10.0.0.3", "a").RetryAfter);
        Assert.Equal("key", Ask(limiter, "10.0.0.3", "b").Policy);
        Assert.Equal(TimeSpan.FromSeconds(60), Ask(limiter, "10.0.0.3", "b").RetryAfter);
        Assert.Equal("address", Ask(limiter, "10.0.0.3").Policy);
    }

    [Fact]
    public void Ever_more_addresses_are_not_all_remembered()
    {
        using var limiter = Limiter(requests: 1, window: 86_400);
        var most = 0;
        for (var i = 0; i < 250_000; i++)
        {
            Ask(limiter, new IPAddress([10, (byte)(i >> 16), (byte)(i >> 8), (byte)i]));
            most = i % 1000 == 0 ? Math.Max(most, limiter.Callers) : most;
        }

        Assert.InRange(most, 50_000, 100_000);
    }

    [Fact]
    public void Who_keeps_asking_is_not_forgotten_for_the_many_who_come()
    {
        using var limiter = Limiter(requests: 1, window: 86_400, mostCallers: 100);
        Ask(limiter, "10.0.0.1");
        for (var i = 0; i < 10_000; i++)
        {
            Ask(limiter, $"2001:db8:{i:x}::1");
            if (i % 10 == 0)
            {
                Assert.NotNull(Ask(limiter, "10.0.0.1").RetryAfter);
            }
        }

        Assert.InRange(limiter.Callers, 1, 100);
    }

    private CallerLimiter Limiter(int requests, int window, params ApiKeyOptions[] keys) =>
        new(Options.Create(new AccessOptions { Keys = keys }), Options.Create(new RateLimitOptions { Requests = requests, WindowSeconds = window }), _clock);

    private CallerLimiter Limiter(int requests, int window, int mostCallers) =>
        new(Options.Create(new AccessOptions()), Options.Create(new RateLimitOptions { Requests = requests, WindowSeconds = window }), _clock, mostCallers);

    private static Quota Ask(CallerLimiter limiter, string address, string? key = null) => Ask(limiter, IPAddress.Parse(address), key);

    private static Quota Ask(CallerLimiter limiter, IPAddress address, string? key = null)
    {
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = address;
        if (key is not null)
        {
            context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, key)], "test"));
        }

        using var lease = limiter.AttemptAcquire(context);
        var quota = context.Features.Get<Quota>()!;
        Assert.Equal(quota.RetryAfter is null, lease.IsAcquired);
        Assert.Equal(quota.RetryAfter is not null, lease.TryGetMetadata(MetadataName.RetryAfter, out var retryAfter));
        Assert.Equal(quota.RetryAfter ?? default, retryAfter);
        return quota;
    }
}
