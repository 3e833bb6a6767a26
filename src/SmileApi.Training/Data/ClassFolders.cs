using System.Security.Cryptography;
using System.Text;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>
/// Pictures of one's own: a folder with two sub-folders, one of them called <c>smile</c>. Each picture is one face that fills
/// it. The hash of its bytes decides its split, 70 % train, 15 % val and 15 % test, so that a file never changes sides and
/// copies of a picture stay together; pictures of one person may fall into several.
/// </summary>
internal sealed class ClassFolders : IFaceData
{
    private static readonly ImageDecoder Decoder = new(new ImageLimits(), useTurboJpeg: false);

    private readonly string _folder;
    private readonly List<Picture> _pictures;

    private ClassFolders(string folder, List<Picture> pictures) => (_folder, _pictures) = (folder, pictures);

    private sealed record Picture(string Path, bool IsSmile, string Hash)
    {
        public string Split => Convert.FromHexString(Hash[..2])[0] switch { < 179 => "train", < 218 => "val", _ => "test" };
    }

    public string Licence => "The weights were trained on pictures chosen by whoever trained them, and may be used for what the owners of those pictures allow.";

    /// <summary>Lists the pictures of a folder and reads their hashes.</summary>
    /// <exception cref="CommandException">It has other sub-folders than two, or none of them is called smile.</exception>
    public static ClassFolders Open(string folder)
    {
        try
        {
            var classes = Directory.GetDirectories(folder).Where(path => Path.GetFileName(path)[0] != '.').Order(StringComparer.Ordinal).ToArray();
            var smile = Array.FindAll(classes, path => Path.GetFileName(path).ToUpperInvariant() is "SMILE" or "SMILES" or "SMILING");
            if (classes.Length != 2 || smile.Length != 1)
            {
                var found = classes.Length == 0 ? "no sub-folder" : string.Join(", ", classes.Select(Path.GetFileName));
                throw new CommandException(
                    $"The data folder {folder} has neither {Lfw160.ArchiveName} nor two sub-folders of pictures, one of them called 'smile'; it has {found}.");
            }

            return new ClassFolders(folder, [.. classes.SelectMany(path => List(path, path == smile[0]))]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"The data folder {folder} cannot be read: {e.Message}");
        }
    }

    public IReadOnlyList<Face> Faces(string split, int perClass)
    {
        var (faces, refused) = (new List<Face>(), 0);
        foreach (var picture in _pictures.Where(picture => picture.Split == split))
        {
            if (Read(picture.Path, out var image) is { } reason)
            {
                Console.Error.WriteLine($"left out: {picture.Path}: {reason}");
                refused++;
                continue;
            }

            faces.Add(new Face(image!, FaceSquare.Centred(image!.Width, image.Height), picture.IsSmile ? 1 : 0));
        }

        if (refused > 0)
        {
            Console.Error.WriteLine($"{refused} of {faces.Count + refused} files of the split '{split}' were left out.");
        }

        return FaceData.RequireBoth(faces, perClass, _folder, split);
    }

    public IReadOnlyDictionary<string, string> Hashes()
    {
        var labelled = _pictures.Select(picture => $"{picture.Hash} {(picture.IsSmile ? "smile" : "nonsmile")}\n").Order(StringComparer.Ordinal);
        var name = new DirectoryInfo(_folder).Name;
        return new Dictionary<string, string> { [name] = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Concat(labelled)))) };
    }

    /// <returns>What is wrong with the file, or null.</returns>
    private static string? Read(string path, out GreyImage? image)
    {
        image = null;
        try
        {
            return Decoder.TryDecode(File.ReadAllBytes(path), FaceCrop.Side, out image, out var rejection) ? null : rejection.Detail;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    private static IEnumerable<Picture> List(string folder, bool isSmile) => Directory
        .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Where(path => Path.GetFileName(path)[0] != '.')
        .Order(StringComparer.Ordinal)
        .Select(path => new Picture(path, isSmile, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))));
}
