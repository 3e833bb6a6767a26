using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using SmileApi.Access;
using SmileApi.Admission;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Batches;

/// <summary>
/// Judges the pictures of a batch as if each were a request by itself, a few at a time, and answers in their order. Nothing piles
/// up: a picture is read when one before it has been answered, so that a sender goes as fast as its pictures are judged and its
/// answer is read. Where a request by itself would be turned away for want of room, a picture waits for it.
/// </summary>
internal sealed partial class BatchClassifier(
    Classifier classifier, AdmissionGate gate, CallerLimiter limiter, IOptions<BatchOptions> options, IOptions<ShutdownOptions> shutdown,
    IHostApplicationLifetime lifetime, SmileMetrics metrics, TimeProvider time, ILogger<BatchClassifier> logger)
{
    private static readonly TimeSpan s_leastWait = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_mostWait = TimeSpan.FromSeconds(1);

    /// <param name="http">The request.</param>
    /// <param name="pictures">Its pictures.</param>
    /// <param name="query">The options of all of them.</param>
    /// <param name="answer">To which results are written; not ended here.</param>
    /// <param name="aborted">The caller has gone.</param>
    /// <returns>How many pictures were answered, how many of them with a problem, and why nothing more was read, if that is not the end of the batch.</returns>
    public async Task<(int Pictures, int Refused, Problem? End)> RunAsync(
        HttpContext http, IPictureSource pictures, ClassifyQuery query, BatchAnswer answer, CancellationToken aborted)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        using var draining = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        var untilDrained = TimeSpan.FromSeconds(shutdown.Value.DelaySeconds + shutdown.Value.TimeoutSeconds / 2);
        await using var onStopping = lifetime.ApplicationStopping.Register(() => draining.CancelAfter(untilDrained));
        var run = new Run(http, pictures, query, answer, new SemaphoreSlim(options.Value.ResolvedParallelism), draining.Token, stop.Token);
        using (run.Slots)
        {
            // Whichever fails stops the other, and is what has gone wrong.
            ExceptionDispatchInfo? failure = null;
            var (end, refused) = ((Problem?)null, 0);
            await Task.WhenAll(
                OrStopAsync(async () => end = await ReadAsync(run)),
                OrStopAsync(async () => refused = await WriteAsync(run)));
            await LeaveNothingAsync(run);
            failure?.Throw();
            return (run.Begun, refused, end);

            async Task OrStopAsync(Func<Task> work)
            {
                try
                {
                    await work();
                }
#pragma warning disable CA1031 // It is thrown on as soon as the other half and all pictures under way have ended.
                catch (Exception e)
#pragma warning restore CA1031
                {
                    Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(e), null);
                    await stop.CancelAsync();
                }
            }
        }
    }

    /// <summary>Reads pictures and puts them to work, until none is left or none can be read.</summary>
    private async Task<Problem?> ReadAsync(Run run)
    {
        try
        {
            while (true)
            {
                await run.Slots.WaitAsync(run.Aborted);
                var (more, end) = await MoveNextAsync(run);
                if (!more)
                {
                    return end;
                }

                if (await LetInAsync(run) is not { } admission)
                {
                    return Draining(run.Begun);
                }

                if (await ReadOneAsync(run, admission) is { } broken)
                {
                    return broken;
                }
            }
        }
        finally
        {
            run.Results.Writer.Complete();
        }
    }

    /// <summary>Waits for the next picture to begin.</summary>
    private async Task<(bool More, Problem? End)> MoveNextAsync(Run run)
    {
        if (run.Answer.IsFull)
        {
            return (false, new Problem(
                ProblemKind.BatchTooLong, $"The answer is longer than there is memory for. {run.Begun:N0} pictures are answered; ask for the rest line by line (Accept: {BatchAnswer.LinesType})."));
        }

        if (run.Draining.IsCancellationRequested)
        {
            return (false, Draining(run.Begun));
        }

        using var idle = new CancellationTokenSource(TimeSpan.FromSeconds(options.Value.IdleSeconds), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(run.Aborted, run.Draining, idle.Token);
        try
        {
            var more = await run.Pictures.MoveNextAsync(either.Token);
            return more && run.Answer.IsDocument && run.Begun == options.Value.MaxPictures
                ? (false, new Problem(
                    ProblemKind.BatchTooLong, $"A batch that is answered with one JSON document may have at most {run.Begun:N0} pictures, and these are answered. Send the rest by itself, or ask for an answer line by line (Accept: {BatchAnswer.LinesType})."))
                : (more, run.Pictures.Broken);
        }
        catch (OperationCanceledException) when (!run.Aborted.IsCancellationRequested)
        {
            return (false, run.Draining.IsCancellationRequested
                ? Draining(run.Begun)
                : new Problem(ProblemKind.RequestTimeout, $"No further picture has begun for {options.Value.IdleSeconds:0.###} seconds. {run.Begun:N0} pictures are answered; send the rest by itself."));
        }
    }

    /// <summary>A picture waits where a request would be turned away: for its caller's next request of a limited number, and for room.</summary>
    /// <returns>Null when the service stops before.</returns>
    private async Task<AdmissionGate.Admission?> LetInAsync(Run run)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(run.Aborted, run.Draining);
        try
        {
            await TakeQuotaAsync(run, either.Token);
            return await gate.EnterFromBatchAsync(either.Token);
        }
        catch (OperationCanceledException) when (!run.Aborted.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task TakeQuotaAsync(Run run, CancellationToken over)
    {
        // The first is the request itself.
        while (run.Begun > 0 && limiter.IsOn)
        {
            using var lease = limiter.AttemptAcquire(run.Http);
            if (lease.IsAcquired || !lease.TryGetMetadata(System.Threading.RateLimiting.MetadataName.RetryAfter, out var wait))
            {
                return;
            }

            await Task.Delay(wait, time, over);
        }
    }

    /// <summary>Reads one picture and puts it to work.</summary>
    /// <returns>Why nothing more can be read, if that is so.</returns>
    private async Task<Problem?> ReadOneAsync(Run run, AdmissionGate.Admission admission)
    {
        var picture = new Picture(run, admission, time);
        Problem? broken = null;
        try
        {
            (picture.Upload, picture.Problem) = await run.Pictures.ReadAsync(picture.Admission, picture.Aborted);
            broken = run.Pictures.Broken;
            if (picture.Upload is not null)
            {
                await picture.Admission.BeginWorkAsync(picture.Aborted);
            }
        }
        catch (OperationCanceledException) when (!run.Aborted.IsCancellationRequested && picture.Upload is null)
        {
            // What is left of it would have to be waited for, before anything of the next one.
            broken = new Problem(
                ProblemKind.RequestTimeout, $"A picture did not arrive within {run.Deadline.TotalSeconds:0.###} seconds. The {run.Begun:N0} before it are answered; send the rest on a better connection.");
        }
        catch (OperationCanceledException) when (!run.Aborted.IsCancellationRequested)
        {
            picture.Problem = TooLate(run);
        }
        catch
        {
            picture.Dispose();
            throw;
        }

        if (broken is not null)
        {
            picture.Dispose();
            return broken;
        }

        picture.Name = run.Pictures.Name;
        picture.Index = run.Begun++;
        await run.Results.Writer.WriteAsync(JudgeAsync(run, picture), run.Aborted);
        return null;
    }

    /// <summary>Judges a picture and disposes it.</summary>
    private async Task<BatchResult> JudgeAsync(Run run, Picture picture)
    {
        using (picture)
        {
            var (verdict, problem) = ((Verdict?)null, picture.Problem);
            try
            {
                while (problem is null && verdict is null)
                {
                    (verdict, problem) = await classifier.ClassifyAsync(picture.Upload!.Bytes, run.Query, picture.Received, run.RequestId, picture.Aborted);
                    if (problem is { RetryAfter: { } wait } && problem.Kind == ProblemKind.Overloaded)
                    {
                        // A queue is full. Its caller has been let in, and so waits for its place in it, until its time is over.
                        await Task.Delay(wait < s_leastWait ? s_leastWait : wait > s_mostWait ? s_mostWait : wait, time, picture.Aborted);
                        problem = null;
                    }
                }
            }
            catch (OperationCanceledException) when (!run.Aborted.IsCancellationRequested)
            {
                problem = TooLate(run);
            }
#pragma warning disable CA1031 // Whatever befalls one picture is its own result: the answer to the others has begun.
            catch (Exception e) when (!run.Aborted.IsCancellationRequested)
#pragma warning restore CA1031
            {
                problem = Problems.ProblemOf(e);
                if (e is not InferenceFailedException)
                {
                    LogFailure(logger, e, picture.Index);
                }
            }

            if (problem is null)
            {
                return new BatchResult(picture.Index, picture.Name, StatusCodes.Status200OK, verdict);
            }

            metrics.Rejected(problem.Kind);
            return BatchResult.Of(picture.Index, picture.Name, problem, run.RequestId);
        }
    }

    /// <summary>Answers in the order of the request.</summary>
    /// <returns>How many pictures were answered with a problem.</returns>
    private static async Task<int> WriteAsync(Run run)
    {
        var refused = 0;
        await foreach (var judging in run.Results.Reader.ReadAllAsync(run.Aborted))
        {
            var result = await judging;
            refused += result.Problem is null ? 0 : 1;
            await run.Answer.WriteAsync(result, isLast: !(run.Results.Reader.TryPeek(out var next) && next.IsCompleted), run.Aborted);
            run.Slots.Release();
        }

        return refused;
    }

    /// <summary>Waits for pictures whose results nobody wants any more, and which hold memory.</summary>
    private static async Task LeaveNothingAsync(Run run)
    {
        while (run.Results.Reader.TryRead(out var judging))
        {
            await ((Task)judging).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static Problem Draining(int answered) =>
        new(ProblemKind.NotReady, $"The service is about to stop. {answered:N0} pictures are answered; send the rest to another instance.", TimeSpan.FromSeconds(1));

    private static Problem TooLate(Run run) => new(
        ProblemKind.DeadlineExceeded, $"The picture was not answered within {run.Deadline.TotalSeconds:0.###} seconds, its upload included. Try again later, or give it more time.");

    [LoggerMessage(EventId = 3101, Level = LogLevel.Error, Message = "Picture {Index} of a batch failed; the others are answered")]
    private static partial void LogFailure(ILogger logger, Exception exception, int index);

    /// <summary>One batch.</summary>
    private sealed record Run(
        HttpContext Http, IPictureSource Pictures, ClassifyQuery Query, BatchAnswer Answer, SemaphoreSlim Slots, CancellationToken Draining, CancellationToken Aborted)
    {
        /// <summary>Of as many as there are slots.</summary>
        public Channel<Task<BatchResult>> Results { get; } = Channel.CreateBounded<Task<BatchResult>>(Slots.CurrentCount);

        public TimeSpan Deadline { get; } = Http.Features.GetRequiredFeature<PictureDeadline>().Time;

        /// <summary>Asked for once: pictures are judged side by side.</summary>
        public string RequestId { get; } = Http.TraceIdentifier;

        /// <summary>Pictures that have been read, and so get a result.</summary>
        public int Begun { get; set; }
    }

    /// <summary>One picture, what it holds, and the time that it has.</summary>
    private sealed class Picture : IDisposable
    {
        private readonly CancellationTokenSource _late;
        private readonly CancellationTokenSource _either;

        public Picture(Run run, AdmissionGate.Admission admission, TimeProvider time)
        {
            (Admission, Received) = (admission, time.GetTimestamp());
            _late = new CancellationTokenSource(run.Deadline, time);
            _either = CancellationTokenSource.CreateLinkedTokenSource(run.Aborted, _late.Token);
        }

        public AdmissionGate.Admission Admission { get; }

        /// <summary>When it began to be read, a timestamp.</summary>
        public long Received { get; }

        /// <summary>Its caller has gone, or its time is over.</summary>
        public CancellationToken Aborted => _either.Token;

        public int Index { get; set; }

        public string? Name { get; set; }

        public Upload? Upload { get; set; }

        public Problem? Problem { get; set; }

        public void Dispose()
        {
            ((IDisposable?)Upload)?.Dispose();
            Admission.Dispose();
            _either.Dispose();
            _late.Dispose();
        }
    }
}
