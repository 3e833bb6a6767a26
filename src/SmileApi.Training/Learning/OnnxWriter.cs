using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>
/// Writes a smile network as ONNX: input <c>image</c> float32 [N, 1, 100, 100], output <c>probability</c> float32 [N, 1], the
/// calibration folded into the linear layer, and output <c>activation</c> float32 [N, 1, 5, 5], where in the face it saw it.
/// </summary>
internal static class OnnxWriter
{
    /// <summary>Makes the file's bytes.</summary>
    /// <param name="weights">The network's numbers, running statistics included.</param>
    /// <param name="metadata">Written under <see cref="ModelMetadata.Key"/>; its temperature divides the logits, its bias is added.</param>
    public static byte[] Write(Architecture architecture, Weights weights, ModelMetadata metadata)
    {
        var graph = new OnnxGraph("smile", weights);
        var x = graph.Input("image", 1, FaceCrop.Side, FaceCrop.Side);
        x = graph.Node("Relu", "stem", [graph.Convolve(x, architecture.Stem)]);
        x = architecture.Blocks.Aggregate(x, graph.Residual);
        var last = x;
        x = graph.Node("Flatten", "features", [graph.Node("GlobalAveragePool", "pool", [x])]);
        float[] weight = [.. weights["linear.weight"].Select(w => (float)(w / metadata.Temperature))];
        float[] bias = [(float)(weights["linear.bias"][0] / metadata.Temperature + metadata.Bias)];
        graph.Output(graph.Node("Sigmoid", "probability", [graph.Linear(x, "linear", "logit", weight, bias)]), 1);

        // The class activation map of Zhou et al. 2016: the linear layer asked at each place. Its mean plus the bias is the logit.
        var (map, side) = (architecture.Activation, architecture.Activation.OutputSide);
        graph.Output(graph.Node("Identity", "activation", [graph.Convolve(last, map, weight, new float[map.Out])]), 1, side, side);
        return graph.ToFile(metadata.Version, (ModelMetadata.Key, metadata.ToJson()));
    }
}
