using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace SmileApi.Imaging;

/// <summary>
/// Arrays to rent, of which few large ones are kept. The shared pool keeps one of each length for every thread that has ever given
/// one back and 32 for every processor; the large ones, of which a picture needs several, would make a service grow for hours.
/// </summary>
public static class Arrays
{
    /// <summary>From 128 KiB on; the runtime has the large object heap for arrays of 83 KiB and more.</summary>
    private const int LargeBytes = 128 << 10;

    /// <summary>Of each length so many bytes are kept: enough for 128 uploads of a small photograph at once.</summary>
    private const int KeptBytes = 16 << 20;

    private const int FewestKept = 2;

    /// <summary>Rents an array; its contents are undefined.</summary>
    /// <typeparam name="T">Numbers.</typeparam>
    /// <param name="length">0 to 2^30 elements.</param>
    /// <returns>An array of at least so many elements, to be given back by <see cref="Return"/>.</returns>
    public static T[] Rent<T>(int length)
        where T : unmanaged => PoolOf<T>(length).Rent(length);

    /// <summary>Gives an array back, once, after its last use.</summary>
    /// <typeparam name="T">Numbers.</typeparam>
    /// <param name="rented">From <see cref="Rent"/>.</param>
    public static void Return<T>(T[] rented)
        where T : unmanaged => PoolOf<T>(rented.Length).Return(rented);

    // All pools give arrays as long as the next power of two, so that an array says where it comes from.
    private static ArrayPool<T> PoolOf<T>(int length)
        where T : unmanaged => (long)length * Unsafe.SizeOf<T>() <= LargeBytes / 2
        ? ArrayPool<T>.Shared
        : Large<T>.Pools[BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)length))].Value;

    private static class Large<T>
        where T : unmanaged
    {
        // One pool a length, because a pool keeps as many of each. Element n is for arrays of 2^n.
        public static readonly Lazy<ArrayPool<T>>[] Pools = [.. Enumerable.Range(0, 31).Select(log => new Lazy<ArrayPool<T>>(() => Create(1 << log)))];

        private static ArrayPool<T> Create(int length) =>
            ArrayPool<T>.Create(length, Math.Max(FewestKept, (int)(KeptBytes / ((long)length * Unsafe.SizeOf<T>()))));
    }
}
