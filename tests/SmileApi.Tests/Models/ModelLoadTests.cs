using System.Text;
using SmileApi.Inference;

namespace SmileApi.Tests.Models;

/// <summary>A model that does not fit is refused with the reason, whatever it is that does not fit.</summary>
public sealed class ModelLoadTests
{
    private static readonly byte[] s_model = File.ReadAllBytes(Path.Combine(Repository.Root, "models", "smile.onnx"));

    [Theory]
    [InlineData("\"format\":1", "\"format\":2", "has format 2")]
    [InlineData("\"side\":100", "\"side\":101", "faces of 101 pixels")]
    [InlineData("\"crop\":\"brow", "\"crop\":\"chin", "chin-to-lower-lip")]
    [InlineData("\"threshold\":0", "\"threshold\":7", "threshold 7")]
    [InlineData("\"mean\":", "\"Mean\":", "metadata cannot be read")]
    [InlineData("\"licence\":", "\"Licence\":", "metadata cannot be read")]
    [InlineData("\"cost\":{", "\"cost\":[", "metadata cannot be read")]
    public void Metadata_that_do_not_fit_are_named(string written, string instead, string hint)
    {
        using var file = Changed(written, instead);

        Assert.False(SmileModel.TryLoad(file.Path, out _, out var reason));

        Assert.Contains("does not fit this version of SmileApi", reason, StringComparison.Ordinal);
        Assert.Contains(hint, reason, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', reason);
    }

    [Theory]
    [InlineData("image", "photo", "one tensor called 'image'")]
    [InlineData("probability", "possibility", "its output 'probability'")]
    public void A_graph_with_other_names_is_refused(string name, string instead, string hint)
    {
        // Names stand in the graph behind their length, and nothing else in the file is written so.
        using var file = Changed((char)name.Length + name, (char)name.Length + instead);

        Assert.False(SmileModel.TryLoad(file.Path, out _, out var reason));

        Assert.Contains(hint, reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_is_no_model()
    {
        Assert.False(SmileModel.TryLoad(Path.GetTempPath(), out _, out var reason));

        Assert.Contains("cannot be read", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void The_committed_model_is_one_of_ours_and_small_enough_to_be_fast()
    {
        Assert.True(SmileModel.TryLoad(Path.Combine(Repository.Root, "models", "smile.onnx"), out var model, out var reason), reason);
        using (model)
        {
            Assert.Equal(20, model.Metadata.Cost.Layers);
            Assert.InRange(model.Metadata.Cost.MultiplyAdds, 1, 30_000_000);
            Assert.Equal(0.5f, model.Metadata.Threshold);
            Assert.True(model.Metadata.Scores["test"].Accuracy >= 0.96);
            Assert.True(model.Metadata.Scores["test"].RocAuc >= 0.99);
        }
    }

    /// <summary>The committed model with a text replaced by one of the same length, since lengths stand before texts.</summary>
    private static TemporaryFile Changed(string written, string instead)
    {
        Assert.Equal(written.Length, instead.Length);
        var text = Encoding.Latin1.GetString(s_model); // One character a byte, there and back.
        Assert.Contains(written, text, StringComparison.Ordinal);
        return new TemporaryFile(Encoding.Latin1.GetBytes(text.Replace(written, instead, StringComparison.Ordinal)));
    }
}
