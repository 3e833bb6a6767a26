namespace SmileApi.Training.Tests;

/// <summary>What the tests of a detector's stages have in common.</summary>
internal static class Stages
{
    /// <summary>A stage after its fifth step.</summary>
    public static StageCheckpoint Checkpoint(Weights weights) => new()
    {
        Options = new FaceTrainOptions { Seed = 7, FindSteps = 9, BoxWeight = 0.3 },
        Data = new Dictionary<string, string> { ["faces.tar"] = "ab" },
        Pictures = 80,
        History = [new StageRecord(3, 0.7, 0.25, 1.5, 2), new StageRecord(5, 0.5, 1 / 3.0, 0.5, 1)],
        Finished = DateTimeOffset.UnixEpoch.AddTicks(1234567),
        Current = weights,
        Velocity = Weights.Zero(weights.Layout),
        Average = weights,
    };

    public static void Same(StageCheckpoint expected, StageCheckpoint actual)
    {
        Assert.Equal(expected.Options, actual.Options);
        Assert.Equal(expected.Data, actual.Data);
        Assert.Equal(expected.Pictures, actual.Pictures);
        Assert.Equal(expected.History.Select(record => record with { Seconds = 0 }), actual.History.Select(record => record with { Seconds = 0 }));
        foreach (var part in new Func<StageCheckpoint, Weights>[] { stage => stage.Current, stage => stage.Velocity, stage => stage.Average })
        {
            Assert.All(part(expected).Layout.Tensors, tensor => Assert.Equal(part(expected)[tensor.Name], part(actual)[tensor.Name]));
        }
    }
}
