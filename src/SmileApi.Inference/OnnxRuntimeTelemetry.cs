using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace SmileApi.Inference;

/// <summary>
/// Keeps ONNX Runtime from reporting home. Since version 1.29 its official Linux builds send the file name, hashes and
/// platform of every loaded model to their maker unless told not to; a service that promises privacy must not.
/// </summary>
internal static partial class OnnxRuntimeTelemetry
{
    private const string Switch = "ORT_DISABLE_TELEMETRY";

#pragma warning disable CA2255 // Meant for applications; but the switch is read once, when the native library is first touched, wherever that is.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Disable()
    {
        Environment.SetEnvironmentVariable(Switch, "1");
        if (!OperatingSystem.IsWindows())
        {
            // .NET keeps its own copy of the environment on Unix; native code reads the C library's.
            _ = SetEnvironmentVariable(Switch, "1", overwrite: 1);
        }

        OrtEnv.Instance().DisableTelemetryEvents();
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironmentVariable(string name, string value, int overwrite);
}
