using System.Globalization;
using Microsoft.ML.OnnxRuntime;

namespace SmileApi.Inference;

/// <summary>What runs networks: the processor, or a GPU through ONNX Runtime's CUDA provider.</summary>
public sealed record Device
{
    private const string CudaProvider = "CUDAExecutionProvider";

    // A convolution of ones, plus one, and a ReLU, over 3x3 pixels; ONNX IR 8, operator set 17. It needs all that our networks
    // need: the provider's library, cuDNN, code for this generation of GPUs, and some memory.
    private static readonly byte[] s_probe = Convert.FromBase64String(
        "CAg6tgEKJQoBeAoBdwoBYhIBYyIEQ29udioRCgRwYWRzoAEHQAFAAUABQAEKDAoBYxIBeSIEUmVsdRIBZyozCAEIAQgDCAMQAUIBd0okAACAPwAAgD8AAIA/AACAPwAA"
        + "gD8AAIA/AACAPwAAgD8AAIA/Kg0IARABQgFiSgQAAIA/WhsKAXgSFgoUCAESEAoCCAEKAggBCgIIAwoCCANiGwoBeRIWChQIARIQCgIIAQoCCAEKAggDCgIIA0IECgAQEQ==");
    private static readonly long[] s_probeShape = [1, 1, 3, 3];
    private static readonly float[] s_probeAnswer = [5, 7, 5, 7, 10, 7, 5, 7, 5];

    private readonly Dictionary<string, string>? _cuda;

    private Device(string name, bool fixedShapes, Dictionary<string, string>? cuda)
    {
        (Name, FixedShapes, _cuda) = (name, fixedShapes, cuda);
    }

    /// <summary>The processor.</summary>
    public static Device Cpu { get; } = new("cpu", fixedShapes: false, cuda: null);

    /// <summary><c>cpu</c>, or <c>cuda:0</c> for the first GPU.</summary>
    public string Name { get; }

    /// <summary><c>cpu</c> or <c>cuda</c>.</summary>
    public string Provider => _cuda is null ? "cpu" : "cuda";

    /// <summary>
    /// Whether runs are padded to the few shapes of <see cref="Inference.FixedShapes"/>. A GPU plans and sets aside memory for
    /// each shape that it meets; a processor gains nothing by it.
    /// </summary>
    public bool FixedShapes { get; }

    /// <summary>A GPU.</summary>
    /// <param name="index">CUDA's number of it, from 0.</param>
    /// <param name="sessionBytes">Most memory of one session's arena, in bytes; 0 is without limit.</param>
    /// <param name="arenaExtendStrategy">How that arena grows: ONNX Runtime's <c>kSameAsRequested</c> or <c>kNextPowerOfTwo</c>.</param>
    public static Device Cuda(int index, long sessionBytes, string arenaExtendStrategy)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfNegative(sessionBytes);
        var options = new Dictionary<string, string>
        {
            ["device_id"] = index.ToString(CultureInfo.InvariantCulture),
            ["arena_extend_strategy"] = arenaExtendStrategy,
            // The exhaustive search, ONNX Runtime's default, tries every algorithm whenever it meets a new shape.
            ["cudnn_conv_algo_search"] = "HEURISTIC",
            // Rounding factors to 10 bits would change probabilities in the third digit, and the networks are small.
            ["use_tf32"] = "0",
        };
        if (sessionBytes > 0)
        {
            options["gpu_mem_limit"] = sessionBytes.ToString(CultureInfo.InvariantCulture);
        }

        return new Device($"cuda:{index}", fixedShapes: true, options);
    }

    /// <summary>Tries the device on a tiny network.</summary>
    /// <returns>Why no network runs on it, in a part of a sentence; null when networks do.</returns>
    public string? WhatIsWrong()
    {
        if (_cuda is not null && !OrtEnv.Instance().GetAvailableProviders().Contains(CudaProvider))
        {
            return "this build has ONNX Runtime for the CPU only; build it with -p:Accelerator=cuda";
        }

        try
        {
            var (image, answer) = (new float[s_probeAnswer.Length], new float[s_probeAnswer.Length]);
            Array.Fill(image, 1);
            using var options = SessionOptions();
            using var session = new InferenceSession(s_probe, options);
            using var run = new RunOptions();
            using var input = OrtValue.CreateTensorValueFromMemory(image, s_probeShape);
            using var output = OrtValue.CreateTensorValueFromMemory(answer, s_probeShape);
            session.Run(run, ["x"], [input], ["y"], [output]);
            return answer.AsSpan().SequenceEqual(s_probeAnswer) ? null : "a convolution on it gives wrong numbers";
        }
        catch (OnnxRuntimeException e)
        {
            return OnnxFile.FirstLine(e.Message);
        }
    }

    /// <summary>The processor, run as if it were a GPU: shapes are padded. For tests, where there is none.</summary>
    internal static Device StandIn(int index) => new($"stand-in:{index}", fixedShapes: true, cuda: null);

    /// <exception cref="OnnxRuntimeException">The provider or what it needs cannot be loaded, or there is no such device.</exception>
    internal SessionOptions SessionOptions()
    {
        // Many small runs side by side: threads inside one run would only wait for each other, and spinning ones would
        // take the processor from the decoders (measured elsewhere at 60 % of a busy server's throughput).
        var options = new SessionOptions
        {
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, // Failures come back as exceptions; no second copy on stderr.
        };
        try
        {
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
            options.AddSessionConfigEntry("session.inter_op.allow_spinning", "0");
            if (_cuda is not null)
            {
                using var cuda = new OrtCUDAProviderOptions();
                cuda.UpdateOptions(_cuda);
                options.AppendExecutionProvider_CUDA(cuda);
            }

            return options;
        }
        catch
        {
            options.Dispose();
            throw;
        }
    }
}
