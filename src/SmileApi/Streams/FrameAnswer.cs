using System.Text.Json.Serialization;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Streams;

/// <summary>What became of one frame of a stream; a text message.</summary>
/// <param name="Frame">Which one, from 1 on, in the order of their arrival.</param>
/// <param name="Skipped">How many frames between the one answered before and this one were passed over, because a newer one had come.</param>
/// <param name="Status">The HTTP status that the frame would have got by itself.</param>
/// <param name="Result">The verdict, with status 200; smoothed, if the caller asked for that.</param>
/// <param name="Events">Smiles that have started or ended, if any have.</param>
/// <param name="Problem">What is wrong with the frame, with any other status.</param>
/// <param name="RetryAfter">In how many seconds trying again makes sense, if it does.</param>
internal sealed record FrameAnswer(
    int Frame,
    int Skipped,
    int Status,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Verdict? Result = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<SmileEvent>? Events = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ProblemDocument? Problem = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? RetryAfter = null)
{
    public static FrameAnswer Of(int frame, int skipped, Problem problem, string requestId) => new(
        frame, skipped, problem.Kind.Status, Problem: ProblemDocument.Of(problem, requestId),
        RetryAfter: problem.RetryAfter is { } wait ? Problems.RetryAfterSeconds(problem.Kind, wait) : null);
}

/// <summary>A smile has started or ended.</summary>
/// <param name="Type"><c>smile-started</c> or <c>smile-ended</c>.</param>
/// <param name="Face">Whose: the <c>id</c> of a face. One that has not been seen for a second has ended its smile.</param>
/// <param name="Probability">Of the smile now; of a face that is gone, when it was last seen.</param>
internal sealed record SmileEvent(string Type, int Face, float Probability)
{
    public const string Started = "smile-started";
    public const string Ended = "smile-ended";
}
