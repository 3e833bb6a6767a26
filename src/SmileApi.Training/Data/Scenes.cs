using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>Reads <c>scenes-without-faces.tar</c>: photographs in which there is no face.</summary>
internal static class Scenes
{
    public const string ArchiveName = "scenes-without-faces.tar";

    /// <summary>
    /// The split of a scene: of those whose name's SHA-256, as a number, is divisible by 5, none is learned from; <c>val</c> if it is
    /// even, to choose by, else <c>test</c>, to measure by.
    /// </summary>
    public static string SplitOf(string name)
    {
        var hash = new BigInteger(SHA256.HashData(Encoding.UTF8.GetBytes(name)), isUnsigned: true, isBigEndian: true);
        return hash % 5 != 0 ? "train" : hash.IsEven ? "val" : "test";
    }

    /// <summary>The scenes of a split, in the archive's order.</summary>
    /// <param name="folder">The data folder.</param>
    /// <exception cref="CommandException">It has no such archive, or no scene of the split, or a scene cannot be read.</exception>
    public static IReadOnlyList<GreyImage> Load(string folder, string split)
    {
        var scenes = Archive.Entries(Path.Combine(folder, ArchiveName), name => name.EndsWith(".jpg", StringComparison.Ordinal))
            .Select(entry => (Name: entry.Name[(entry.Name.LastIndexOf('/') + 1)..], entry.Bytes))
            .Where(scene => SplitOf(scene.Name) == split)
            .Select(scene => Lfw160.DecodeWhole(scene.Name, scene.Bytes));
        GreyImage[] images = [.. scenes];
        return images.Length > 0 ? images : throw new CommandException($"{Path.Combine(folder, ArchiveName)} has no pictures in its split '{split}'.");
    }
}
