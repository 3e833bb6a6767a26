namespace SmileApi.Training.Tests;

/// <summary>Both stages one after the other on drawn archives.</summary>
public sealed class DetectorTrainerTests : IDisposable
{
    private static readonly FaceTrainOptions Short = new() { Seed = 3, FindSteps = 8, FindBatch = 8, CheckSteps = 4, CheckBatch = 16, StepsPerCheckpoint = 2, HeldOut = 6 };

    private readonly TemporaryFolder _folder = new();

    public DetectorTrainerTests()
    {
        DrawnFaces.WriteArchive(_folder["data"], train: 12);
        DrawnFaces.WriteScenes(_folder["data"]);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_run_stopped_in_each_stage_ends_like_one_left_alone()
    {
        Needs.LibTorch();
        var (whole, told) = Train("whole");
        Assert.Equal(["find       2", "find       4", "find       6", "find       8", "check      2", "check      4"], told[1..^1].Select(line => line[..12]));
        Assert.Null(Train("stopped", stopAt: ("find", 5)).Detector);
        Assert.Equal(4, StageCheckpoint.Load(DetectorTrainer.FindCheckpoint(_folder["stopped"]), FindArchitecture.Layout)!.Step);
        Assert.Null(Train("stopped", stopAt: ("check", 3)).Detector);
        var (resumed, rest) = Train("stopped");
        Assert.Equal("check      4", Assert.Single(rest[1..^1])[..12]);

        Stages.Same(whole!.Find, resumed!.Find);
        Stages.Same(whole.Check, resumed.Check);
        Assert.Equal((whole.Calibration, whole.FindWeight), (resumed.Calibration, resumed.FindWeight));
        Assert.Equal(told[^1], rest[^1]);
    }

    [Fact]
    public void A_stage_goes_on_with_its_own_data_only()
    {
        Needs.LibTorch();
        Train("run", stopAt: ("find", 3));
        DrawnFaces.WriteFaces36(_folder["data"], 2);
        Assert.Contains("trained on other data than these", Assert.Throws<CommandException>(() => Train("run")).Message, StringComparison.Ordinal);
    }

    private (Detector? Detector, List<string> Told) Train(string run, (string Stage, int Step)? stopAt = null)
    {
        var told = new List<string>();
        using var stopping = new CancellationTokenSource();
        var detector = new DetectorTrainer(Short, _folder["data"], _folder[run], told.Add, (stage, step) =>
        {
            if ((stage, step.Step) == stopAt)
            {
                stopping.Cancel();
            }
        }).Run(stopping.Token);
        return (detector, told);
    }
}
