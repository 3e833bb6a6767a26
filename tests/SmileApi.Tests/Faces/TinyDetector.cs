using System.Runtime.InteropServices;
using System.Text;
using SmileApi.Inference;

namespace SmileApi.Tests.Faces;

/// <summary>
/// Detectors of a few weights, written byte by byte (protocol buffers, ONNX IR version 8, operator set 17), for tests of what
/// is loaded and what is refused: the first stage takes what is bright for a face, the second believes it.
/// </summary>
internal static class TinyDetector
{
    // Numbers of fields below are those of onnx.proto3.

    public static readonly FaceModelMetadata Find = new()
    {
        Format = 1, Name = "tiny", Version = "0.1.0", Stage = FaceModelMetadata.FindStage, Threshold = 0.5f,
        Mean = 120, Deviation = 60, Stride = 8, ReferenceSide = 24, MinBox = 16, MaxBox = 40,
        Cost = new(1, 260, 1), Training = new(0, 0, 0, default, new Dictionary<string, string>()), Licence = "none",
    };

    public static readonly FaceModelMetadata Check = Find with
    {
        Stage = FaceModelMetadata.CheckStage, Mean = 0, Deviation = 0, Stride = 0, ReferenceSide = 0, MinBox = 0, MaxBox = 0,
        Side = 40, Margin = 1.2f, DeviationFloor = 8,
    };

    /// <summary>The first stage.</summary>
    /// <param name="metadata">Instead of its own.</param>
    /// <param name="stride">Of its convolutions.</param>
    /// <param name="bias">Added to its logits.</param>
    /// <param name="boxes">Values of a box.</param>
    public static byte[] FindModel(string? metadata = null, long stride = 8, float bias = -4, int boxes = 3) => Model(
        metadata ?? Find.ToJson(),
        [
            Node("Conv", ["image", "w", "b"], "logit", stride), Node("Sigmoid", ["logit"], "face"), Node("Conv", ["image", "v"], "box", stride),
        ],
        [
            Tensor("w", [1, 1, 8, 8], [.. Enumerable.Repeat(0.1f, 64)]), Tensor("b", [1], [bias]), Tensor("v", [boxes, 1, 8, 8], new float[64 * boxes]),
        ],
        [Value("image", "N", 1, "H", "W")],
        [Value("face", "N", 1, "H8", "W8"), Value("box", "N", boxes, "H8", "W8")]);

    /// <summary>The second stage.</summary>
    /// <param name="metadata">Instead of its own.</param>
    /// <param name="logit">What it says of every candidate, before the sigmoid function.</param>
    /// <param name="side">Of its input.</param>
    public static byte[] CheckModel(string? metadata = null, float logit = 4, int side = 40) => Model(
        metadata ?? Check.ToJson(),
        [
            Node("Flatten", ["image"], "flat"), Node("Gemm", ["flat", "w", "b"], "logit"), Node("Sigmoid", ["logit"], "face"),
            Node("Gemm", ["flat", "v"], "box"),
        ],
        [
            Tensor("w", [side * side, 1], new float[side * side]), Tensor("b", [1], [logit]), Tensor("v", [side * side, 4], new float[4 * side * side]),
        ],
        [Value("image", "N", 1, side, side)],
        [Value("face", "N", 1), Value("box", "N", 4)]);

    private static byte[] Model(string metadata, byte[][] nodes, byte[][] tensors, byte[][] inputs, byte[][] outputs) =>
    [
        .. Field(1, 8),
        .. Field(7, [.. Fields(1, nodes), .. Field(2, "tiny"), .. Fields(5, tensors), .. Fields(11, inputs), .. Fields(12, outputs)]),
        .. Field(8, Field(2, 17)),
        .. Field(14, [.. Field(1, FaceModelMetadata.Key), .. Field(2, metadata)]),
    ];

    private static byte[] Node(string type, string[] inputs, string output, long? stride = null)
    {
        byte[] strides = stride is { } s ? Field(5, [.. Field(1, "strides"), .. Field(20, 7), .. Field(8, s), .. Field(8, s)]) : [];
        return [.. Fields(1, [.. inputs.Select(Encoding.UTF8.GetBytes)]), .. Field(2, output), .. Field(4, type), .. strides];
    }

    private static byte[] Tensor(string name, int[] shape, float[] values) =>
    [
        .. shape.SelectMany(size => Field(1, size)), .. Field(2, 1), .. Field(8, name),
        .. Field(9, [.. MemoryMarshal.AsBytes(values.AsSpan())]),
    ];

    private static byte[] Value(string name, params object[] shape)
    {
        byte[] dimensions = [.. shape.SelectMany(size => Field(1, size is int value ? Field(1, value) : Field(2, (string)size)))];
        return [.. Field(1, name), .. Field(2, Field(1, [.. Field(1, 1), .. Field(2, dimensions)]))];
    }

    private static byte[] Fields(int number, byte[][] values) => [.. values.SelectMany(value => Field(number, value))];

    private static byte[] Field(int number, string text) => Field(number, Encoding.UTF8.GetBytes(text));

    private static byte[] Field(int number, byte[] value) => [.. Varint(number << 3 | 2), .. Varint(value.Length), .. value];

    private static byte[] Field(int number, long value) => [.. Varint(number << 3), .. Varint(value)];

    private static IEnumerable<byte> Varint(long value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            yield return (byte)(value | 0x80);
        }

        yield return (byte)value;
    }
}
