using System.Runtime.InteropServices;
using System.Text;

namespace SmileApi.Tests.Models;

/// <summary>Copies of the committed smile network that differ in the last layer's bias, which calibration has set, and in their version.</summary>
internal static class OtherModel
{
    public static readonly byte[] Committed = File.ReadAllBytes(Path.Combine(Repository.Root, "models", "smile.onnx"));

    /// <summary>The committed model as it was before it had a class activation map, as far as anybody can tell: the output has another name.</summary>
    public static byte[] WithoutActivation
    {
        get
        {
            byte[] model = [.. Committed];
            for (int at; (at = model.AsSpan().IndexOf("activation"u8)) >= 0;)
            {
                "otheroutpt"u8.CopyTo(model.AsSpan(at));
            }

            return model;
        }
    }

    /// <param name="version">As long as the committed one's, since lengths stand before texts.</param>
    /// <param name="change">Of the bias, and so of every logit.</param>
    public static byte[] Of(string version, Func<float, float> change)
    {
        // The tensor's name, then its four bytes behind their tag and length; the metadata are JSON text.
        var model = Replaced(Committed, "\"version\":\"1.2.0\"", $"\"version\":\"{version}\"");
        var name = Encoding.ASCII.GetBytes("linear.biasJ\u0004");
        var bias = MemoryMarshal.Cast<byte, float>(model.AsSpan(model.AsSpan().IndexOf(name) + name.Length, sizeof(float)));
        bias[0] = change(bias[0]);
        return model;
    }

    private static byte[] Replaced(byte[] model, string written, string instead)
    {
        Assert.Equal(written.Length, instead.Length);
        var at = model.AsSpan().IndexOf(Encoding.ASCII.GetBytes(written));
        Assert.True(at >= 0);
        var copy = model.ToArray();
        Encoding.ASCII.GetBytes(instead).CopyTo(copy, at);
        return copy;
    }
}
