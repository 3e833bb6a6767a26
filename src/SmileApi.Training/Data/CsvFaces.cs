using System.Globalization;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>
/// Pictures of one's own, listed in a CSV file (RFC 4180, UTF-8) with a header line. Columns, in any order, others are ignored:
/// <list type="bullet">
/// <item><c>file</c>: absolute, or relative to the CSV file's folder.</item>
/// <item><c>label</c>: <c>smile</c>, <c>smiling</c>, <c>1</c>, <c>true</c> or <c>yes</c>; <c>nonsmile</c>, <c>neutral</c>, <c>0</c>, <c>false</c> or <c>no</c>.</item>
/// <item><c>split</c>, optional: <c>train</c>, <c>val</c> or <c>test</c>. Without this column the hash of each picture decides.</item>
/// <item><c>x</c>, <c>y</c>, <c>size</c> (or <c>face_x</c>, <c>face_y</c>, <c>face_size</c>), optional: the square from the brow to below
/// the lower lip, its left and upper edge and its side, all as fractions of the upright picture's width. Empty, or without these
/// columns, the face fills the picture.</item>
/// </list>
/// </summary>
internal static class CsvFaces
{
    private static readonly string[][] SquareColumns = [["face_x", "face_y", "face_size"], ["x", "y", "size"]];

    /// <summary>Reads the list and the hashes of the pictures.</summary>
    /// <exception cref="CommandException">It is no such list; the message names the line.</exception>
    public static PictureFiles Open(string path)
    {
        var bytes = CsvTable.Bytes(path);
        if (!path.EndsWith(".csv", StringComparison.OrdinalIgnoreCase))
        {
            throw new CommandException($"{path} is neither a folder nor a CSV file.");
        }

        var table = CsvTable.Read(path, bytes).Require(path, "file", "label");
        var square = SquareColumns.FirstOrDefault(columns => columns.Any(table.Has));
        table.Require(path, square ?? []);
        var folder = Path.GetDirectoryName(path)!;
        PictureFile[] files =
        [
            .. table.Rows.Select(row => PictureFile.Of(
                Path.Combine(folder, FileOf(row)), IsSmile(row), square is null ? null : SquareOf(row, square), table.Has("split") ? SplitOf(row) : null)),
        ];
        var split = files.Where(file => file.Hash is not null).GroupBy(file => (file.Hash, file.Square)).FirstOrDefault(copies => copies.DistinctBy(copy => copy.GivenSplit).Count() > 1);
        if (split is not null)
        {
            throw new CommandException(
                $"{path}: the same face is in several splits, so that scores would be of what was learned: {string.Join(", ", split.Select(copy => $"{copy.Path} ({copy.GivenSplit})"))}.");
        }

        return new PictureFiles(
            path,
            files,
            new Dictionary<string, string> { [Path.GetFileName(path)] = TrainingTargets.KeyOf(bytes) });
    }

    private static string FileOf(CsvRow row) =>
        row["file"] is { Length: > 0 } file && !file.Contains('\0', StringComparison.Ordinal) ? file : throw row.Refuse("the cell 'file' names no file.");

    private static bool IsSmile(CsvRow row) => row["label"].ToUpperInvariant() switch
    {
        "SMILE" or "SMILING" or "1" or "TRUE" or "YES" => true,
        "NONSMILE" or "NEUTRAL" or "0" or "FALSE" or "NO" => false,
        _ => throw row.Refuse($"the label '{row["label"]}' is neither 'smile' (smiling, 1, true, yes) nor 'nonsmile' (neutral, 0, false, no)."),
    };

    private static string SplitOf(CsvRow row) =>
        row["split"] is "train" or "val" or "test" ? row["split"] : throw row.Refuse($"the split '{row["split"]}' is none of train, val and test.");

    private static FaceSquare? SquareOf(CsvRow row, string[] columns)
    {
        string[] cells = [.. columns.Select(column => row[column])];
        if (cells.All(cell => cell.Length == 0))
        {
            return null;
        }

        // A picture may be several times as high as it is wide, and a square may reach beyond it; pixels are larger by far.
        return Number(cells[0], out var x) & Number(cells[1], out var y) & Number(cells[2], out var size) && size is > 0 and <= 2 && x is >= -2 and <= 2 && y is >= -2 and <= 20
            ? new FaceSquare(x, y, size)
            : throw row.Refuse($"the square {string.Join(", ", columns)} = {string.Join(", ", cells)} is not in fractions of the picture's width.");

        static bool Number(string cell, out float value) => float.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }
}
