namespace SmileApi.Training.Tests;

public sealed class ScenesTests
{
    [Fact]
    public void A_tenth_of_the_scenes_is_to_choose_by_and_a_tenth_to_measure_by()
    {
        var splits = Enumerable.Range(0, 5000).Select(i => Scenes.SplitOf($"{i}.jpg")).CountBy(split => split).ToDictionary();
        Assert.Equal(["test", "train", "val"], splits.Keys.Order());
        Assert.InRange(splits["val"], 400, 600);
        Assert.InRange(splits["test"], 400, 600);
    }

    [Theory]
    [InlineData("0.jpg", "train")]
    [InlineData("9.jpg", "val")]
    [InlineData("11.jpg", "test")]
    public void The_name_alone_decides(string name, string split) => Assert.Equal(split, Scenes.SplitOf(name));

    [Fact]
    public void The_splits_of_an_archive_share_no_scene_and_keep_its_order()
    {
        using var folder = new TemporaryFolder();
        DrawnFaces.WriteScenes(folder.Path);
        var scenes = new[] { "train", "val", "test" }.Select(split => Scenes.Load(folder.Path, split)).ToArray();
        Assert.All(scenes, Assert.NotEmpty);
        Assert.Equal(30, scenes.Sum(split => split.Count));
        Assert.All(scenes.SelectMany(split => split), scene => Assert.Equal((320, 240), (scene.Width, scene.Height)));

        var names = Enumerable.Range(0, 30).Where(i => Scenes.SplitOf($"{i}.jpg") == "val").ToArray();
        var drawn = DrawnFaces.Scenes(1, 30);
        Assert.Equal(names.Length, scenes[1].Count);
        Assert.All(names.Zip(scenes[1]), pair => Assert.InRange(MeanDifference(drawn[pair.First].Pixels, pair.Second.Pixels), 0, 3)); // JPEG.
    }

    [Fact]
    public void An_archive_that_lacks_a_split_or_is_missing_is_refused()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("cannot be read", Assert.Throws<CommandException>(() => Scenes.Load(folder.Path, "train")).Message, StringComparison.Ordinal);
        DrawnFaces.WriteScenes(folder.Path, count: 1);
        Assert.Single(Scenes.Load(folder.Path, Scenes.SplitOf("0.jpg")));
        Assert.EndsWith("has no pictures in its split 'val'.", Assert.Throws<CommandException>(() => Scenes.Load(folder.Path, "val")).Message, StringComparison.Ordinal);
    }

    private static double MeanDifference(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        var sum = 0.0;
        for (var i = 0; i < one.Length; i++)
        {
            sum += Math.Abs(one[i] - other[i]);
        }

        return sum / one.Length;
    }
}
