using System.Security.Cryptography;
using System.Text;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>A labelled picture of one's own.</summary>
/// <param name="Hash">SHA-256 of the file, lower-case hexadecimal; null if it cannot be read.</param>
/// <param name="Square">The face, as fractions of the upright picture's width; null: it fills the picture.</param>
/// <param name="GivenSplit">What whoever labelled it has said; null: the hash decides.</param>
internal sealed record PictureFile(string Path, bool IsSmile, string? Hash, FaceSquare? Square = null, string? GivenSplit = null)
{
    /// <summary>
    /// The hash decides for 70 % train, 15 % val and 15 % test, so that a file never changes sides and copies of a picture stay
    /// together; pictures of one person may fall into several. What cannot be read is told of first, with <c>train</c>.
    /// </summary>
    public string Split => GivenSplit ?? (Hash is null ? "train" : Convert.FromHexString(Hash[..2])[0] switch { < 179 => "train", < 218 => "val", _ => "test" });

    /// <summary>Reads the file's hash.</summary>
    public static PictureFile Of(string path, bool isSmile, FaceSquare? square = null, string? split = null)
    {
        try
        {
            using var file = File.OpenRead(path);
            return new PictureFile(path, isSmile, Convert.ToHexStringLower(SHA256.HashData(file)), square, split);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new PictureFile(path, isSmile, Hash: null, square, split); // Reading it again will say why.
        }
    }
}

/// <summary>Pictures of one's own. What cannot be read is listed and counted on stderr, and left out.</summary>
/// <param name="source">The folder or file that they come from.</param>
/// <param name="files">In the order in which they are read, and told of.</param>
/// <param name="hashes">SHA-256 of data beside the pictures by name, lower-case hexadecimal.</param>
internal sealed class PictureFiles(string source, IReadOnlyList<PictureFile> files, IReadOnlyDictionary<string, string> hashes) : IFaceData
{
    /// <summary>Of a face or its picture, in pixels: less shows no expression, and pictures of one pixel cannot be turned.</summary>
    private const int LeastSide = 8;

    // SkiaSharp on every system, so that every system trains on the same pixels.
    private static readonly ImageDecoder Decoder = new(new ImageLimits(), useTurboJpeg: false);

    public string Licence => "The weights were trained on pictures chosen by whoever trained them, and may be used for what the owners of those pictures allow.";

    public bool HasTestPictures => files.Any(file => file.GivenSplit is not null);

    public IReadOnlyList<Face> Faces(string split, int perClass)
    {
        var (faces, refused) = (new List<(string? Hash, Face Face)>(), 0);
        foreach (var file in files.Where(file => split == FaceData.All || file.Split == split))
        {
            if (Read(file, out var face) is { } reason)
            {
                Console.Error.WriteLine($"left out: {file.Path}: {reason}");
                refused++;
                continue;
            }

            faces.Add((file.Hash, face!));
        }

        if (refused > 0)
        {
            Console.Error.WriteLine($"{refused} of {faces.Count + refused} files of the split '{split}' were left out.");
        }

        // Whatever the files are called: a renamed one changes neither the run nor, below, the hash of all.
        return FaceData.RequireBoth([.. faces.OrderBy(face => face.Hash, StringComparer.Ordinal).Select(face => face.Face)], perClass, source, split);
    }

    public IReadOnlyDictionary<string, string> Hashes()
    {
        var labelled = files.Select(file => $"{file.Hash ?? "unreadable"} {(file.IsSmile ? "smile" : "nonsmile")}\n").Order(StringComparer.Ordinal);
        return new Dictionary<string, string>(hashes)
        {
            ["pictures"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Concat(labelled)))),
        };
    }

    /// <returns>What is wrong with the file, or null.</returns>
    private static string? Read(PictureFile file, out Face? face)
    {
        face = null;
        try
        {
            // A face that is a tenth of its picture must not be reduced with it to a few pixels.
            var minimumSide = (int)Math.Min(100_000, FaceCrop.Side / Math.Min(1, file.Square?.Side ?? 1));
            if (Directory.Exists(file.Path))
            {
                return "This is a folder, not a picture.";
            }

            if (!Decoder.TryDecode(File.ReadAllBytes(file.Path), minimumSide, out var image, out var rejection))
            {
                return rejection.Detail;
            }

            var square = file.Square?.Scaled(image.Width) ?? FaceSquare.Centred(image.Width, image.Height);
            if (square.X >= image.Width || square.Y >= image.Height || square.X + square.Side <= 0 || square.Y + square.Side <= 0)
            {
                image.Dispose();
                return "Its face square lies beside the picture.";
            }

            if (Math.Min(square.Side, Math.Min(image.Width, image.Height)) < LeastSide)
            {
                image.Dispose();
                return $"Its face is smaller than {LeastSide} pixels.";
            }

            face = Surroundings(new Face(image, square, file.IsSmile ? 1 : 0, Label: file.IsSmile));
            return null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return "There is no such file.";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    /// <summary>
    /// Keeps three times the face's square, which no augmentation leaves, of pictures that show much more: thousands of whole
    /// photographs do not fit into memory.
    /// </summary>
    private static Face Surroundings(Face face)
    {
        var (image, square) = (face.Image, face.Square);
        var (left, right) = Range(square.X, image.Width);
        var (top, bottom) = Range(square.Y, image.Height);
        if (2L * (right - left) * (bottom - top) > (long)image.Width * image.Height)
        {
            return face;
        }

        var cut = new GreyImage(right - left, bottom - top, image.Reduction, image.OriginalWidth, image.OriginalHeight, image.Format);
        for (var y = top; y < bottom; y++)
        {
            image.Pixels.Slice(y * image.Width + left, cut.Width).CopyTo(cut.Pixels[((y - top) * cut.Width)..]);
        }

        image.Dispose();
        return face with { Image = cut, Square = new FaceSquare(square.X - left, square.Y - top, square.Side) };

        (int From, int To) Range(float start, int length) =>
            (Math.Clamp((int)(start - square.Side), 0, length - 1), Math.Clamp((int)Math.Ceiling(start + 2 * square.Side), 1, length));
    }
}
