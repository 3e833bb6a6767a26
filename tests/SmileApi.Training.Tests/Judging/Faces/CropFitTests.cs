using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training.Tests;

public sealed class CropFitTests
{
    private static readonly FaceSquare Labelled = new(20, 30, 100);

    [Fact]
    public void Crops_that_are_all_off_alike_have_a_mean_and_no_deviation()
    {
        // Half as large again would be too far off to be the same face at all.
        var found = new FaceSquare(20 + 5 - 10, 30 - 10 - 10, 120);
        var fit = CropFit.Of([Portrait(found), Portrait(found)])!;

        Assert.Equal(2, fit.Count);
        Assert.Equal((0.05, 0), (fit.Dx.Mean, fit.Dx.Deviation), Near);
        Assert.Equal((-0.1, 0), (fit.Dy.Mean, fit.Dy.Deviation), Near);
        Assert.Equal((Math.Log(1.2), 0), (fit.LogScale.Mean, fit.LogScale.Deviation), Near);
    }

    [Fact]
    public void Deviations_are_about_the_mean() => Assert.Equal((3, 2), (Spread.Of([1, 5, 5, 1]).Mean, Spread.Of([1, 5, 5, 1]).Deviation));

    [Fact]
    public void Faces_that_are_not_found_or_have_no_labelled_crop_tell_nothing()
    {
        Assert.Null(CropFit.Of([Portrait(null), Portrait(Labelled with { X = 100 }), Portrait(Labelled, hasSquare: false)]));
        Assert.False(Portrait(null).IsFound);
        Assert.False(Portrait(Labelled with { X = 100 }).IsFound);
        Assert.True(Portrait(Labelled).IsFound);
    }

    [Fact]
    public void A_rule_scales_about_the_centre_and_then_moves_down()
    {
        Assert.Equal(Labelled, CropRule.Apply(Labelled, 1, 0));
        Assert.Equal(new FaceSquare(30, 50, 80), CropRule.Apply(Labelled, 0.8, 0.1));
    }

    private static Portrait Portrait(FaceSquare? crop, bool hasSquare = true)
    {
        var row = new LabelRow("a.png", "somebody", "val", "smile", "", Labelled, hasSquare);
        var image = new GreyImage(160, 160, 1, 160, 160, ImageFormat.Png);
        return new Portrait(row, new Face(image, Labelled, 1), crop is { } square ? new DetectedFace(square.ToBox(), 0.9f, 0) : null);
    }

    private static bool Near((double, double) one, (double, double) other) => Math.Abs(one.Item1 - other.Item1) < 1e-5 && Math.Abs(one.Item2 - other.Item2) < 1e-5;
}
