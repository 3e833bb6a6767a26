using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>Reads <c>faces36.tar</c>: faces of ordinary people from the web, 36x36 grey, whose expressions nobody has labelled.</summary>
internal static class Faces36
{
    public const string ArchiveName = "faces36.tar";

    /// <summary>The smile network's crop within these looser ones, as fractions of their width; where networks trained on that crop agree with themselves most.</summary>
    private static readonly FaceSquare Square = new(0.19f, 0.21f, 0.62f);

    /// <summary>Whether a data folder has the archive.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, ArchiveName));

    /// <summary>The pictures as they are in the archive, in its order.</summary>
    public static IEnumerable<(string Name, byte[] Bytes)> Files(string folder) =>
        Archive.Entries(Path.Combine(folder, ArchiveName), name => name.EndsWith(".jpg", StringComparison.Ordinal));

    /// <summary>Decodes a picture of the archive and marks its square.</summary>
    /// <param name="target">0 not smiling to 1 smiling.</param>
    public static Face Face(string name, ReadOnlySpan<byte> bytes, float target)
    {
        var image = Lfw160.Decode(name, bytes);
        return new Face(image, Square.Scaled(image.Width), target);
    }
}
