using System.Runtime.InteropServices;
using Google.Protobuf;
using SmileApi.Training.Onnx;

namespace SmileApi.Training;

/// <summary>
/// An ONNX graph in the making. Batch normalisation is folded into the convolutions. Each tensor is known by
/// its name; the first dimension of inputs and outputs is the symbolic <c>N</c>.
/// </summary>
/// <param name="name">Of the graph.</param>
/// <param name="weights">The network's numbers, running statistics included.</param>
internal sealed class OnnxGraph(string name, Weights weights)
{
    private readonly GraphProto _graph = new() { Name = name };

    /// <summary>Makes the file's bytes.</summary>
    /// <param name="metadata">Key and value of the one entry of <c>metadata_props</c>.</param>
    public byte[] ToFile(string version, (string Key, string Json) metadata)
    {
        var model = new ModelProto { IrVersion = 8, ProducerName = "smile", ProducerVersion = version, Graph = _graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        model.MetadataProps.Add(new StringStringEntryProto { Key = metadata.Key, Value = metadata.Json });
        return model.ToByteArray();
    }

    /// <summary>Declares an input [N, ...].</summary>
    /// <param name="shape">A size, or a symbolic name, for each dimension but the first.</param>
    public string Input(string tensor, params object[] shape)
    {
        _graph.Input.Add(Value(tensor, shape));
        return tensor;
    }

    /// <summary>Declares a node's output to be one of the graph's, [N, ...].</summary>
    /// <inheritdoc cref="Input"/>
    public void Output(string tensor, params object[] shape) => _graph.Output.Add(Value(tensor, shape));

    /// <summary>A convolution with its normalisation folded in.</summary>
    public string Convolve(string x, Convolution convolution)
    {
        var (weight, bias) = weights.Folded(convolution);
        return Convolve(x, convolution, weight, bias);
    }

    /// <summary>A convolution by given numbers.</summary>
    /// <param name="weight">Shape <c>[Out, In, Kernel, Kernel]</c>.</param>
    /// <param name="bias">Shape <c>[Out]</c>.</param>
    public string Convolve(string x, Convolution convolution, float[] weight, float[] bias)
    {
        var inputs = new[]
        {
            x,
            Initializer($"{convolution.Name}.weight", [convolution.Out, convolution.In, convolution.Kernel, convolution.Kernel], weight),
            Initializer($"{convolution.Name}.bias", [convolution.Out], bias),
        };
        long padding = convolution.Padding;
        return Node("Conv", $"{convolution.Name}.conv", inputs, ("kernel_shape", [convolution.Kernel, convolution.Kernel]),
            ("strides", [convolution.Stride, convolution.Stride]), ("pads", [padding, padding, padding, padding]));
    }

    /// <summary>A residual block.</summary>
    public string Residual(string x, Block block)
    {
        var name = block.First.Name[..block.First.Name.LastIndexOf('.')];
        var y = Convolve(Node("Relu", block.First.Name, [Convolve(x, block.First)]), block.Second);
        return Node("Relu", name, [Node("Add", $"{name}.sum", [y, Shortcut(x, block, name)])]);
    }

    /// <summary>A linear layer: [N, inputs] -> [N, outputs].</summary>
    /// <param name="weight">Shape <c>[inputs, outputs]</c>: Gemm computes features x weight.</param>
    /// <param name="bias">Shape <c>[outputs]</c>.</param>
    public string Linear(string x, string layer, string output, float[] weight, float[] bias) => Node(
        "Gemm", output,
        [x, Initializer($"{layer}.weight", [weight.Length / bias.Length, bias.Length], weight), Initializer($"{layer}.bias", [bias.Length], bias)]);

    /// <summary>Any other node.</summary>
    /// <param name="output">Name of the node and of its output.</param>
    /// <returns><paramref name="output"/>.</returns>
    public string Node(string type, string output, string[] inputs, params (string Name, long[] Values)[] attributes)
    {
        var node = new NodeProto { OpType = type, Name = output, Input = { inputs }, Output = { output } };
        foreach (var (attribute, values) in attributes)
        {
            node.Attribute.Add(new AttributeProto { Name = attribute, Type = AttributeProto.Types.AttributeType.Ints, Ints = { values } });
        }

        _graph.Node.Add(node);
        return output;
    }

    /// <summary>The weight of a 1x1 convolution that copies its channels and adds channels of zeros.</summary>
    /// <returns>Shape <c>[to, from, 1, 1]</c>, ones on its diagonal.</returns>
    public static TensorProto Copy(string tensor, long from, long to)
    {
        var copy = new float[to * from];
        for (var channel = 0; channel < from; channel++)
        {
            copy[channel * from + channel] = 1;
        }

        return Tensor(tensor, [to, from, 1, 1], copy);
    }

    private string Shortcut(string x, Block block, string name)
    {
        if (!block.Shrinks)
        {
            return x;
        }

        var pooled = Node("AveragePool", $"{name}.pool", [x], ("kernel_shape", [3, 3]), ("strides", [2, 2]), ("pads", [1, 1, 1, 1]));
        // Zeros for the new channels, by a convolution that copies the old ones: at a Pad, ONNX Runtime leaves its blocked layout,
        // and then reorders the sums of every block that follows.
        var copy = Copy($"{name}.shortcut.weight", block.First.In, block.First.Out);
        _graph.Initializer.Add(copy);
        return Node("Conv", $"{name}.shortcut", [pooled, copy.Name], ("kernel_shape", [1, 1]));
    }

    private string Initializer(string tensor, long[] shape, float[] values)
    {
        _graph.Initializer.Add(Tensor(tensor, shape, values));
        return tensor;
    }

    private static TensorProto Tensor(string tensor, long[] shape, float[] values) => new()
    {
        Name = tensor,
        DataType = (int)TensorProto.Types.DataType.Float,
        Dims = { shape },
        RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values.AsSpan())),
    };

    private static ValueInfoProto Value(string tensor, object[] shape)
    {
        var dimensions = new TensorShapeProto { Dim = { new TensorShapeProto.Types.Dimension { DimParam = "N" } } };
        dimensions.Dim.Add(shape.Select(size => size is string symbol
            ? new TensorShapeProto.Types.Dimension { DimParam = symbol }
            : new TensorShapeProto.Types.Dimension { DimValue = Convert.ToInt64(size, System.Globalization.CultureInfo.InvariantCulture) }));
        var type = new TypeProto.Types.Tensor { ElemType = (int)TensorProto.Types.DataType.Float, Shape = dimensions };
        return new ValueInfoProto { Name = tensor, Type = new TypeProto { TensorType = type } };
    }
}
