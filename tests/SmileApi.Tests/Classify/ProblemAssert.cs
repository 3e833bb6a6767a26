using System.Text.Json;

namespace SmileApi.Tests.Classify;

/// <summary>What every error answer has in common.</summary>
internal static class ProblemAssert
{
    /// <returns>The problem's detail.</returns>
    public static async Task<string> IsAsync(HttpResponseMessage response, int status, string name)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(status == (int)response.StatusCode, $"{(int)response.StatusCode}: {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal($"urn:smileapi:problem:{name}", problem.GetProperty("type").GetString());
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.NotEmpty(problem.GetProperty("title").GetString()!);
        Assert.Equal(response.Headers.GetValues("X-Request-Id").Single(), problem.GetProperty("requestId").GetString());
        Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", text, StringComparison.Ordinal);
        var detail = problem.GetProperty("detail").GetString();
        Assert.NotNull(detail);
        Assert.NotEmpty(detail);
        return detail;
    }
}
