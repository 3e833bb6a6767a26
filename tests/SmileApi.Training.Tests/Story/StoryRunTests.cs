namespace SmileApi.Training.Tests;

public sealed class StoryRunTests : IDisposable
{
    private readonly TemporaryFolder _runs = new();

    public void Dispose() => _runs.Dispose();

    [Fact]
    public void Few_pictures_are_among_more_of_the_same_seed_and_half_of_them_smile()
    {
        var faces = DrawnFaces.Faces(1, 80);
        var (few, more) = (StoryRun.Draw(faces, 5, seed: 1), StoryRun.Draw(faces, 20, seed: 1));
        Assert.Equal((5, 10), (few.Count(face => face.IsSmile), few.Length));
        Assert.Equal((20, 40), (more.Count(face => face.IsSmile), more.Distinct().Count()));
        Assert.Subset(more.ToHashSet(), few.ToHashSet());
        Assert.Equal(few, StoryRun.Draw(faces, 5, seed: 1));
        Assert.NotEqual(few, StoryRun.Draw(faces, 5, seed: 2));
        Assert.Contains("fewer than the 41", Assert.Throws<CommandException>(() => StoryRun.Draw(faces, 41, seed: 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_story_that_was_stopped_goes_on_to_the_uninterrupted_points()
    {
        Needs.LibTorch();
        var whole = Run("whole", "20").Train(_ => { }, CancellationToken.None);
        Assert.NotNull(whole);
        Assert.Equal((20, 20), (whole.Smiles, whole.NonSmiles));
        Assert.InRange(whole.Steps, 15, 17);

        using var stopping = new CancellationTokenSource();
        var lines = new List<string>();
        Assert.Null(Run("stopped", "20").Train(StopAfterEpoch3, stopping.Token));
        Assert.InRange(Checkpoint.Load(_runs["stopped/20"]).Epoch, 3, 4);

        var resumed = Run("stopped", "20").Train(_ => { }, CancellationToken.None);
        Assert.Equal(whole, resumed);
        Assert.Equal(whole, Run("stopped", "20").Train(_ => Assert.Fail("It was complete."), CancellationToken.None));

        void StopAfterEpoch3(string line)
        {
            lines.Add(line);
            if (lines.Count == 4)
            {
                stopping.Cancel();
            }
        }
    }

    [Fact]
    public void A_run_of_other_steps_or_another_seed_is_not_taken_up()
    {
        Needs.LibTorch();
        using var stopped = new CancellationTokenSource();
        stopped.Cancel();
        Assert.Null(Run("run", StoryRun.All).Train(_ => { }, stopped.Token));
        Assert.Contains("holds a run with other options", Refusal(steps: 16, seed: 2), StringComparison.Ordinal);
        Assert.Contains("holds a run with other options", Refusal(steps: 60, seed: 1), StringComparison.Ordinal);

        string Refusal(int steps, int seed) => Assert.Throws<CommandException>(() => Run("run", StoryRun.All, steps, seed)).Message;
    }

    private StoryRun Run(string runs, string size, int steps = 16, int seed = 1) => new(_runs[runs], size, steps, seed, DrawnFaces.Data(80));
}
