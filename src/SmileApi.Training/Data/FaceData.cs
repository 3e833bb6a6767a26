using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>Labelled faces in three splits: <c>train</c>, <c>val</c> and <c>test</c>.</summary>
internal interface IFaceData
{
    /// <summary>What a model trained on these pictures may be used for, in a sentence.</summary>
    string Licence { get; }

    /// <summary>Whether somebody has said which pictures are for tests; else their hashes do.</summary>
    bool HasTestPictures { get; }

    /// <summary>The decoded faces of one split, or of <see cref="FaceData.All"/>, always in the same order.</summary>
    /// <exception cref="CommandException">There are fewer than <paramref name="perClass"/> of a class.</exception>
    IReadOnlyList<Face> Faces(string split, int perClass);

    /// <summary>The faces of a split whose label is not certain, in groups; none where every label is.</summary>
    IReadOnlyList<FaceGroup> Uncertain(string split) => [];

    /// <summary>SHA-256 of the data by name, lower-case hexadecimal.</summary>
    IReadOnlyDictionary<string, string> Hashes();
}

/// <summary>Faces that have something in common.</summary>
internal sealed record FaceGroup(string Name, IReadOnlyList<Face> Faces);

/// <summary>Finds out what kind of data a path holds.</summary>
internal static class FaceData
{
    /// <summary>Instead of a split: the faces of all three.</summary>
    public const string All = "all";

    /// <param name="path">A folder or a CSV file, or null for <c>SMILE_DATA</c>, or else <c>../shared/data</c>.</param>
    /// <param name="targets">A CSV that <c>smile clean</c> or <c>smile teach</c> has written, or null; for <see cref="Lfw160"/> only.</param>
    /// <param name="without">Training pictures of these people are left out; for <see cref="Lfw160"/> only.</param>
    /// <exception cref="CommandException">It holds nothing to learn from.</exception>
    public static IFaceData Open(string? path, string? targets = null, Fold? without = null)
    {
        path = Named(path);
        var read = targets is null ? null : TrainingTargets.Read(targets);
        if (!File.Exists(path) && File.Exists(Path.Combine(Existing(path), Lfw160.ArchiveName)))
        {
            return Lfw160.Open(path, read, without);
        }

        return (File.Exists(path), read, without) switch
        {
            (true, null, null) => CsvFaces.Open(path),
            (false, null, null) => ClassFolders.Open(path),
            _ => throw new CommandException($"--targets and --without-fold belong to {Lfw160.ArchiveName}, and {path} has none."),
        };
    }

    /// <returns>The folder that is meant.</returns>
    /// <exception cref="CommandException">There is no such folder.</exception>
    public static string Existing(string? folder)
    {
        folder = Named(folder);
        return Directory.Exists(folder)
            ? folder
            : throw new CommandException($"There is no data folder {folder}; name the one that holds the pictures, here or by SMILE_DATA.");
    }

    /// <summary>
    /// Whose faces judge a model when nobody says: those for tests; all, where nobody has set any aside and the model has not learned
    /// from pictures of one's own, of which these may be some.
    /// </summary>
    public static string DefaultSplit(this IFaceData data, ModelMetadata model) =>
        data.HasTestPictures || !model.Training.Data.ContainsKey(Lfw160.ArchiveName) ? "test" : All;

    /// <summary>Refuses pictures that are not those of a run: what it calls test pictures may have been learned from.</summary>
    /// <param name="trained">SHA-256 of what was learned from, by name.</param>
    /// <param name="name">Of the run or model, for the message.</param>
    public static void RequireSame(this IFaceData data, IReadOnlyDictionary<string, string> trained, string name)
    {
        if (data.Hashes().Values.Except(trained.Values).Any())
        {
            throw new CommandException($"{name} learned from other pictures than these; name its own by --data.");
        }
    }

    /// <summary>Refuses what is too little to learn from or to measure by.</summary>
    public static IReadOnlyList<Face> RequireBoth(IReadOnlyList<Face> faces, int perClass, string source, string split)
    {
        var smiles = faces.Count(face => face.IsSmile);
        return Math.Min(smiles, faces.Count - smiles) >= perClass
            ? faces
            : throw new CommandException(
                $"{source} has {smiles} smile and {faces.Count - smiles} nonsmile pictures in its split '{split}'; at least {perClass} of each are needed.");
    }

    private static string Named(string? path) =>
        path ?? (Environment.GetEnvironmentVariable("SMILE_DATA") is { Length: > 0 } named ? named : Path.Combine("..", "shared", "data"));
}
