using System.Globalization;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>A line of <c>labels.csv</c>.</summary>
/// <param name="File">Name of the picture within <c>images/</c>.</param>
/// <param name="Person">Who it is; only ever compared.</param>
/// <param name="Split"><c>train</c>, <c>val</c> or <c>test</c>; no person is in two.</param>
/// <param name="Label"><c>smile</c> or <c>nonsmile</c> where two labellings agree; else <c>disputed</c> or <c>unmatched</c>.</param>
/// <param name="Emotion">What one of the labellings, of seven emotions, says; <c>happiness</c> for instance.</param>
/// <param name="Square">The labelled crop, as fractions of the picture's width.</param>
internal sealed record LabelRow(string File, string Person, string Split, string Label, string Emotion, FaceSquare Square)
{
    public bool IsAgreed => Label is "smile" or "nonsmile";

    /// <summary>Of an agreed label: 1 a smile, 0 none.</summary>
    public float Target => Label == "smile" ? 1 : 0;
}

/// <summary>A decoded picture, the square of the face in it, and how much of a smile it is.</summary>
/// <param name="Image">Kept for as long as the process lives.</param>
/// <param name="Square">In pixels of <paramref name="Image"/>.</param>
/// <param name="Target">0 not smiling, 1 smiling; between for soft labels.</param>
internal sealed record Face(GreyImage Image, FaceSquare Square, float Target)
{
    public bool IsSmile => Target >= 0.5f;

    /// <summary>The face as the served network sees it.</summary>
    public float[] Crop(Normalisation normalisation)
    {
        var crop = new float[FaceCrop.Length];
        FaceCrop.Resample(Image, Square, normalisation, crop);
        return crop;
    }
}

/// <summary>Reads <c>lfw160.tar</c>: press photographs of faces with <c>labels.csv</c>.</summary>
internal sealed class Lfw160 : IFaceData
{
    public const string ArchiveName = "lfw160.tar";

    /// <summary>Where the face is when nobody has said so: the median of the known squares.</summary>
    private static readonly FaceSquare MedianSquare = new(0.129f, 0.214f, 0.714f);

    // SkiaSharp on every system, so that every system trains on the same pixels.
    private static readonly ImageDecoder Decoder = new(new ImageLimits(), useTurboJpeg: false);

    private static readonly string[] Columns = ["file", "person", "split", "label", "emotion", "face_x", "face_y", "face_size"];

    private readonly string _archive;
    private readonly Dictionary<string, LabelRow> _rows;
    private readonly TrainingTargets? _targets;
    private readonly Fold? _without;

    private Lfw160(string archive, Dictionary<string, LabelRow> rows, TrainingTargets? targets, Fold? without) =>
        (_archive, _rows, _targets, _without) = (archive, rows, targets, without);

    /// <summary>Opens the archive in a data folder and reads its labels.</summary>
    /// <param name="folder">The folder, or null for <c>SMILE_DATA</c>, or else <c>../shared/data</c>.</param>
    /// <param name="targets">What training pictures are learned as instead of their delivered labels; null leaves those without a certain label out.</param>
    /// <param name="without">Training pictures of these people are left out.</param>
    /// <exception cref="CommandException">There is no such archive, or it is another one.</exception>
    public static Lfw160 Open(string? folder, TrainingTargets? targets = null, Fold? without = null)
    {
        var archive = Path.Combine(Folder(folder), ArchiveName);
        var labels = Archive.Entries(archive, name => name.EndsWith("/labels.csv", StringComparison.Ordinal)).Select(entry => entry.Bytes).FirstOrDefault()
            ?? throw new CommandException($"{archive} has no labels.csv in it, so it is another archive than the one expected.");
        return new Lfw160(archive, ReadLabels(archive, System.Text.Encoding.UTF8.GetString(labels)), targets, without);
    }

    /// <summary>The data folder that is meant.</summary>
    /// <param name="folder">The folder, or null for <c>SMILE_DATA</c>, or else <c>../shared/data</c>.</param>
    /// <exception cref="CommandException">It has no such archive.</exception>
    public static string Folder(string? folder)
    {
        folder = FaceData.Existing(folder);
        return File.Exists(Path.Combine(folder, ArchiveName)) ? folder : throw new CommandException($"The data folder {folder} has no {ArchiveName}.");
    }

    /// <summary>SHA-256 of each data file by name, lower-case hexadecimal.</summary>
    public IReadOnlyDictionary<string, string> Hashes()
    {
        var hashes = new Dictionary<string, string> { [ArchiveName] = Archive.Hash(_archive) };
        if (_without is not null)
        {
            hashes[Fold.MetadataKey] = _without.ToString();
        }

        if (_targets is not null)
        {
            if (_targets.Targets.Values.Any(target => target.Label == TrainingTargets.Unlabelled))
            {
                hashes[Faces36.ArchiveName] = Archive.Hash(Path.Combine(Path.GetDirectoryName(_archive)!, Faces36.ArchiveName));
            }

            hashes[_targets.FileName] = _targets.Sha256;
        }

        return hashes;
    }

    /// <summary>The pictures as they are in the archive, in its order.</summary>
    public IEnumerable<(LabelRow Row, byte[] Bytes)> Files(Func<LabelRow, bool> wanted)
    {
        foreach (var (name, bytes) in Archive.Entries(_archive, name => Find(name) is { } row && wanted(row)))
        {
            yield return (Find(name)!, bytes);
        }

        LabelRow? Find(string entry) => _rows.GetValueOrDefault(entry[(entry.LastIndexOf('/') + 1)..]);
    }

    public string Licence =>
        "The weights were trained on pictures that allow research use only; for commercial use retrain on pictures of your own, by one command: smile train.";

    /// <summary>
    /// The faces on whose label both labellings agree, cropped as labelled; of <c>train</c> all that have a target, those of
    /// <see cref="Faces36"/> among them.
    /// </summary>
    /// <exception cref="CommandException">
    /// A picture cannot be read, or a target belongs to none, or there are fewer than <paramref name="perClass"/> of a class.
    /// </exception>
    public IReadOnlyList<Face> Faces(string split, int perClass)
    {
        if (split != "train")
        {
            return FaceData.RequireBoth([.. Files(row => row.Split == split && row.IsAgreed).Select(file => Face(file.Row, file.Bytes, file.Row.Target))], perClass, _archive, split);
        }

        var (faces, used) = (new List<Face>(), new HashSet<string>());
        foreach (var (row, bytes) in Files(row => row.Split == split && (row.IsAgreed || _targets is not null) && _without?.LeavesOut(row.Person) is not true))
        {
            if (Target(bytes) is { } target)
            {
                faces.Add(Face(row, bytes, target));
            }
            else if (row.IsAgreed)
            {
                faces.Add(Face(row, bytes, row.Target));
            }
        }

        if (_targets is not null && _targets.Targets.Values.Any(target => target.Label == TrainingTargets.Unlabelled))
        {
            foreach (var (name, bytes) in Faces36.Files(Path.GetDirectoryName(_archive)!))
            {
                if (Target(bytes) is { } target)
                {
                    faces.Add(Faces36.Face(name, bytes, target));
                }
            }
        }

        if (_without is null && _targets is not null && used.Count != _targets.Targets.Count)
        {
            throw new CommandException($"{_targets.FileName} has targets of {_targets.Targets.Count - used.Count} pictures that are not among the training pictures; it belongs to other data.");
        }

        return FaceData.RequireBoth(faces, perClass, _archive, split);

        float? Target(byte[] bytes)
        {
            if (_targets?.Targets.TryGetValue(TrainingTargets.KeyOf(bytes), out var target) is not true)
            {
                return null;
            }

            used.Add(target!.Key);
            return (float)target.Target;
        }
    }

    /// <summary>Decodes a picture of the archive and marks its labelled square.</summary>
    /// <param name="target">0 not smiling to 1 smiling.</param>
    public static Face Face(LabelRow row, ReadOnlySpan<byte> bytes, float target)
    {
        var image = Decode(row.File, bytes);
        return new Face(image, row.Square.Scaled(image.Width), target);
    }

    /// <summary>Decodes a picture as the server does where it has no libturbojpeg.</summary>
    public static GreyImage Decode(string name, ReadOnlySpan<byte> bytes) =>
        Decoder.TryDecode(bytes, FaceCrop.Side, out var image, out var rejection)
            ? image
            : throw new CommandException($"{name} cannot be read: {rejection.Detail}");

    private static Dictionary<string, LabelRow> ReadLabels(string archive, string csv)
    {
        var lines = csv.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var columns = lines.FirstOrDefault("").Split(',');
        int[] places = [.. Columns.Select(column => Array.IndexOf(columns, column))];
        if (places.Contains(-1))
        {
            throw new CommandException($"The labels.csv in {archive} lacks one of the columns {string.Join(", ", Columns)}.");
        }

        var rows = new Dictionary<string, LabelRow>();
        foreach (var (number, line) in lines.Index().Skip(1))
        {
            var cells = line.Split(',');
            if (cells.Length != columns.Length)
            {
                throw new CommandException($"Line {number + 1} of the labels.csv in {archive} has {cells.Length} columns instead of {columns.Length}.");
            }

            var known = Number(cells[places[5]], out var x) & Number(cells[places[6]], out var y) & Number(cells[places[7]], out var size);
            var square = known && size > 0 ? new FaceSquare(x, y, size) : MedianSquare;
            rows[cells[places[0]]] = new LabelRow(cells[places[0]], cells[places[1]], cells[places[2]], cells[places[3]], cells[places[4]], square);
        }

        return rows;

        static bool Number(string cell, out float value) => float.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }
}
