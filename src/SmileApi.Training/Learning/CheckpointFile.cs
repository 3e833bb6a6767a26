using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace SmileApi.Training;

/// <summary>What a training goes on from, as a file: what kind it is, a record in JSON, and the numbers of some networks of one layout.</summary>
internal static class CheckpointFile
{
    /// <summary>Writes a checkpoint, whole or not at all.</summary>
    /// <param name="magic">What the file begins with: kind and version.</param>
    /// <exception cref="CommandException">It cannot be written.</exception>
    public static void Write<TRecord>(string path, byte[] magic, TRecord record, params Weights[] networks) => AtomicFile.Write(path, file =>
    {
        using var writer = new BinaryWriter(file, Encoding.UTF8, leaveOpen: true);
        writer.Write(magic);
        writer.Write(JsonSerializer.Serialize(record));
        foreach (var weights in networks)
        {
            foreach (var (name, _) in weights.Layout.Tensors)
            {
                writer.Write(MemoryMarshal.AsBytes(weights[name].AsSpan()));
            }
        }
    });

    /// <summary>Reads a checkpoint.</summary>
    /// <param name="layout">Tells the record's network.</param>
    /// <param name="complete">Gives the record its networks, each by a call, in the order in which they were written.</param>
    /// <exception cref="CommandException">It is damaged, or of another kind or network.</exception>
    public static TRecord Read<TRecord>(string path, byte[] magic, Func<TRecord, Layout> layout, Func<TRecord, Func<Weights>, TRecord> complete)
    {
        try
        {
            using var reader = new BinaryReader(File.OpenRead(path));
            if (!reader.ReadBytes(magic.Length).AsSpan().SequenceEqual(magic))
            {
                throw new CommandException($"{path} is not a checkpoint of this version.");
            }

            var record = JsonSerializer.Deserialize<TRecord>(reader.ReadString()) ?? throw new CommandException($"{path} is empty.");
            var numbers = layout(record);
            record = complete(record, Next);
            return reader.BaseStream.Position == reader.BaseStream.Length
                ? record
                : throw new CommandException($"{path} is longer than a checkpoint of this version.");

            Weights Next() => Weights.From(numbers, (_, length) =>
            {
                var values = new float[length];
                reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
                return values;
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or JsonException or KeyNotFoundException)
        {
            throw new CommandException($"{path} cannot be read: {e.Message}");
        }
    }
}
