namespace SmileApi.Training.Tests;

/// <summary>The detector in the repository against the figures claimed for it.</summary>
public sealed class CommittedDetectorTests
{
    [Fact]
    public void Its_card_says_what_its_figures_say()
    {
        using var detector = Load();
        var figures = Figures();
        Assert.Equal((detector.Find.Sha256, detector.Check.Sha256), (figures.Find.Sha256, figures.Check.Sha256));
        Assert.Equal(
            FaceCard.Text(figures, detector.Find.Metadata, detector.Check.Metadata),
            File.ReadAllText(Needs.Committed("models", FaceCard.FileName)).ReplaceLineEndings("\n"));
    }

    [Fact]
    public void Its_figures_do_not_fall_behind()
    {
        var figures = Figures();
        var photos = figures.Photos!;
        Assert.True(photos.FoundWith20False >= 0.94 * photos.Faces && photos.FoundWith8False >= 0.92 * photos.Faces);
        Assert.All(photos.Haar, haar => Assert.True(haar.OursFound > haar.Found));
        Assert.True(photos.TimesFaster >= 10);
        Assert.InRange(figures.Find.Cost.Parameters + figures.Check.Cost.Parameters, 1, 300_000);
        Assert.True(figures.Test!.FoundShare >= 0.995 && figures.Test.GoodCropShare >= 0.97 && Math.Abs(figures.Test.Points!.Value) <= 0.5);
        Assert.All(figures.Composites.Where(kind => !kind.Hard), kind => Assert.True(kind.FoundShare >= 0.97 && kind.FalseShare <= 0.01, $"{kind}"));
        Assert.InRange(figures.Scenes.FalsePerScene, 0, 0.1);
    }

    /// <summary>Another processor adds in another order, so a box about the threshold may be one more or one less.</summary>
    [Fact]
    public void It_finds_in_the_photographs_what_its_figures_say()
    {
        var folder = Needs.RealFaces();
        using var detector = Load();
        var (measured, claimed) = (PhotoScores.Measure(detector, PhotosWithBoxes.Read(folder), withHaar: false), Figures().Photos!);
        Assert.Equal((claimed.Photos, claimed.Faces), (measured.Photos, measured.Faces));
        Assert.InRange(measured.AtThreshold.Found - claimed.AtThreshold.Found, -1, 1);
        Assert.InRange(measured.AtThreshold.False - claimed.AtThreshold.False, -1, 1);
        Assert.InRange(measured.FoundWith8False - claimed.FoundWith8False, -1, 1);
        Assert.InRange(measured.FoundWith20False - claimed.FoundWith20False, -1, 1);
        Assert.Equal(claimed.AveragePrecision, measured.AveragePrecision, 0.005);
    }

    private static FaceDetector Load() => FaceDetector.Load(Committed("faces.onnx"));

    private static FaceEvaluation Figures() => FaceEvaluation.Load(Path.GetDirectoryName(Committed("training", FaceEvaluation.FileName))!);

    private static string Committed(params string[] path)
    {
        var file = Needs.Committed(["models", .. path]);
        Assert.SkipUnless(File.Exists(file), "no face detector is in this repository yet");
        return file;
    }
}
