using System.Globalization;

namespace SmileApi.Training;

/// <summary>A whole photograph and the boxes that somebody has drawn round the heads in it.</summary>
/// <param name="File">Its name.</param>
/// <param name="Bytes">The picture as it is in the archive.</param>
/// <param name="Boxes">In pixels of the photograph; none where there is no face.</param>
internal sealed record LabelledPhoto(string File, byte[] Bytes, IReadOnlyList<Box> Boxes);

/// <summary>Reads <c>photos-with-boxes.tar</c>: photographs that test a face detector. Nothing is learned from them or chosen by them.</summary>
internal static class PhotosWithBoxes
{
    public const string ArchiveName = "photos-with-boxes.tar";

    private static readonly string[] Columns = ["file", "x", "y", "w", "h"];

    /// <summary>The photographs, in the order of the archive.</summary>
    /// <param name="folder">The data folder, or null for <c>SMILE_DATA</c>, or else <c>../shared/data</c>.</param>
    /// <exception cref="CommandException">There is no such archive, or it is another one.</exception>
    public static IReadOnlyList<LabelledPhoto> Read(string? folder)
    {
        var archive = Path.Combine(FaceData.Existing(folder), ArchiveName);
        var files = Archive.Entries(archive, name => name.Contains("/images/", StringComparison.Ordinal) || name.EndsWith("/boxes.csv", StringComparison.Ordinal)).ToArray();
        var csv = files.FirstOrDefault(file => file.Name.EndsWith("/boxes.csv", StringComparison.Ordinal)).Bytes
            ?? throw new CommandException($"{archive} has no boxes.csv in it, so it is another archive than the one expected.");
        var boxes = ReadBoxes($"the boxes.csv in {archive}", csv);
        if (boxes.Count == 0)
        {
            throw new CommandException($"{archive} has no boxes to judge by.");
        }

        LabelledPhoto[] photos = [.. files.Where(file => file.Bytes != csv).Select(file => Photo(file.Name[(file.Name.LastIndexOf('/') + 1)..], file.Bytes))];
        return boxes.FirstOrDefault(labelled => !photos.Any(photo => photo.File == labelled.Key)) is { } lost
            ? throw new CommandException($"{archive} has boxes in {lost.Key}, and no such picture.")
            : photos;

        LabelledPhoto Photo(string name, byte[] bytes) => new(name, bytes, [.. boxes[name]]);
    }

    private static ILookup<string, Box> ReadBoxes(string source, byte[] csv)
    {
        return CsvTable.Read(source, csv).Require(source, Columns).Rows.ToLookup(row => row["file"], row => new Box(Number(row, "x"), Number(row, "y"), Size(row, "w"), Size(row, "h")));

        static float Number(CsvRow row, string column) => float.TryParse(row[column], NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && float.IsFinite(value)
            ? value
            : throw row.Refuse($"{column} is '{row[column]}', which is no number.");

        static float Size(CsvRow row, string column) => Number(row, column) is > 0 and var size ? size : throw row.Refuse($"{column} is {row[column]}, and a box has a size.");
    }
}
