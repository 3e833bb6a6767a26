using CsvHelper;

namespace SmileApi.Training;

/// <summary>A CSV file as RFC 4180 has it: a header line, commas, cells in double quotes where they hold commas, quotes or line ends.</summary>
/// <param name="Columns">The cells of the header line.</param>
internal sealed record CsvTable(IReadOnlyList<string> Columns, IReadOnlyList<CsvRow> Rows)
{
    private static readonly CsvReaderOptions Strict = new()
    {
        Separator = ',',
        TrimWhitespace = true,
        MalformedData = CsvMalformedDataHandling.Throw,
        TrackLineNumbers = true,
    };

    /// <summary>The whole of a file, to be read and hashed.</summary>
    /// <exception cref="CommandException">It cannot be read.</exception>
    public static byte[] Bytes(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"{path} cannot be read: {e.Message}");
        }
    }

    /// <param name="source">What to call it in messages.</param>
    /// <param name="utf8">The whole file.</param>
    /// <exception cref="CommandException">It is no such file; the message names the line.</exception>
    public static CsvTable Read(string source, byte[] utf8)
    {
        try
        {
            using var reader = CsvReader.Create(utf8, Strict);
            string[] columns = [.. reader.Headers];
            var rows = new List<CsvRow>();
            while (reader.Read())
            {
                if (reader.FieldCount != columns.Length)
                {
                    throw new CommandException($"Line {reader.LineNumber} of {source} has {reader.FieldCount} cells instead of {columns.Length}.");
                }

                rows.Add(new CsvRow(source, reader.LineNumber, columns, [.. Enumerable.Range(0, columns.Length).Select(reader.GetString)]));
            }

            return new CsvTable(columns, rows);
        }
        catch (CsvFormatException e)
        {
            throw new CommandException($"Line {e.LineNumber} of {source} is not well-formed CSV: {CsvRow.OneLine(e.Message)}");
        }
    }

    /// <exception cref="CommandException">A column is missing.</exception>
    public CsvTable Require(string source, params ReadOnlySpan<string> columns)
    {
        foreach (var column in columns)
        {
            if (!Has(column))
            {
                throw new CommandException($"{source} has no column '{column}'; its first line must name its columns, and is: {CsvRow.OneLine(string.Join(',', Columns))}");
            }
        }

        return this;
    }

    /// <summary>Whether there is such a column; upper and lower case are one.</summary>
    public bool Has(string column) => Columns.Contains(column, StringComparer.OrdinalIgnoreCase);
}

/// <summary>A line of a CSV file.</summary>
/// <param name="Source">The file, for messages.</param>
/// <param name="Line">Where it starts, counted from 1, the header line included.</param>
internal sealed record CsvRow(string Source, long Line, string[] Columns, string[] Cells)
{
    /// <summary>The cell of a column that is there.</summary>
    public string this[string column] => Cells[Array.FindIndex(Columns, name => name.Equals(column, StringComparison.OrdinalIgnoreCase))];

    /// <summary>What to throw when the line makes no sense.</summary>
    public CommandException Refuse(string reason) => new($"Line {Line} of {Source}: {OneLine(reason)}");

    /// <summary>Cells may hold anything; messages are one line that can be read.</summary>
    public static string OneLine(string text) => string.Concat((text.Length > 300 ? $"{text[..300]}..." : text).Select(letter => char.IsControl(letter) ? ' ' : letter));
}
