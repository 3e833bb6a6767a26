using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Microsoft.ML.OnnxRuntime;

namespace SmileApi.Inference;

/// <summary>A network's file as ONNX Runtime has opened it.</summary>
/// <param name="Session">Belongs to whoever took the file.</param>
/// <param name="Bytes">The file's content, kept so that it can be opened again whatever has become of the file.</param>
/// <param name="Path">Absolute.</param>
/// <param name="Sha256">Of the file, lower-case hexadecimal.</param>
/// <param name="Device">What runs it.</param>
internal sealed record OnnxFile(InferenceSession Session, byte[] Bytes, string Path, string Sha256, Device Device)
{
    /// <summary>The same network in a new session, for when the old one no longer works, or for another device.</summary>
    /// <exception cref="OnnxRuntimeException">It cannot be opened now.</exception>
    public OnnxFile Reopen(Device device) => this with { Session = Open(Bytes, device), Device = device };

    /// <summary>Opens a file and checks by <paramref name="fit"/> that it is what its reader expects.</summary>
    /// <param name="path">An ONNX file.</param>
    /// <param name="device">What is to run it.</param>
    /// <param name="fit">Makes the model, or says what is wrong with the file in a part of a sentence. It may run the network.</param>
    /// <param name="model">The model, when the result is true. It owns the session.</param>
    /// <param name="reason">When the result is false: one line that names the file and what is wrong with it.</param>
    public static bool TryLoad<TModel>(
        string path, Device device, Func<OnnxFile, (TModel? Model, string? Wrong)> fit, [NotNullWhen(true)] out TModel? model, [NotNullWhen(false)] out string? reason)
        where TModel : class
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        path = System.IO.Path.GetFullPath(path);
        model = null;
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reason = File.Exists(path) || Directory.Exists(path)
                ? $"The model {path} cannot be read: {e.Message}"
                : $"There is no model at {path}.";
            return false;
        }

        InferenceSession? session = null;
        try
        {
            session = Open(bytes, device);
            (model, var wrong) = fit(new OnnxFile(session, bytes, path, Convert.ToHexStringLower(SHA256.HashData(bytes)), device));
            reason = wrong is null ? null : $"The model {path} does not fit this version of SmileApi: {wrong}.";
        }
        catch (OnnxRuntimeException e)
        {
            reason = session is null
                ? $"The model {path} is not a readable ONNX file: {FirstLine(e.Message)}"
                : $"The model {path} does not fit this version of SmileApi: it cannot be run: {FirstLine(e.Message)}";
        }

        if (reason is null && model is not null)
        {
            return true;
        }

        session?.Dispose();
        model = null;
        reason ??= $"The model {path} does not fit this version of SmileApi.";
        return false;
    }

    private static InferenceSession Open(byte[] bytes, Device device)
    {
        using var options = device.SessionOptions();
        return new InferenceSession(bytes, options);
    }

    /// <summary>What one reads of an error of ONNX Runtime, which may go on with a stack trace, and begins with its own source file.</summary>
    internal static string FirstLine(string message)
    {
        const string Failed = " : FAIL : ";
        var line = message.Split('\n', 2)[0].Trim();
        var at = line.IndexOf(Failed, StringComparison.Ordinal);
        return at < 0 ? line : line[(at + Failed.Length)..];
    }
}
