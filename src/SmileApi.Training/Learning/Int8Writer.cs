using System.Runtime.InteropServices;
using Google.Protobuf;
using SmileApi.Inference;
using SmileApi.Training.Onnx;
using DataType = SmileApi.Training.Onnx.TensorProto.Types.DataType;

namespace SmileApi.Training;

/// <summary>The values that a tensor takes, as far as 8 bits are to hold them; they hold 0 as well.</summary>
internal readonly record struct TensorRange(float Low, float High)
{
    /// <summary>The step between two of the 256 levels.</summary>
    public float Scale => (High - Low) / byte.MaxValue;

    /// <summary>The level that means 0.</summary>
    public byte Zero => (byte)Math.Round(-Low / Scale);
}

/// <summary>
/// Post-training static quantisation of a smile network (Jacob et al. 2018): from a float32 file to one whose 3x3 convolutions compute in
/// integers. Activations are uint8 by one scale a tensor, weights int8 by one a channel, biases int32; they stand in the file as pairs
/// of QuantizeLinear and DequantizeLinear, which ONNX Runtime makes one with the operators between them. The stem, which sees one
/// channel, and the linear layers stay in float32: they cost little.
/// </summary>
/// <remarks>
/// Weights have 7 bits, from -63 to 63: the sum of two products of 255 by 63 fits into 16 bits, where processors without VNNI keep it,
/// so that every processor computes the same. (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "reduce_range")
/// </remarks>
internal sealed class Int8Writer
{
    /// <summary>The largest weight, in steps.</summary>
    private const int Steps = 63;

    private readonly ModelProto _model;
    private readonly GraphProto _graph;
    private readonly Dictionary<string, TensorProto> _initializers;
    private readonly HashSet<NodeProto> _convolutions;

    /// <param name="file">A float32 file of <see cref="OnnxWriter"/>.</param>
    /// <exception cref="CommandException">It has nothing to quantise, or is quantised already.</exception>
    public Int8Writer(byte[] file)
    {
        _model = ModelProto.Parser.ParseFrom(file);
        _graph = _model.Graph;
        _initializers = _graph.Initializer.ToDictionary(tensor => tensor.Name);
        if (_graph.Node.Any(node => node.OpType is "QuantizeLinear"))
        {
            throw new CommandException("The model is quantised already.");
        }

        _convolutions = [.. _graph.Node.Where(node => node.OpType == "Conv" && _initializers[node.Input[1]].Dims is [_, > 1, 3, 3])];
        if (_convolutions.Count == 0)
        {
            throw new CommandException("The model has no 3x3 convolution of several channels, so nothing would be gained.");
        }

        CopyInsteadOfPad();
        Tensors = [.. TensorsBetween()];
    }

    /// <summary>The tensors whose ranges <see cref="Write"/> needs: what a mean or a copy makes of one has the same.</summary>
    public IReadOnlyList<string> Tensors { get; }

    /// <summary>The float32 network with all of <see cref="Tensors"/> as outputs, each as <c>float32</c> of any shape.</summary>
    public byte[] WriteForCalibration()
    {
        var model = _model.Clone();
        model.Graph.Output.Add(Tensors.Select(tensor => new ValueInfoProto
        {
            Name = tensor,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)DataType.Float } },
        }));
        return model.ToByteArray();
    }

    /// <summary>Makes the quantised file's bytes.</summary>
    /// <param name="measured">Of each of <see cref="Tensors"/>.</param>
    public byte[] Write(IReadOnlyDictionary<string, TensorRange> measured, ModelMetadata metadata)
    {
        var ranges = new Dictionary<string, TensorRange>(measured);
        foreach (var node in _graph.Node.Where(KeepsRange))
        {
            ranges[node.Output[0]] = ranges[node.Input[0]];
        }

        var graph = new GraphProto { Name = _graph.Name, Input = { _graph.Input }, Output = { _graph.Output } };
        var used = new HashSet<string>();
        foreach (var node in _graph.Node)
        {
            var next = node.Clone();
            for (var i = 0; i < next.Input.Count; i++)
            {
                next.Input[i] = ranges.ContainsKey(next.Input[i]) ? $"{next.Input[i]}.dequantized" : next.Input[i];
            }

            if (IsInteger(node))
            {
                QuantiseWeights(graph, node, next, ranges);
            }

            graph.Node.Add(next);
            foreach (var output in node.Output.Where(ranges.ContainsKey))
            {
                QuantiseActivation(graph, output, ranges[output]);
            }

            used.UnionWith(next.Input);
        }

        graph.Initializer.Add(_graph.Initializer.Where(tensor => used.Contains(tensor.Name)));
        var model = new ModelProto { IrVersion = _model.IrVersion, ProducerName = _model.ProducerName, ProducerVersion = _model.ProducerVersion, Graph = graph, OpsetImport = { _model.OpsetImport } };
        model.MetadataProps.Add(new StringStringEntryProto { Key = ModelMetadata.Key, Value = metadata.ToJson() });
        return model.ToByteArray();
    }

    /// <summary>Whether it is to compute in integers: a 3x3 convolution, or the 1x1 one that copies channels past it.</summary>
    private bool IsInteger(NodeProto node) => _convolutions.Contains(node) || IsCopy(node);

    private static bool KeepsRange(NodeProto node) => node.OpType == "AveragePool" || IsCopy(node);

    private static bool IsCopy(NodeProto node) => node.OpType == "Conv" && node.Input.Count == 2;

    /// <summary>
    /// In older files a Pad adds new channels. A convolution by the unit matrix, which newer ones have, does the same, and in integers too.
    /// </summary>
    private void CopyInsteadOfPad()
    {
        foreach (var pad in _graph.Node.Where(node => node.OpType == "Pad"))
        {
            var sum = _graph.Node.Single(node => node.Input.Contains(pad.Output[0]));
            var beside = _graph.Node.Single(node => node.Output[0] == sum.Input.Single(input => input != pad.Output[0]));
            var to = _initializers[beside.Input[1]].Dims[0];
            var pads = pad.Input[1];
            var added = MemoryMarshal.Cast<byte, long>(_initializers[pads].RawData.Span)[5];
            var copy = OnnxGraph.Copy($"{pad.Name}.weight", from: to - added, to);
            (pad.OpType, pad.Input[1]) = ("Conv", copy.Name);
            while (pad.Input.Count > 2)
            {
                pad.Input.RemoveAt(2);
            }

            _graph.Initializer.Remove(_initializers[pads]);
            pad.Attribute.Clear();
            pad.Attribute.Add(new AttributeProto { Name = "kernel_shape", Type = AttributeProto.Types.AttributeType.Ints, Ints = { 1, 1 } });
            _graph.Initializer.Add(copy);
            _initializers.Add(copy.Name, copy);
        }
    }

    /// <summary>What flows from the first quantised convolution's input to the last block's output, but for what only a ReLU takes: it becomes part of its operator.</summary>
    private IEnumerable<string> TensorsBetween()
    {
        var first = _graph.Node.First(_convolutions.Contains).Input[0];
        var isBetween = false;
        foreach (var node in _graph.Node)
        {
            var output = node.Output[0];
            isBetween |= output == first;
            if (node.OpType is "GlobalAveragePool")
            {
                yield break;
            }

            if (isBetween && !KeepsRange(node) && _graph.Node.Where(reader => reader.Input.Contains(output)).Any(reader => reader.OpType != "Relu"))
            {
                yield return output;
            }
        }
    }

    private static void QuantiseActivation(GraphProto graph, string tensor, TensorRange range)
    {
        string[] parameters = [Add(graph, $"{tensor}.scale", DataType.Float, [], [range.Scale]), Add<byte>(graph, $"{tensor}.zero", DataType.Uint8, [], [range.Zero])];
        graph.Node.Add(Node("QuantizeLinear", $"{tensor}.quantized", [tensor, .. parameters]));
        graph.Node.Add(Node("DequantizeLinear", $"{tensor}.dequantized", [$"{tensor}.quantized", .. parameters]));
    }

    /// <param name="node">As it is in the float32 file.</param>
    /// <param name="next">Its copy, which is to read the quantised weights.</param>
    private void QuantiseWeights(GraphProto graph, NodeProto node, NodeProto next, Dictionary<string, TensorRange> ranges)
    {
        var weight = _initializers[node.Input[1]];
        var values = MemoryMarshal.Cast<byte, float>(weight.RawData.Span);
        var channels = (int)weight.Dims[0];
        var perChannel = values.Length / channels;
        var (scales, levels) = (new float[channels], new sbyte[values.Length]);
        for (var channel = 0; channel < channels; channel++)
        {
            var own = values.Slice(channel * perChannel, perChannel);
            var largest = 0f;
            foreach (var value in own)
            {
                largest = Math.Max(largest, Math.Abs(value));
            }

            scales[channel] = largest > 0 ? largest / Steps : 1;
            for (var i = 0; i < perChannel; i++)
            {
                levels[channel * perChannel + i] = (sbyte)Math.Round(own[i] / scales[channel]);
            }
        }

        next.Input[1] = Dequantised(graph, node.Input[1], DataType.Int8, weight.Dims, levels, scales, new sbyte[channels]);
        if (node.Input.Count > 2)
        {
            // A step of the bias is one of the products that it is added to.
            var bias = MemoryMarshal.Cast<byte, float>(_initializers[node.Input[2]].RawData.Span);
            var input = ranges[node.Input[0]].Scale;
            var (biasScales, biasLevels) = (new float[channels], new int[channels]);
            for (var channel = 0; channel < channels; channel++)
            {
                biasScales[channel] = input * scales[channel];
                biasLevels[channel] = (int)Math.Round(bias[channel] / (double)biasScales[channel]);
            }

            next.Input[2] = Dequantised(graph, node.Input[2], DataType.Int32, [channels], biasLevels, biasScales, new int[channels]);
        }
    }

    private static string Dequantised<T>(GraphProto graph, string name, DataType type, IEnumerable<long> shape, T[] levels, float[] scales, T[] zeros)
        where T : unmanaged
    {
        var node = Node("DequantizeLinear", $"{name}.dequantized",
        [
            Add(graph, $"{name}.quantized", type, shape, levels),
            Add(graph, $"{name}.scale", DataType.Float, [scales.Length], scales),
            Add(graph, $"{name}.zero", type, [zeros.Length], zeros),
        ]);
        node.Attribute.Add(new AttributeProto { Name = "axis", Type = AttributeProto.Types.AttributeType.Int, I = 0 });
        graph.Node.Add(node);
        return node.Output[0];
    }

    private static NodeProto Node(string type, string output, string[] inputs) => new() { OpType = type, Name = output, Input = { inputs }, Output = { output } };

    private static string Add<T>(GraphProto graph, string name, DataType type, IEnumerable<long> shape, T[] values)
        where T : unmanaged
    {
        graph.Initializer.Add(new TensorProto { Name = name, DataType = (int)type, Dims = { shape }, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values.AsSpan())) });
        return name;
    }
}
