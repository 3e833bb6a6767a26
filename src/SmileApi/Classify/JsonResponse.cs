using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using SmileApi.Admission;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary>Answers in JSON that go out in one piece.</summary>
internal static class JsonResponse
{
    /// <summary>A scratch buffer that has grown further than this is not kept.</summary>
    private const int KeptBytes = 64 << 10;

    /// <summary>What the server takes of an answer without waiting for its reader, in bytes.</summary>
    private const int TakenAtOnce = 64 << 10;

    [ThreadStatic]
    private static Scratch? t_scratch;

    /// <summary>
    /// Writes a whole answer with its length in front. The framework's own way sends an answer as chunks, whose end follows in a second
    /// packet: another system call, and when the service is killed between the two, a proxy that has passed on the first can no longer
    /// ask another replica.
    /// </summary>
    public static Task WriteAsync<T>(HttpResponse response, T value, JsonTypeInfo<T> type, string contentType = "application/json; charset=utf-8")
    {
        var scratch = t_scratch ??= new Scratch();
        try
        {
            JsonSerializer.Serialize(scratch.Writer, value, type);
            if (scratch.Bytes.WrittenCount > TakenAtOnce
                && !response.HttpContext.RequestServices.GetRequiredService<AdmissionGate>().TryHoldAnswer(response.HttpContext, scratch.Bytes.WrittenCount, out var problem))
            {
                t_scratch = null; // In use.
                return Problems.WriteAsync(response.HttpContext, problem);
            }

            response.ContentType = contentType;
            response.ContentLength = scratch.Bytes.WrittenCount;
            response.BodyWriter.Write(scratch.Bytes.WrittenSpan);

            // Now, and not when the request ends: before that, the server takes in what is left of a refused body. Not cancelled with the
            // request: writing to a client that has hung up does nothing, where cancelling would throw.
            var sent = response.BodyWriter.FlushAsync(CancellationToken.None);
            return sent.IsCompletedSuccessfully ? Task.CompletedTask : sent.AsTask();
        }
        finally
        {
            if (scratch.Bytes.Capacity > KeptBytes)
            {
                t_scratch = null;
            }
            else
            {
                scratch.Bytes.ResetWrittenCount();
                scratch.Writer.Reset();
            }
        }
    }

    private sealed class Scratch
    {
        public Scratch() => Writer = new Utf8JsonWriter(Bytes, new JsonWriterOptions { SkipValidation = true });

        public ArrayBufferWriter<byte> Bytes { get; } = new(1024);

        public Utf8JsonWriter Writer { get; }
    }
}

/// <summary>Answers with JSON. The framework's own result makes a logger for each answer, which costs more than writing it.</summary>
internal sealed class JsonAnswer<T>(T value, JsonTypeInfo<T> type) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext) => JsonResponse.WriteAsync(httpContext.Response, value, type);
}
