using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace SmileApi.Classify;

/// <summary>
/// A request's body, whose reading may be called off. To the server, a read of its own stream that a token has cancelled still goes
/// on: it then takes in nothing of what is left of the body, and closes the connection after an answer that did not say so, perhaps
/// under the caller's next request. A read that is called off by way of the pipe ends.
/// </summary>
internal sealed class BodyStream(PipeReader body) : ForwardStream
{
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var calledOff = cancellationToken.UnsafeRegister(CallOff, body);
        while (true)
        {
            var result = await body.ReadAsync(CancellationToken.None);
            if (result.IsCanceled)
            {
                body.AdvanceTo(result.Buffer.Start, result.Buffer.Start);
                cancellationToken.ThrowIfCancellationRequested();
                continue; // An earlier read was called off when it had ended.
            }

            var read = (int)Math.Min(result.Buffer.Length, buffer.Length);
            var taken = result.Buffer.Slice(0, read);
            taken.CopyTo(buffer.Span);
            body.AdvanceTo(taken.End);
            if (read > 0 || result.IsCompleted || buffer.Length == 0)
            {
                return read;
            }
        }
    }

    private static void CallOff(object? body)
    {
        try
        {
            ((PipeReader)body!).CancelPendingRead();
        }
#pragma warning disable CA1031 // The request has been broken off, and so its reader refuses: the read ends by that. Nobody could take an exception here.
        catch
#pragma warning restore CA1031
        {
        }
    }
}
