using System.Diagnostics.CodeAnalysis;
using System.Net.WebSockets;
using System.Text.Json;
using System.Threading.Channels;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using SmileApi.Access;
using SmileApi.Admission;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Streams;

/// <summary>
/// Judges the frames of a stream one after the other, always the newest: while one is at work, one waits, and a newer one takes its
/// place. So an answer is never older than the work on one frame and the wait for a place at work, however much faster a client sends
/// than we judge, or than it reads.
/// </summary>
internal sealed partial class StreamClassifier(
    Classifier classifier, UploadReader uploads, AdmissionGate gate, CallerLimiter limiter, IOptions<StreamOptions> options, IOptions<ShutdownOptions> shutdown,
    IHostApplicationLifetime lifetime, SmileMetrics metrics, TimeProvider time, ILogger<StreamClassifier> logger)
{
    /// <summary>So long the newest frame waits for a place at work, or for the caller's next request of a limited number; then it is answered that there is none.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    /// <summary>So long the other side has to answer that a stream is closed.</summary>
    private static readonly TimeSpan s_goodbye = TimeSpan.FromSeconds(5);

    private int _open;

    /// <summary>Takes the place of one more stream, if there is any.</summary>
    /// <param name="place">When the result is true, what the stream disposes at its end.</param>
    /// <param name="problem">When the result is false, what the caller is told.</param>
    public bool TryOpen([NotNullWhen(true)] out IDisposable? place, [NotNullWhen(false)] out Problem? problem)
    {
        problem = null;
        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            problem = new Problem(ProblemKind.NotReady, "The service is about to stop. Open the stream at another instance.", TimeSpan.FromSeconds(1));
        }
        else if (Interlocked.Increment(ref _open) > options.Value.ResolvedMaxOpen)
        {
            Interlocked.Decrement(ref _open);
            problem = new Problem(ProblemKind.Overloaded, $"There are as many streams as may be open ({options.Value.ResolvedMaxOpen:N0}). Try again later.", s_goodbye);
        }

        place = problem is null ? new Place(Leave) : null;
        metrics.StreamsChanged(problem is null ? 1 : 0);
        return place is not null;

        void Leave()
        {
            Interlocked.Decrement(ref _open);
            metrics.StreamsChanged(-1);
        }
    }

    /// <summary>Judges what comes, until either side closes the stream.</summary>
    /// <param name="http">The request.</param>
    /// <param name="socket">Closed at the end, or broken.</param>
    /// <param name="aborted">The caller has gone.</param>
    /// <returns>How it has ended, and how many frames there were, for the log.</returns>
    public async Task<string> RunAsync(HttpContext http, WebSocket socket, StreamQuery query, CancellationToken aborted)
    {
        using var run = new Run(http, socket, query, new FaceTracks(query, time), metrics, time, aborted);
        using var draining = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        await using var onStopping = lifetime.ApplicationStopping.Register(() => draining.CancelAfter(TimeSpan.FromSeconds(shutdown.Value.DelaySeconds)));
        await using var onDraining = draining.Token.Register(() => run.End(WebSocketCloseStatus.EndpointUnavailable, "The service is about to stop. Open another stream."));
        await using var onTime = run.Clock.Token.Register(() => run.End(
            run.Arriving ? WebSocketCloseStatus.PolicyViolation : WebSocketCloseStatus.NormalClosure,
            run.Arriving ? "A frame did not arrive in time." : "No frame has come for a while."));
        var receiving = ReceiveAsync(run);
        try
        {
            await AnswerAsync(run);
            await CloseAsync(run, receiving);
        }
        catch
        {
            run.Break();
            await receiving;
            throw;
        }

        return $"{(run.IsBroken ? "caller-gone" : "ok")}, {run.Received} frames, {run.Answered} of them answered";
    }

    /// <summary>Receives frames until the other side closes the stream or goes away. What comes while we close it is passed over.</summary>
    private async Task ReceiveAsync(Run run)
    {
        try
        {
            while (true)
            {
                run.Arriving = false;
                run.Clock.CancelAfter(TimeSpan.FromSeconds(options.Value.IdleSeconds));

                // Into nothing: no memory is held while nobody sends.
                var message = await run.Socket.ReceiveAsync(Memory<byte>.Empty, run.Aborted);
                if (message.MessageType == WebSocketMessageType.Close)
                {
                    run.End(WebSocketCloseStatus.NormalClosure, "");
                    return;
                }

                if (message.MessageType == WebSocketMessageType.Text)
                {
                    run.End(WebSocketCloseStatus.InvalidMessageType, "A frame is a binary message: a whole JPEG, PNG or WebP. This one was text.");
                }

                if (run.HasEnded)
                {
                    await PassOverAsync(run, message);
                }
                else if (await ReceiveFrameAsync(run, message) is { } frame && !run.Frames.Writer.TryWrite(frame))
                {
                    frame.Dispose();
                }
            }
        }
        catch (Exception e) when (IsEndOfCaller(e))
        {
            run.Break();
        }
        finally
        {
            run.Frames.Writer.TryComplete();
        }
    }

    private async Task<Frame> ReceiveFrameAsync(Run run, ValueWebSocketReceiveResult message)
    {
        var (number, received) = (++run.Received, time.GetTimestamp());
        run.Arriving = true;
        run.Clock.CancelAfter(run.Deadline);
        if (!gate.TryEnterFromStream(out var room, out var problem))
        {
            await PassOverAsync(run, message);
            return new Frame(number, received, null, null, problem);
        }

        Upload? upload = null;
        try
        {
            // An empty message has ended already.
            var bytes = message.EndOfMessage ? Stream.Null : WebSocketStream.CreateReadableMessageStream(run.Socket);
            (upload, problem) = await uploads.ReadPictureAsync(bytes, room, run.Aborted);
            await bytes.CopyToAsync(Stream.Null, run.Aborted); // What is too long is not kept, and the next frame is behind it.
            return new Frame(number, received, room, upload, problem);
        }
        catch
        {
            ((IDisposable?)upload)?.Dispose();
            room.Dispose();
            throw;
        }
    }

    private static async Task PassOverAsync(Run run, ValueWebSocketReceiveResult message)
    {
        if (!message.EndOfMessage)
        {
            await WebSocketStream.CreateReadableMessageStream(run.Socket).CopyToAsync(Stream.Null, run.Aborted);
        }
    }

    /// <summary>Answers the newest frame, again and again, until no more come.</summary>
    private async Task AnswerAsync(Run run)
    {
        try
        {
            while (await run.Frames.Reader.WaitToReadAsync(run.Aborted))
            {
                // First the place and then the frame: while this waits, newer ones come.
                var refused = await TakeQuotaAsync(run) ?? await BeginWorkAsync(run);
                run.Frames.Reader.TryRead(out var frame);
                var answer = await JudgeAsync(run, frame!, refused);
                await SendAsync(run, answer);
                metrics.FrameAnswered(answer.Problem is not null, time.GetElapsedTime(frame!.Received));
            }
        }
        catch (Exception e) when (IsEndOfCaller(e))
        {
            run.Break();
        }
    }

    /// <summary>A frame that is judged counts as a request; the first is the request itself.</summary>
    private async Task<Problem?> TakeQuotaAsync(Run run)
    {
        if (run.Answered == 0 || !limiter.IsOn)
        {
            return null;
        }

        var patience = s_patience;
        while (true)
        {
            using var lease = limiter.AttemptAcquire(run.Http);
            if (lease.IsAcquired || !lease.TryGetMetadata(MetadataName.RetryAfter, out var wait))
            {
                return null;
            }

            var pause = wait < patience ? wait : patience;
            await Task.Delay(pause, time, run.Aborted);
            patience -= pause;
            if (pause < wait)
            {
                return new Problem(ProblemKind.RateLimited, "Each frame that is judged counts as a request, and there are none left now. The stream goes on when the next one is back.", wait - pause);
            }
        }
    }

    private async Task<Problem?> BeginWorkAsync(Run run)
    {
        using var patience = new CancellationTokenSource(s_patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(run.Aborted, patience.Token);
        try
        {
            await run.Admission.BeginWorkAsync(either.Token);
            return null;
        }
        catch (OperationCanceledException) when (!run.Aborted.IsCancellationRequested)
        {
            return gate.NoPlace();
        }
    }

    /// <summary>Judges a frame, disposes it and gives its place at work back.</summary>
    /// <param name="refused">Why there is no place, if so.</param>
    private async Task<FrameAnswer> JudgeAsync(Run run, Frame frame, Problem? refused)
    {
        var (verdict, problem) = ((Verdict?)null, frame.Problem ?? refused);
        using (frame)
        {
            try
            {
                if (problem is null)
                {
                    (verdict, problem) = await JudgeAsync(run, frame);
                }
            }
            finally
            {
                if (refused is null)
                {
                    run.Admission.EndWork();
                }
            }
        }

        var skipped = frame.Number - run.LastAnswered - 1;
        (run.LastAnswered, run.Answered) = (frame.Number, run.Answered + 1);
        if (verdict is null)
        {
            metrics.Rejected(problem!.Kind);
            return FrameAnswer.Of(frame.Number, skipped, problem, run.RequestId);
        }

        var (smoothed, events) = run.Faces.Follow(frame.Number, verdict, frame.Received);
        return new FrameAnswer(frame.Number, skipped, StatusCodes.Status200OK, smoothed, events);
    }

    private async Task<(Verdict? Verdict, Problem? Problem)> JudgeAsync(Run run, Frame frame)
    {
        var left = run.Deadline - time.GetElapsedTime(frame.Received);
        using var late = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(run.Aborted, late.Token);
        try
        {
            // Afresh: no frame comes twice, and answers to pictures that do are not to make room for them.
            return await classifier.ClassifyAfreshAsync(frame.Upload!.Bytes, run.Query.Classify, frame.Received, run.RequestId, maps: null, either.Token);
        }
        catch (OperationCanceledException) when (!run.Aborted.IsCancellationRequested)
        {
            return (null, new Problem(ProblemKind.DeadlineExceeded, $"The frame was not answered within {run.Deadline.TotalSeconds:0.###} seconds. The stream goes on."));
        }
#pragma warning disable CA1031 // Whatever befalls one frame is its own answer: the stream goes on.
        catch (Exception e) when (!run.Aborted.IsCancellationRequested)
#pragma warning restore CA1031
        {
            if (e is not InferenceFailedException)
            {
                LogFailure(logger, e, frame.Number);
            }

            return (null, Problems.ProblemOf(e));
        }
    }

    private async Task SendAsync(Run run, FrameAnswer answer)
    {
        // Who does not read holds only its own stream up, and not for ever.
        using var unread = new CancellationTokenSource(TimeSpan.FromSeconds(options.Value.IdleSeconds), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(run.Aborted, unread.Token);
        await run.Socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(answer, WireJson.Default.FrameAnswer), WebSocketMessageType.Text, endOfMessage: true, either.Token);
    }

    /// <summary>Says goodbye and waits for the other side to do so, for a while.</summary>
    private async Task CloseAsync(Run run, Task receiving)
    {
        try
        {
            if (!run.IsBroken)
            {
                var (status, reason) = run.Ending;
                using var patience = new CancellationTokenSource(s_goodbye, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(run.Aborted, patience.Token);
                await run.Socket.CloseOutputAsync(status, reason, either.Token);
                await receiving.WaitAsync(either.Token);
            }
        }
        catch (Exception e) when (IsEndOfCaller(e))
        {
            run.Break();
        }

        await receiving;
    }

    private static bool IsEndOfCaller(Exception e) => e is WebSocketException or OperationCanceledException or IOException;

    [LoggerMessage(EventId = 3201, Level = LogLevel.Error, Message = "Frame {Number} of a stream failed; the stream goes on")]
    private static partial void LogFailure(ILogger logger, Exception exception, int number);

    /// <summary>A message that has arrived, and the memory that it holds.</summary>
    /// <param name="Number">From 1 on.</param>
    /// <param name="Received">When its first byte came, a timestamp.</param>
    /// <param name="Room">Null when there was none.</param>
    /// <param name="Upload">Null when there is a problem with it.</param>
    private sealed record Frame(int Number, long Received, AdmissionGate.FrameRoom? Room, Upload? Upload, Problem? Problem) : IDisposable
    {
        public void Dispose()
        {
            ((IDisposable?)Upload)?.Dispose();
            Room?.Dispose();
        }
    }

    /// <summary>One stream.</summary>
    private sealed class Run : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly CancellationTokenSource _aborted;
        private (WebSocketCloseStatus, string)? _ending;

        public Run(HttpContext http, WebSocket socket, StreamQuery query, FaceTracks faces, SmileMetrics metrics, TimeProvider time, CancellationToken aborted)
        {
            (Http, Socket, Query, Faces) = (http, socket, query, faces);
            (Admission, Deadline) = (http.Features.GetRequiredFeature<AdmissionGate.Admission>(), http.Features.GetRequiredFeature<PictureDeadline>().Time);
            RequestId = http.TraceIdentifier;
            Clock = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
            _aborted = CancellationTokenSource.CreateLinkedTokenSource(aborted);
            Frames = Channel.CreateBounded<Frame>(
                new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true, SingleWriter = true },
                skipped =>
                {
                    skipped.Dispose();
                    metrics.FrameSkipped();
                });
        }

        public HttpContext Http { get; }

        public WebSocket Socket { get; }

        public StreamQuery Query { get; }

        public FaceTracks Faces { get; }

        /// <summary>Of the stream; it works while a frame of it does.</summary>
        public AdmissionGate.Admission Admission { get; }

        /// <summary>Of each frame, from its first byte to its verdict.</summary>
        public TimeSpan Deadline { get; }

        public string RequestId { get; }

        /// <summary>The newest frame that has arrived and is not at work yet.</summary>
        public Channel<Frame> Frames { get; }

        /// <summary>For the next frame to begin, or for it to arrive.</summary>
        public CancellationTokenSource Clock { get; }

        /// <summary>Whether a frame has begun to arrive.</summary>
        public bool Arriving { get; set; }

        public int Received { get; set; }

        public int Answered { get; set; }

        public int LastAnswered { get; set; }

        /// <summary>The other side has gone, or hears us no more.</summary>
        public CancellationToken Aborted => _aborted.Token;

        public bool IsBroken => _aborted.IsCancellationRequested;

        public bool HasEnded
        {
            get
            {
                lock (_lock)
                {
                    return _ending is not null;
                }
            }
        }

        /// <summary>What the other side is told.</summary>
        public (WebSocketCloseStatus Status, string Reason) Ending
        {
            get
            {
                lock (_lock)
                {
                    return _ending ?? (WebSocketCloseStatus.NormalClosure, "");
                }
            }
        }

        /// <summary>Takes no more frames: those that are here are answered, and then the stream is closed. The first reason holds.</summary>
        /// <param name="reason">At most 123 bytes.</param>
        public void End(WebSocketCloseStatus status, string reason)
        {
            lock (_lock)
            {
                _ending ??= (status, reason);
            }

            Frames.Writer.TryComplete();
        }

        /// <summary>Drops everything.</summary>
        public void Break()
        {
            _aborted.Cancel();
            Socket.Abort();
            Http.Abort();
        }

        public void Dispose()
        {
            while (Frames.Reader.TryRead(out var unread))
            {
                unread.Dispose();
            }

            Clock.Dispose();
            _aborted.Dispose();
        }
    }

    private sealed class Place(Action leave) : IDisposable
    {
        public void Dispose() => leave();
    }
}
