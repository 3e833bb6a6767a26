using System.Numerics;

namespace SmileApi.Inference;

/// <summary>
/// The few shapes to which runs on a GPU are padded, so that each can be run once before the service is ready, and memory stays
/// as it then is: batches of powers of two, and tiles with six sides.
/// </summary>
public static class FixedShapes
{
    /// <summary>Sides of tiles, in pixels: a half more from one to the next where tiles are large, and their cost counts.</summary>
    private static readonly int[] s_sides = [64, 128, 256, 384, 512, FaceSearch.MaxTileSide];

    /// <summary>All tiles' widths and heights, in pixels.</summary>
    public static IEnumerable<(int Width, int Height)> Tiles => from height in s_sides from width in s_sides select (width, height);

    /// <summary>All sizes of batches whose pictures are at most <paramref name="maxBatch"/>.</summary>
    public static IEnumerable<int> Batches(int maxBatch)
    {
        for (var size = 1; size < 2 * maxBatch; size *= 2)
        {
            yield return size;
        }
    }

    /// <summary>The size to which a batch of so many pictures is padded.</summary>
    internal static int Batch(int count) => (int)BitOperations.RoundUpToPowerOf2((uint)count);

    /// <summary>The side to which a tile's is padded, both in pixels.</summary>
    internal static int Side(int side) => Array.Find(s_sides, fixedSide => fixedSide >= side);
}
