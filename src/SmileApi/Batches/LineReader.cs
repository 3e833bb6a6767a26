using SmileApi.Classify;
using SmileApi.Imaging;

namespace SmileApi.Batches;

/// <summary>
/// One line of a stream at a time, each as if it were a stream of its own, however long; empty lines are passed over. The other
/// stream is not disposed.
/// </summary>
internal sealed class LineReader(Stream stream) : ForwardStream
{
    private const byte LineFeed = (byte)'\n';

    private readonly byte[] _buffer = Arrays.Rent<byte>(32 << 10);
    private int _start;
    private int _end;
    private bool _lineEnded = true;
    private bool _disposed;

    /// <summary>Passes over what is left of this line, and waits for the first byte of the next that has something to say.</summary>
    /// <returns>False at the end of the stream.</returns>
    public async ValueTask<bool> MoveNextAsync(CancellationToken aborted)
    {
        while (true)
        {
            if (_start == _end && !await FillAsync(aborted))
            {
                _lineEnded = true;
                return false;
            }

            var rest = _buffer.AsSpan(_start, _end - _start);
            var skipped = _lineEnded ? rest.IndexOfAnyExcept(" \t\r\n"u8) : rest.IndexOf(LineFeed);
            _start = skipped < 0 ? _end : _start + skipped;
            if (skipped >= 0)
            {
                if (_lineEnded)
                {
                    _lineEnded = false;
                    return true;
                }

                _lineEnded = true;
            }
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_lineEnded || buffer.IsEmpty || (_start == _end && !await FillAsync(cancellationToken)))
        {
            return 0;
        }

        var rest = _buffer.AsMemory(_start, _end - _start);
        var lineFeed = rest.Span.IndexOf(LineFeed);
        var line = rest[..Math.Min(buffer.Length, lineFeed < 0 ? rest.Length : lineFeed)];
        line.CopyTo(buffer);
        _start += line.Length;
        if (line.Length == lineFeed)
        {
            _start++;
            _lineEnded = true;
        }

        return line.Length;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            Arrays.Return(_buffer);
        }

        base.Dispose(disposing);
    }

    private async ValueTask<bool> FillAsync(CancellationToken aborted)
    {
        (_start, _end) = (0, await stream.ReadAsync(_buffer, aborted));
        return _end > 0;
    }
}
