namespace SmileApi.Client;

/// <summary>The service has answered with a problem. What each type means: <c>docs/problems.md</c> of SmileApi.</summary>
public sealed class SmileApiException : Exception
{
    private const string Prefix = "urn:smileapi:problem:";

    /// <param name="problem">What the service said.</param>
    /// <param name="retryAfter">When trying again makes sense, if the service says so.</param>
    public SmileApiException(SmileProblem problem, TimeSpan? retryAfter = null)
        : base(MessageOf(problem))
    {
        (Problem, RetryAfter) = (problem, retryAfter);
    }

    /// <summary>What the service said, whole.</summary>
    public SmileProblem Problem { get; }

    /// <summary><c>urn:smileapi:problem:</c> and the kind's name; <c>about:blank</c> when the answer was no problem document, but a proxy's for instance.</summary>
    public string Type => Problem.Type;

    /// <summary>The kind's name alone: <c>picture-truncated</c>.</summary>
    public string Kind => Type.StartsWith(Prefix, StringComparison.Ordinal) ? Type[Prefix.Length..] : Type;

    /// <summary>HTTP status code.</summary>
    public int Status => Problem.Status;

    /// <summary>What is wrong and what to do.</summary>
    public string? Detail => Problem.Detail;

    /// <summary>Quote it when you report a problem; it stands in the service's log.</summary>
    public string? RequestId => Problem.RequestId;

    /// <summary>When trying again makes sense, if the service says so.</summary>
    public TimeSpan? RetryAfter { get; }

    private static string MessageOf(SmileProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return $"{problem.Status}: {problem.Detail ?? problem.Title ?? problem.Type}";
    }
}
