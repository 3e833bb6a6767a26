using System.Runtime.InteropServices;
using Google.Protobuf;
using SmileApi.Imaging;
using SmileApi.Inference;
using SmileApi.Training.Onnx;

namespace SmileApi.Training;

/// <summary>
/// Writes a network as ONNX: input <c>image</c> float32 [N, 1, 100, 100], output <c>probability</c> float32 [N, 1]. Batch
/// normalisation is folded into the convolutions and the calibration into the linear layer.
/// </summary>
internal sealed class OnnxWriter
{
    private readonly GraphProto _graph = new() { Name = "smile" };
    private readonly Weights _weights;

    private OnnxWriter(Weights weights) => _weights = weights;

    /// <summary>Makes the file's bytes.</summary>
    /// <param name="weights">The network's numbers, running statistics included.</param>
    /// <param name="metadata">Written under <see cref="ModelMetadata.Key"/>; its temperature divides the logits, its bias is added.</param>
    public static byte[] Write(Weights weights, ModelMetadata metadata)
    {
        var model = new ModelProto
        {
            IrVersion = 8,
            ProducerName = "smile",
            ProducerVersion = metadata.Version,
            Graph = new OnnxWriter(weights).MakeGraph(metadata.Temperature, metadata.Bias),
        };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        model.MetadataProps.Add(new StringStringEntryProto { Key = ModelMetadata.Key, Value = metadata.ToJson() });
        return model.ToByteArray();
    }

    private GraphProto MakeGraph(double temperature, double bias)
    {
        _graph.Input.Add(Value("image", 1, FaceCrop.Side, FaceCrop.Side));
        _graph.Output.Add(Value("probability", 1));
        var x = Node("Relu", "stem", [Convolve("image", Architecture.Stem)]);
        foreach (var block in Architecture.Blocks)
        {
            var name = block.First.Name[..block.First.Name.LastIndexOf('.')];
            var y = Convolve(Node("Relu", block.First.Name, [Convolve(x, block.First)]), block.Second);
            x = Node("Relu", name, [Node("Add", $"{name}.sum", [y, Shortcut(x, block, name)])]);
        }

        x = Node("Flatten", "features", [Node("GlobalAveragePool", "pool", [x])]);
        // Gemm computes features x weight: one column.
        var weight = Initializer("linear.weight", [Architecture.Features, 1], [.. _weights["linear.weight"].Select(w => (float)(w / temperature))]);
        var offset = Initializer("linear.bias", [1], [(float)(_weights["linear.bias"][0] / temperature + bias)]);
        Node("Sigmoid", "probability", [Node("Gemm", "logit", [x, weight, offset])]);
        return _graph;
    }

    /// <summary>The convolution with its normalisation folded in, in double precision: (w x - mean) scale / sqrt(variance + e) + shift.</summary>
    private string Convolve(string x, Convolution convolution)
    {
        var name = convolution.Name;
        var (weight, bias) = (new float[convolution.WeightCount], new float[convolution.Out]);
        var perChannel = weight.Length / convolution.Out;
        for (var channel = 0; channel < convolution.Out; channel++)
        {
            var gain = _weights[$"{name}.scale"][channel] / Math.Sqrt(_weights[$"{name}.variance"][channel] + Weights.NormEpsilon);
            bias[channel] = (float)(_weights[$"{name}.shift"][channel] - _weights[$"{name}.mean"][channel] * gain);
            for (var i = channel * perChannel; i < (channel + 1) * perChannel; i++)
            {
                weight[i] = (float)(_weights[$"{name}.weight"][i] * gain);
            }
        }

        var inputs = new[]
        {
            x,
            Initializer($"{name}.weight", [convolution.Out, convolution.In, convolution.Kernel, convolution.Kernel], weight),
            Initializer($"{name}.bias", [convolution.Out], bias),
        };
        long padding = convolution.Padding;
        return Node("Conv", $"{name}.conv", inputs, ("kernel_shape", [convolution.Kernel, convolution.Kernel]),
            ("strides", [convolution.Stride, convolution.Stride]), ("pads", [padding, padding, padding, padding]));
    }

    private string Shortcut(string x, Block block, string name)
    {
        if (!block.Shrinks)
        {
            return x;
        }

        var pooled = Node("AveragePool", $"{name}.pool", [x], ("kernel_shape", [3, 3]), ("strides", [2, 2]), ("pads", [1, 1, 1, 1]));
        long[] pads = [0, 0, 0, 0, 0, block.NewChannels, 0, 0];
        return Node("Pad", $"{name}.shortcut", [pooled, Initializer<long>($"{name}.pads", [pads.Length], pads)]);
    }

    private string Node(string type, string output, string[] inputs, params (string Name, long[] Values)[] attributes)
    {
        var node = new NodeProto { OpType = type, Name = output, Input = { inputs }, Output = { output } };
        foreach (var (name, values) in attributes)
        {
            node.Attribute.Add(new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Ints, Ints = { values } });
        }

        _graph.Node.Add(node);
        return output;
    }

    private string Initializer<T>(string name, long[] shape, T[] values)
        where T : unmanaged
    {
        var type = typeof(T) == typeof(float) ? TensorProto.Types.DataType.Float : TensorProto.Types.DataType.Int64;
        var bytes = ByteString.CopyFrom(MemoryMarshal.AsBytes(values.AsSpan()));
        _graph.Initializer.Add(new TensorProto { Name = name, DataType = (int)type, Dims = { shape }, RawData = bytes });
        return name;
    }

    private static ValueInfoProto Value(string name, params long[] shape)
    {
        var dimensions = new TensorShapeProto { Dim = { new TensorShapeProto.Types.Dimension { DimParam = "N" } } };
        dimensions.Dim.Add(shape.Select(size => new TensorShapeProto.Types.Dimension { DimValue = size }));
        var type = new TypeProto.Types.Tensor { ElemType = (int)TensorProto.Types.DataType.Float, Shape = dimensions };
        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = type } };
    }
}
