using System.Runtime.InteropServices;

namespace SmileApi.Imaging;

/// <summary>
/// A decoded picture: upright grey levels, 0 black to 255 white, possibly reduced. It owns rented memory; dispose it once,
/// after the last use of <see cref="Pixels"/>.
/// </summary>
public sealed unsafe class GreyImage : IDisposable
{
    /// <summary>From here on memory comes from the system, which gets it back at once.</summary>
    private const int LargeForAPool = 1 << 20;

    private byte[]? _rented;
    private nint _native;

    /// <summary>Rents memory for a picture; its pixels are undefined until written.</summary>
    /// <param name="width">Width in pixels, at least 1.</param>
    /// <param name="height">Height in pixels, at least 1.</param>
    /// <param name="reduction">How many original pixels one pixel stands for along each side: 1, 2, 4 or 8.</param>
    /// <param name="originalWidth">Upright width of the original, in pixels.</param>
    /// <param name="originalHeight">Upright height of the original, in pixels.</param>
    /// <param name="format">The format that it was read from.</param>
    public GreyImage(int width, int height, int reduction, int originalWidth, int originalHeight, ImageFormat format)
    {
        var length = checked(width * height);
        if (length >= LargeForAPool)
        {
            _native = (nint)NativeMemory.Alloc((nuint)length);
        }
        else
        {
            _rented = Arrays.Rent<byte>(length);
        }

        (Width, Height, Reduction) = (width, height, reduction);
        (OriginalWidth, OriginalHeight, Format) = (originalWidth, originalHeight, format);
    }

    /// <summary>Width of <see cref="Pixels"/>.</summary>
    public int Width { get; }

    /// <summary>Height of <see cref="Pixels"/>.</summary>
    public int Height { get; }

    /// <summary>How many original pixels one of these stands for along each side: 1, 2, 4 or 8.</summary>
    public int Reduction { get; }

    /// <summary>Upright width of the picture as it was sent, in pixels.</summary>
    public int OriginalWidth { get; }

    /// <summary>Upright height of the picture as it was sent, in pixels.</summary>
    public int OriginalHeight { get; }

    /// <summary>The format that it was read from.</summary>
    public ImageFormat Format { get; }

    /// <summary>Grey levels, row-major, shape <c>[Height, Width]</c>.</summary>
    /// <exception cref="ObjectDisposedException">The picture has been disposed.</exception>
    public Span<byte> Pixels
    {
        get
        {
            ObjectDisposedException.ThrowIf(_rented is null && _native == 0, this);
            return _rented is null ? new Span<byte>((void*)_native, Width * Height) : _rented.AsSpan(0, Width * Height);
        }
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _rented, null) is { } rented)
        {
            Arrays.Return(rented);
        }

        NativeMemory.Free((void*)Interlocked.Exchange(ref _native, 0)); // Null is allowed.
    }

    /// <summary>Turns a stored picture upright; owns and disposes the given one.</summary>
    internal static GreyImage TurnUpright(GreyImage stored, Orientation orientation)
    {
        if (orientation == Orientation.Upright)
        {
            return stored;
        }

        using (stored)
        {
            var upright = orientation.SwapsSides()
                ? new GreyImage(stored.Height, stored.Width, stored.Reduction, stored.OriginalHeight, stored.OriginalWidth, stored.Format)
                : new GreyImage(stored.Width, stored.Height, stored.Reduction, stored.OriginalWidth, stored.OriginalHeight, stored.Format);
            orientation.Apply(stored.Pixels, stored.Width, stored.Height, upright.Pixels);
            return upright;
        }
    }
}
