using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization;
using SmileApi.Admission;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Batches;

/// <summary>What became of one picture of a batch.</summary>
/// <param name="Index">Which one, from 0 on, in the order of the request.</param>
/// <param name="Name">What the sender calls it: the name of its file, or <c>name</c> of its line.</param>
/// <param name="Status">The HTTP status that the picture would have got by itself.</param>
/// <param name="Result">The verdict, with status 200.</param>
/// <param name="Problem">What is wrong with the picture, with any other status.</param>
/// <param name="RetryAfter">In how many seconds trying again makes sense, if it does.</param>
internal sealed record BatchResult(
    int Index,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Name,
    int Status,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Verdict? Result = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ProblemDocument? Problem = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? RetryAfter = null)
{
    private const int LongestName = 255;

    public static BatchResult Of(int index, string? name, Problem problem, string requestId) => new(
        index, name, problem.Kind.Status, Problem: ProblemDocument.Of(problem, requestId),
        RetryAfter: problem.RetryAfter is { } wait ? Problems.RetryAfterSeconds(problem.Kind, wait) : null);

    /// <summary>A name as it stands in answers.</summary>
    public static string? Shortened(string? name) => name is { Length: > LongestName } ? name[..LongestName] : name;
}

/// <summary>The last line of an answer that ends before its batch does.</summary>
/// <param name="Status">The HTTP status that belongs to it.</param>
/// <param name="Problem">Why nothing more was read.</param>
/// <param name="RetryAfter">In how many seconds trying again makes sense, if it does.</param>
internal sealed record BatchEnd(
    int Status, ProblemDocument Problem, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? RetryAfter = null);

/// <summary>The answer of <c>POST /classify/batch</c> as one document. Line by line, each result is a line.</summary>
/// <param name="Results">What became of each picture, in the order of the request.</param>
/// <param name="Problem">Why nothing more was read, when the answer ends before its batch does.</param>
internal sealed record BatchDocument(IReadOnlyList<BatchResult> Results, ProblemDocument? Problem);

/// <summary>Writes the answer to a batch as results come: each as a line that is sent at once, or all as one document at the end.</summary>
/// <param name="lines">Line by line.</param>
/// <param name="room">Of the request; a document is kept in it.</param>
internal sealed class BatchAnswer(HttpResponse response, bool lines, AdmissionGate.Admission room)
{
    public const string LinesType = "application/x-ndjson";

    private const int WorthSending = 16 << 10;
    private const long Step = 64 << 10;

    // Taken once: the request's features are changed by whoever reads it while this writes.
    private readonly PipeWriter _body = response.BodyWriter;
    private readonly IHeaderDictionary _headers = response.Headers;

    private long _written;
    private int _unsent;

    /// <summary>Whether anything has been written; until then the request can still be answered with a problem.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Whether the document has become as long as there is memory for.</summary>
    public bool IsFull { get; private set; }

    public bool IsDocument => !lines;

    /// <param name="isLast">Whether nobody knows when the next one comes.</param>
    public async ValueTask WriteAsync(BatchResult result, bool isLast, CancellationToken aborted)
    {
        var isFirst = !HasBegun;
        Begin();
        if (lines)
        {
            Write(JsonSerializer.SerializeToUtf8Bytes(result, WireJson.Default.BatchResult), "\n"u8);
            if (isLast || _unsent >= WorthSending)
            {
                _unsent = 0;
                await _body.FlushAsync(aborted);
            }

            return;
        }

        Write(isFirst ? "{\"results\":["u8 : ","u8, JsonSerializer.SerializeToUtf8Bytes(result, WireJson.Default.BatchResult));
        IsFull = await room.HoldAsync(MemoryBudget.FirstHold(null) + _written / Step * Step, aborted) is not null;
    }

    /// <summary>Ends an answer that has begun.</summary>
    /// <param name="reason">Why nothing more was read; null at the end of the batch.</param>
    public async ValueTask EndAsync(Problem? reason, string requestId, CancellationToken aborted)
    {
        if (lines && reason is not null)
        {
            var retryAfter = reason.RetryAfter is { } wait ? Problems.RetryAfterSeconds(reason.Kind, wait) : (double?)null;
            var end = new BatchEnd(reason.Kind.Status, ProblemDocument.Of(reason, requestId), retryAfter);
            Write(JsonSerializer.SerializeToUtf8Bytes(end, WireJson.Default.BatchEnd), "\n"u8);
        }
        else if (!lines)
        {
            Write("]"u8, []);
            if (reason is not null)
            {
                Write(",\"problem\":"u8, JsonSerializer.SerializeToUtf8Bytes(ProblemDocument.Of(reason, requestId), WireJson.Default.ProblemDocument));
            }

            Write("}"u8, []);
        }

        using var time = lines ? null : room.LimitReading(response.HttpContext);
        await _body.FlushAsync(aborted);
    }

    private void Begin()
    {
        if (HasBegun)
        {
            return;
        }

        HasBegun = true;
        _headers.ContentType = lines ? LinesType : "application/json; charset=utf-8";
        if (lines)
        {
            _headers["X-Accel-Buffering"] = "no"; // A proxy that collected lines would hold the progress back.
        }
    }

    private void Write(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> more)
    {
        var target = _body.GetSpan(bytes.Length + more.Length);
        bytes.CopyTo(target);
        more.CopyTo(target[bytes.Length..]);
        _body.Advance(bytes.Length + more.Length);
        _unsent += bytes.Length + more.Length;
        _written += bytes.Length + more.Length;
    }
}
