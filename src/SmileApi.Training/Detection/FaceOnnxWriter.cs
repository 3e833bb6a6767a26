using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>Writes the detector's two networks as ONNX, in the shapes that <see cref="FaceModel"/> tells of.</summary>
internal static class FaceOnnxWriter
{
    /// <summary>The first stage.</summary>
    /// <param name="metadata">Written under <see cref="FaceModelMetadata.Key"/>.</param>
    public static byte[] WriteFind(Weights weights, FaceModelMetadata metadata)
    {
        var graph = new OnnxGraph("faces-find", weights);
        var x = graph.Input("image", 1, "H", "W");
        x = graph.Node("Relu", "stem", [graph.Convolve(x, FindArchitecture.Stem)]);
        x = graph.Node("Relu", "second", [graph.Convolve(x, FindArchitecture.Second)]);
        x = FindArchitecture.Blocks.Aggregate(x, graph.Residual);
        x = graph.Node("Relu", "neck", [graph.Convolve(x, FindArchitecture.Neck)]);
        graph.Output(graph.Node("Sigmoid", "face", [graph.Convolve(x, FindArchitecture.Face, weights["face.weight"], weights["face.bias"])]), 1, "H/8", "W/8");
        graph.Output(graph.Node("Identity", "box", [graph.Convolve(x, FindArchitecture.Box, weights["box.weight"], weights["box.bias"])]), 3, "H/8", "W/8");
        return graph.ToFile(metadata.Version, (FaceModelMetadata.Key, metadata.ToJson()));
    }

    /// <summary>The second stage, its calibration folded in.</summary>
    /// <inheritdoc cref="WriteFind"/>
    /// <param name="calibration">Divides the logit of being a face, and is then added to it.</param>
    public static byte[] WriteCheck(Weights weights, FaceModelMetadata metadata, Calibration calibration)
    {
        var (features, outputs) = (CheckArchitecture.Features, CheckArchitecture.Outputs);
        var graph = new OnnxGraph("faces-check", weights);
        var x = graph.Input("image", 1, CheckArchitecture.Side, CheckArchitecture.Side);
        x = graph.Node("Relu", "stem", [graph.Convolve(x, CheckArchitecture.Stem)]);
        x = graph.Node("Flatten", "features", [CheckArchitecture.Blocks.Aggregate(x, graph.Residual)]);
        float[] weight = [.. weights["linear.weight"].Select(w => w * CheckArchitecture.FeatureScale)];
        var bias = weights["linear.bias"];
        float[] face = [.. weight.Take(features).Select(w => (float)(w / calibration.Temperature))];
        graph.Output(graph.Node("Sigmoid", "face", [graph.Linear(x, "face", "logit", face, [(float)(bias[0] / calibration.Temperature + calibration.Bias)])]), 1);

        // Gemm computes features x weight: the other rows become columns.
        var box = new float[features * (outputs - 1)];
        for (var output = 1; output < outputs; output++)
        {
            for (var feature = 0; feature < features; feature++)
            {
                box[feature * (outputs - 1) + output - 1] = weight[output * features + feature];
            }
        }

        graph.Output(graph.Linear(x, "box", "box", box, bias[1..]), outputs - 1);
        return graph.ToFile(metadata.Version, (FaceModelMetadata.Key, metadata.ToJson()));
    }
}
