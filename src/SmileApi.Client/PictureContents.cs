using System.Net;

namespace SmileApi.Client;

/// <summary>A stream that can be sent only once.</summary>
internal sealed class StreamContentOnce(Stream picture) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => picture.CopyToAsync(stream);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        picture.CopyToAsync(stream, cancellationToken);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}

/// <summary>A stream that is sent from where it stood at first, however often.</summary>
internal sealed class SeekableContent(Stream picture) : HttpContent
{
    private readonly long _start = picture.Position;

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        picture.Position = _start;
        return picture.CopyToAsync(stream, cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = picture.Length - _start;
        return true;
    }
}
