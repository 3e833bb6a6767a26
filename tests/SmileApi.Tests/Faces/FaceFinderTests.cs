using CsCheck;
using Microsoft.Extensions.Options;
using SmileApi.Classify;
using SmileApi.Faces;
using SmileApi.Imaging;
using SmileApi.Models;

namespace SmileApi.Tests.Faces;

/// <summary>How a picture is read and searched, before a pixel of it is decoded.</summary>
public sealed class FaceFinderTests(SmileApp app)
{
    private readonly FaceFinder _finder = app.Get<FaceFinder>();

    private FaceDetector Detector => app.Get<ModelStore>().Current.Faces;

    [Theory]
    [InlineData(640, 480, 20, 1)]
    [InlineData(667, 667, 20, 1)]
    [InlineData(1000, 700, 30, 1)]
    [InlineData(1900, 1000, 57, 2)]
    [InlineData(4000, 3000, 120, 4)]
    [InlineData(10000, 9000, 300, 8)]
    [InlineData(8000, 20, 240, 8)]
    [InlineData(1, 1, 20, 1)]
    public void By_default_the_smallest_face_is_3_percent_of_the_longer_side_and_no_more_is_decoded_than_it_needs(
        int width, int height, float minFace, int reduction)
    {
        foreach (var header in new[] { Jpeg(width, height), Jpeg(height, width), Jpeg(width, height, Orientation.NeedsClockwise) })
        {
            Assert.True(_finder.TryPlan(Detector, header, new ClassifyQuery(Detect: true), out var plan, out _));
            Assert.Equal(new FacePlan(reduction, minFace), plan);
        }
    }

    [Theory]
    [InlineData(20, 1)]
    [InlineData(55, 1)]
    [InlineData(56, 2)]
    [InlineData(80, 2)]
    [InlineData(112, 4)]
    [InlineData(224, 8)]
    [InlineData(3000, 8)]
    public void Who_wants_larger_faces_pays_for_less(int minFace, int reduction)
    {
        Assert.True(_finder.TryPlan(Detector, Jpeg(2000, 1500), new ClassifyQuery(Detect: true, MinFace: minFace), out var plan, out _));

        Assert.Equal(new FacePlan(reduction, minFace), plan);
    }

    [Fact]
    public void A_picture_that_is_one_face_is_decoded_as_the_smile_network_needs_it()
    {
        Assert.True(_finder.TryPlan(Detector, Jpeg(640, 480), new ClassifyQuery(Detect: false, MinFace: 1), out var plan, out _));

        Assert.Equal(new FacePlan(4, null), plan);
    }

    [Fact]
    public void The_default_smallest_face_is_never_too_small_whatever_the_picture_and_the_settings()
    {
        var strictest = new FaceFinder(null!, Options.Create(new FacesOptions { MaxPixels = 300_000 }), null!, null!);
        Gen.Select(Gen.Int[1, 65535], Gen.Int[1, 65535]).Sample((width, height) =>
            Assert.True(strictest.TryPlan(Detector, Jpeg(width, height), new ClassifyQuery(Detect: true), out _, out _)));
    }

    [Fact]
    public void A_smallest_face_that_would_cost_too_much_is_refused_with_the_smallest_that_does_not() =>
        Gen.Select(Gen.Int[1, 20000], Gen.Int[1, 20000], Gen.Int[1, 60]).Sample((width, height, minFace) =>
        {
            if (!_finder.TryPlan(Detector, Jpeg(width, height), new ClassifyQuery(Detect: true, MinFace: minFace), out _, out var problem))
            {
                Assert.Equal(ProblemKind.InvalidParameter, problem.Kind);
                var smallest = int.Parse(problem.Detail.Split("at least ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
                Assert.True(smallest > minFace);
                Assert.False(_finder.TryPlan(Detector, Jpeg(width, height), new ClassifyQuery(Detect: true, MinFace: smallest - 1), out _, out _));
                Assert.True(_finder.TryPlan(Detector, Jpeg(width, height), new ClassifyQuery(Detect: true, MinFace: smallest), out _, out _));
            }
            else
            {
                var scale = Math.Min(1, Detector.Find.Metadata.MinBox / (double)minFace);
                Assert.True(width * scale * (height * scale) < 8_100_000);
            }
        });

    private static ImageHeader Jpeg(int width, int height, Orientation orientation = Orientation.Upright) =>
        new(ImageFormat.Jpeg, width, height, Components: 3, Orientation: orientation);
}
