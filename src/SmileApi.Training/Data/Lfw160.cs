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
/// <param name="HasSquare">Whether somebody has labelled that crop; else it is where such crops mostly are.</param>
internal sealed record LabelRow(string File, string Person, string Split, string Label, string Emotion, FaceSquare Square, bool HasSquare)
{
    public bool IsAgreed => Label is "smile" or "nonsmile";

    /// <summary>Of an agreed label: 1 a smile, 0 none.</summary>
    public float Target => Label == "smile" ? 1 : 0;
}

/// <summary>A decoded picture, the square of the face in it, and how much of a smile it is.</summary>
/// <param name="Image">Kept for as long as the process lives.</param>
/// <param name="Square">In pixels of <paramref name="Image"/>.</param>
/// <param name="Target">0 not smiling, 1 smiling; between for soft labels.</param>
/// <param name="Roll">Radians clockwise by which the square is turned about its centre.</param>
/// <param name="Label">Whether it was delivered as a smile; null where nobody has said so for certain. It may contradict <paramref name="Target"/>.</param>
internal sealed record Face(GreyImage Image, FaceSquare Square, float Target, float Roll = 0, bool? Label = null)
{
    public bool IsSmile => Target >= 0.5f;

    /// <summary>The face as the served network sees it.</summary>
    public float[] Crop(Normalisation normalisation)
    {
        var crop = new float[FaceCrop.Length];
        FaceCrop.Resample(Image, Square, normalisation, crop, roll: Roll);
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

    private static readonly string[] UncertainGroups = ["disputed", "unmatched happiness", "unmatched, another emotion"];

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
        return new Lfw160(archive, ReadLabels(archive, labels), targets, without);
    }

    /// <summary>The data folder that is meant.</summary>
    /// <param name="folder">The folder, or null for <c>SMILE_DATA</c>, or else <c>../shared/data</c>.</param>
    /// <exception cref="CommandException">It has no such archive.</exception>
    public static string Folder(string? folder)
    {
        folder = FaceData.Existing(folder);
        return File.Exists(Path.Combine(folder, ArchiveName)) ? folder : throw new CommandException($"The data folder {folder} has no {ArchiveName}.");
    }

    /// <summary>What <c>labels.csv</c> says, in its order.</summary>
    public IReadOnlyList<LabelRow> Rows => [.. _rows.Values];

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

    public bool HasTestPictures => true;

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
            return FaceData.RequireBoth([.. Files(row => IsOf(row, split) && row.IsAgreed).Select(file => Face(file.Row, file.Bytes, file.Row.Target))], perClass, _archive, split);
        }

        var (faces, used) = (new List<Face>(), new HashSet<string>());
        foreach (var (row, bytes) in Files(row => row.Split == split && (row.IsAgreed || _targets is not null) && _without?.LeavesOut(row.Person) is not true))
        {
            var target = Target(bytes);
            if (row.IsAgreed)
            {
                faces.Add(Face(row, bytes, target ?? row.Target) with { Label = row.Target == 1 });
            }
            else if (target is not null)
            {
                faces.Add(Face(row, bytes, target.Value));
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

    /// <summary>The faces that the labellings disagree on, and those of which only the one that knows emotions has judged.</summary>
    public IReadOnlyList<FaceGroup> Uncertain(string split)
    {
        var groups = UncertainGroups.ToDictionary(name => name, _ => new List<Face>());
        foreach (var (row, bytes) in Files(row => IsOf(row, split) && !row.IsAgreed))
        {
            var name = UncertainGroups[row.Label == "disputed" ? 0 : row.Emotion == "happiness" ? 1 : 2];
            groups[name].Add(Face(row, bytes, target: 0.5f));
        }

        return [.. UncertainGroups.Where(name => groups[name].Count > 0).Select(name => new FaceGroup(name, groups[name]))];
    }

    /// <summary>Decodes a picture of the archive and marks its labelled square.</summary>
    /// <param name="target">0 not smiling to 1 smiling.</param>
    public static Face Face(LabelRow row, ReadOnlySpan<byte> bytes, float target)
    {
        var image = Decode(row.File, bytes);
        return new Face(image, row.Square.Scaled(image.Width), target);
    }

    /// <summary>Decodes a picture as the server does where it has no libturbojpeg.</summary>
    public static GreyImage Decode(string name, ReadOnlySpan<byte> bytes) => Decode(name, bytes, FaceCrop.Side);

    /// <summary>The same, not reduced.</summary>
    public static GreyImage DecodeWhole(string name, ReadOnlySpan<byte> bytes) => Decode(name, bytes, int.MaxValue);

    private static GreyImage Decode(string name, ReadOnlySpan<byte> bytes, int minimumSide) =>
        Decoder.TryDecode(bytes, minimumSide, out var image, out var rejection)
            ? image
            : throw new CommandException($"{name} cannot be read: {rejection.Detail}");

    private static bool IsOf(LabelRow row, string split) => split == FaceData.All || row.Split == split;

    private static Dictionary<string, LabelRow> ReadLabels(string archive, byte[] csv)
    {
        var source = $"the labels.csv in {archive}";
        var rows = new Dictionary<string, LabelRow>();
        foreach (var row in CsvTable.Read(source, csv).Require(source, Columns).Rows)
        {
            var known = Number(row["face_x"], out var x) & Number(row["face_y"], out var y) & Number(row["face_size"], out var size) && size > 0;
            var square = known ? new FaceSquare(x, y, size) : MedianSquare;
            rows[row["file"]] = new LabelRow(row["file"], row["person"], row["split"], row["label"], row["emotion"], square, known);
        }

        return rows;

        static bool Number(string cell, out float value) => float.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }
}
