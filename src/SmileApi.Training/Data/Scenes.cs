using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>Reads <c>scenes-without-faces.tar</c>: photographs in which there is no face.</summary>
internal static class Scenes
{
    public const string ArchiveName = "scenes-without-faces.tar";

    /// <summary>Whether a scene is kept for measuring: the SHA-256 of its file name, as a number, is divisible by 5.</summary>
    public static bool IsHeldOut(string name) =>
        new BigInteger(SHA256.HashData(Encoding.UTF8.GetBytes(name)), isUnsigned: true, isBigEndian: true) % 5 == 0;

    /// <summary>The scenes to learn from, or those held out, in the archive's order.</summary>
    /// <param name="folder">The data folder.</param>
    /// <exception cref="CommandException">It has no such archive, or a scene cannot be read.</exception>
    public static IReadOnlyList<GreyImage> Load(string folder, bool heldOut)
    {
        var scenes = Archive.Entries(Path.Combine(folder, ArchiveName), name => name.EndsWith(".jpg", StringComparison.Ordinal))
            .Select(entry => (Name: entry.Name[(entry.Name.LastIndexOf('/') + 1)..], entry.Bytes))
            .Where(scene => IsHeldOut(scene.Name) == heldOut)
            .Select(scene => Lfw160.DecodeWhole(scene.Name, scene.Bytes));
        GreyImage[] images = [.. scenes];
        return images.Length > 0 ? images : throw new CommandException($"{Path.Combine(folder, ArchiveName)} has no pictures in it.");
    }
}
