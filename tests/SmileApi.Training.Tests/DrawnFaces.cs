using System.Formats.Tar;
using System.Globalization;
using System.Text;
using SmileApi.Imaging;

namespace SmileApi.Training.Tests;

/// <summary>Faces drawn by formula, smiling and frowning by turns, no two alike: a world small enough to learn in seconds.</summary>
internal static class DrawnFaces
{
    private const int Side = 120;
    private static readonly FaceSquare Square = new(0.1f, 0.1f, 0.8f);

    public static TrainingData Data(int train = 128) => new(Faces(1, train), Faces(2, 40), new Dictionary<string, string> { ["drawn"] = "00" }, "Drawn by formula: for anything.");

    public static Face[] Faces(int seed, int count) => [.. Enumerable.Range(0, count).Select(i =>
    {
        var picture = Draw(seed, i);
        var image = new GreyImage(Side, Side, 1, Side, Side, ImageFormat.Png);
        picture.Pixels.CopyTo(image.Pixels);
        return new Face(image, Square.Scaled(Side), i % 2);
    })];

    /// <summary>
    /// Writes an archive like the real one; every third face has no square of its own. As many as are disputed in <c>train</c> are
    /// in <c>test</c> happy and unmatched, but one of them sad.
    /// </summary>
    public static string WriteArchive(string folder, int train = 80, int disputed = 0)
    {
        Directory.CreateDirectory(folder);
        var labels = new StringBuilder("file,person,split,label,emotion,smilesmiled_label,smilesmiled_id,face_x,face_y,face_size\n");
        using var archive = new TarWriter(File.Create(Path.Combine(folder, Lfw160.ArchiveName)));
        foreach (var (seed, split, count, label) in new[] { (1, "train", train, ""), (5, "train", disputed, "disputed"), (6, "test", disputed, "unmatched"), (2, "val", 40, ""), (3, "test", 40, "") })
        {
            for (var i = 0; i < count; i++)
            {
                var picture = Draw(seed, i);
                var delivered = label.Length > 0 ? label : i % 2 == 1 ? "smile" : "nonsmile";
                Add($"lfw160/images/{picture.Name}.png", GreyPng.Encode(picture.Pixels, picture.Width, picture.Height));
                labels.Append($"{picture.Name}.png,person {i % 12},{split},{delivered},{(label != "unmatched" ? "" : i == 0 ? "sadness" : "happiness")},,,{(i % 3 == 0 ? ",," : "0.1,0.1,0.8")}\n");
            }
        }

        Add("lfw160/labels.csv", Encoding.UTF8.GetBytes(labels.ToString()));
        return folder;

        void Add(string name, byte[] bytes) => archive.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });
    }

    /// <summary>Writes an archive of small faces without labels beside the other one.</summary>
    /// <returns>Their keys.</returns>
    public static string[] WriteFaces36(string folder, int count)
    {
        using var archive = new TarWriter(File.Create(Path.Combine(folder, Faces36.ArchiveName)));
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            using var bitmap = GreyPng.Bitmap(GoldenPictures.DrawFace("", 36, 36, i % 2 == 1 ? 0.2 : -0.2, 150 + i).Pixels, 36, 36);
            using var jpeg = bitmap.Encode(SkiaSharp.SKEncodedImageFormat.Jpeg, 95);
            archive.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, $"faces36/{i}.jpg") { DataStream = new MemoryStream(jpeg.ToArray()) });
            return TrainingTargets.KeyOf(jpeg.AsSpan());
        })];
    }

    /// <summary>Pictures without faces: shades, rings, stripes and grain, no two alike.</summary>
    public static GreyImage[] Scenes(int seed, int count, int width = 320, int height = 240) => [.. Enumerable.Range(0, count).Select(i =>
    {
        var random = new SplitMix(seed, -1, i);
        var scene = new GreyImage(width, height, 1, width, height, ImageFormat.Png);
        var (level, across, down, grain) = (random.Uniform(60, 190), random.Uniform(-0.3, 0.3), random.Uniform(-0.3, 0.3), random.Uniform(1, 12));
        var (rings, period, strength) = (random.Uniform() < 0.5, random.Uniform(6, 60), random.Uniform(5, 50));
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var (u, v) = (x - width / 2.0, y - height / 2.0);
                var wave = Math.Sin((rings ? Math.Sqrt(u * u + v * v) : u + 2 * v) / period * 2 * Math.PI);
                scene.Pixels[y * width + x] = (byte)Math.Clamp(level + across * u + down * v + strength * wave + random.Uniform(-grain, grain), 0, 255);
            }
        }

        return scene;
    })];

    /// <summary>Faces to be blended into scenes.</summary>
    public static FacePicture[] Pictures(int seed, int count) => [.. Faces(seed, count).Select(face => new FacePicture(face.Image, face.Square))];

    /// <summary>Writes an archive of scenes without faces beside the other one: thirty are enough for each split to have some.</summary>
    public static void WriteScenes(string folder, int count = 30)
    {
        using var archive = new TarWriter(File.Create(Path.Combine(folder, Training.Scenes.ArchiveName)));
        foreach (var (i, scene) in Scenes(1, count).Index())
        {
            using var bitmap = GreyPng.Bitmap(scene.Pixels, scene.Width, scene.Height);
            using var jpeg = bitmap.Encode(SkiaSharp.SKEncodedImageFormat.Jpeg, 95);
            archive.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, $"scenes-without-faces/{i}.jpg") { DataStream = new MemoryStream(jpeg.ToArray()) });
        }
    }

    /// <summary>Writes the faces as picture files in the sub-folders <c>smile</c> and <c>other</c>.</summary>
    /// <returns>How many.</returns>
    public static int WriteFolders(string folder, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var picture = Draw(4, i);
            var path = Directory.CreateDirectory(Path.Combine(folder, i % 2 == 1 ? "smile" : "other")).FullName;
            File.WriteAllBytes(Path.Combine(path, $"{picture.Name}.png"), GreyPng.Encode(picture.Pixels, picture.Width, picture.Height));
        }

        return count;
    }

    /// <summary>Writes the faces as picture files in the folder of a CSV file that lists them, smiling and not by turns.</summary>
    /// <param name="header">Of the CSV file, after <c>file,label</c>: <c>,split</c> for instance.</param>
    /// <param name="rest">The rest of each line, by its number from 0.</param>
    /// <returns>The CSV file.</returns>
    public static string WriteCsv(string folder, int count, string header = "", Func<int, string>? rest = null)
    {
        Directory.CreateDirectory(folder);
        var csv = new StringBuilder($"file,label{header}\n");
        for (var i = 0; i < count; i++)
        {
            var picture = Draw(7, i);
            File.WriteAllBytes(Path.Combine(folder, $"{i}.png"), GreyPng.Encode(picture.Pixels, picture.Width, picture.Height));
            csv.Append(CultureInfo.InvariantCulture, $"{i}.png,{(i % 2 == 1 ? "smile" : "nonsmile")}{rest?.Invoke(i)}\n");
        }

        var path = Path.Combine(folder, "faces.csv");
        File.WriteAllText(path, csv.ToString());
        return path;
    }

    private static GoldenPicture Draw(int seed, int index)
    {
        var random = new SplitMix(seed, index);
        var curve = random.Uniform(0.1, 0.25) * (index % 2 == 1 ? 1 : -1);
        return GoldenPictures.DrawFace(
            $"{seed}-{index}", Side, Side, curve, (int)random.Uniform(120, 240), (int)random.Uniform(0, 100), random.Uniform(0.45, 0.55), random.Uniform(0.45, 0.55));
    }
}
