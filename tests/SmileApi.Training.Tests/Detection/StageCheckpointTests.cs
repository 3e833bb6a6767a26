namespace SmileApi.Training.Tests;

public sealed class StageCheckpointTests : IDisposable
{
    private static readonly StageCheckpoint Find = Stages.Checkpoint(FindArchitecture.RandomWeights(3));

    private readonly TemporaryFolder _folder = new();

    private string FilePath => _folder["run/stage.bin"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_stage_is_read_as_it_was_written()
    {
        Find.Save(FilePath);
        var read = StageCheckpoint.Load(FilePath, FindArchitecture.Layout)!;
        Stages.Same(Find, read);
        Assert.Equal(Find.History, read.History);
        Assert.Equal((Find.Finished, 5), (read.Finished, read.Step));

        var check = Stages.Checkpoint(Weights.Random(CheckArchitecture.Layout, 4)) with { History = [] };
        check.Save(FilePath);
        read = StageCheckpoint.Load(FilePath, CheckArchitecture.Layout)!;
        Stages.Same(check, read);
        Assert.Equal(0, read.Step);
    }

    [Fact]
    public void Where_there_is_no_file_there_is_no_stage() => Assert.Null(StageCheckpoint.Load(FilePath, FindArchitecture.Layout));

    [Fact]
    public void Another_networks_checkpoint_is_refused()
    {
        Find.Save(FilePath);
        Refused(CheckArchitecture.Layout);
        Stages.Checkpoint(Weights.Random(CheckArchitecture.Layout, 4)).Save(FilePath);
        Refused(FindArchitecture.Layout);
    }

    [Theory]
    [InlineData("")]
    [InlineData("anything")]
    [InlineData("smile-faces-stage-1\n")]
    [InlineData("smile-faces-stage-1\n\u0002{}")]
    [InlineData("smile-faces-stage-1\n\u0004null")]
    [InlineData("smile-faces-stage-1\n\u0004text")]
    [InlineData("smile-faces-stage-1\n\u007fcut short")]
    [InlineData("smile-faces-stage-1\n\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff")] // A length that is none.
    public void A_file_that_is_no_checkpoint_is_refused(string content)
    {
        Directory.CreateDirectory(_folder["run"]);
        File.WriteAllBytes(FilePath, [.. content.Select(letter => (byte)letter)]);
        Refused(FindArchitecture.Layout);
    }

    [Fact]
    public void A_file_that_is_cut_or_goes_on_is_refused()
    {
        Find.Save(FilePath);
        var bytes = File.ReadAllBytes(FilePath);
        foreach (var length in new[] { 10, 30, 200, bytes.Length / 2, bytes.Length - 1 })
        {
            File.WriteAllBytes(FilePath, bytes[..length]);
            Refused(FindArchitecture.Layout);
        }

        File.WriteAllBytes(FilePath, [.. bytes, 0]);
        Refused(FindArchitecture.Layout);
    }

    private void Refused(Layout layout)
    {
        var message = Assert.Throws<CommandException>(() => StageCheckpoint.Load(FilePath, layout)).Message;
        Assert.StartsWith(FilePath, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }
}
