using SmileApi.Inference;

namespace SmileApi.Tests.Faces;

/// <summary>A stage of the detector that does not fit is refused with the reason, whatever it is that does not fit.</summary>
public sealed class FaceModelTests
{
    private const string Find = FaceModelMetadata.FindStage;
    private const string Check = FaceModelMetadata.CheckStage;

    [Fact]
    public void Both_stages_load_and_show_what_they_say_of_themselves()
    {
        using var findFile = new TemporaryFile(TinyDetector.FindModel());
        using var checkFile = new TemporaryFile(TinyDetector.CheckModel());

        Assert.True(FaceModel.TryLoad(findFile.Path, Find, out var find, out var reason), reason);
        Assert.True(FaceModel.TryLoad(checkFile.Path, Check, out var check, out reason), reason);

        using (find)
        using (check)
        {
            Assert.Equal(TinyDetector.Find.ToJson(), find.Metadata.ToJson());
            Assert.Equal(TinyDetector.Check.ToJson(), check.Metadata.ToJson());
            Assert.Equal(64, find.Sha256.Length);
        }
    }

    [Fact]
    public void What_belongs_to_the_other_stage_is_not_written()
    {
        Assert.DoesNotContain("\"margin\"", TinyDetector.Find.ToJson(), StringComparison.Ordinal);
        Assert.DoesNotContain("\"mean\"", TinyDetector.Check.ToJson(), StringComparison.Ordinal);
        Assert.Contains("\"threshold\":0.5", TinyDetector.Check.ToJson(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"format\":1", "\"format\":2", "has format 2")]
    [InlineData("\"stage\":\"find\"", "\"stage\":\"look\"", "the stage 'look'")]
    [InlineData("\"threshold\":0.5", "\"threshold\":1", "threshold 1")]
    [InlineData("\"mean\":120", "\"mean\":-1", "mean grey level -1")]
    [InlineData("\"deviation\":60", "\"deviation\":0", "deviation of grey levels 0")]
    [InlineData("\"stride\":8", "\"stride\":4", "cells have 4 pixels")]
    [InlineData("\"referenceSide\":24,", "", "reference side 0")]
    [InlineData("\"minBox\":16", "\"minBox\":2", "smallest box 2")]
    [InlineData("\"maxBox\":40", "\"maxBox\":31", "less than twice its smallest")]
    [InlineData("\"cost\":", "\"coast\":", "metadata cannot be read")]
    [InlineData("{", "", "metadata cannot be read")]
    public void Metadata_of_the_first_stage_that_do_not_fit_are_named(string written, string instead, string hint) =>
        Refused(TinyDetector.FindModel(Changed(TinyDetector.Find, written, instead)), Find, hint);

    [Theory]
    [InlineData("\"side\":40", "\"side\":48", "candidates of 48 pixels")]
    [InlineData("\"margin\":1.2,", "", "margin 0")]
    [InlineData("\"deviationFloor\":8,", "", "floor of deviations 0")]
    public void Metadata_of_the_second_stage_that_do_not_fit_are_named(string written, string instead, string hint) =>
        Refused(TinyDetector.CheckModel(Changed(TinyDetector.Check, written, instead)), Check, hint);

    [Fact]
    public void A_stage_in_the_others_place_is_refused()
    {
        Refused(TinyDetector.FindModel(), Check, "it is the stage 'find' of the detector, where the stage 'check' must be");
        Refused(TinyDetector.CheckModel(), Find, "it is the stage 'check' of the detector, where the stage 'find' must be");
    }

    [Fact]
    public void A_network_that_is_no_detector_is_refused() =>
        Refused(File.ReadAllBytes(Path.Combine(Repository.Root, "models", "smile.onnx")), Find, "no 'smileapi-faces' metadata");

    [Fact]
    public void Shapes_that_do_not_fit_are_named()
    {
        Refused(TinyDetector.FindModel(boxes: 4), Find, "its output 'box' must be float32 [N, 3, H/8, W/8]");
        Refused(TinyDetector.CheckModel(side: 32), Check, "its input 'image' must be float32 [N, 1, 40, 40]");
        Refused(TinyDetector.FindModel(stride: 4), Find, "it cannot be run");
    }

    [Fact]
    public void A_network_whose_answer_is_no_probability_is_refused()
    {
        Refused(TinyDetector.FindModel(bias: float.NaN), Find, "no probabilities");
        Refused(TinyDetector.CheckModel(logit: float.NaN), Check, "no probabilities");
    }

    [Fact]
    public void A_file_that_is_not_there_or_no_network_is_refused()
    {
        Assert.False(FaceModel.TryLoad("/no/such/faces.onnx", Find, out _, out var reason));
        Assert.Equal("There is no model at /no/such/faces.onnx.", reason);

        using var file = new TemporaryFile("this is no model"u8);
        Assert.False(FaceModel.TryLoad(file.Path, Find, out _, out reason));
        Assert.Contains("is not a readable ONNX file", reason, StringComparison.Ordinal);

        Assert.Throws<ArgumentOutOfRangeException>(() => FaceModel.TryLoad(file.Path, "third", out _, out _));
    }

    [Fact]
    public void A_batch_is_answered_as_its_pictures_are_alone()
    {
        using var file = new TemporaryFile(TinyDetector.FindModel());
        Assert.True(FaceModel.TryLoad(file.Path, Find, out var model, out _));
        using (model)
        using (var runner = model.CreateRunner(3 * 128 * 64))
        {
            float[][] images = [.. Enumerable.Range(1, 3).Select(n => Pictures.Make.Noise(128 * 64 + n, n).Select(level => level / 99f - 1).ToArray())];
            var together = new float[3][];
            runner.Run(images, 128, 64, together);

            for (var i = 0; i < 3; i++)
            {
                var alone = new float[1][];
                runner.Run([images[i]], 128, 64, alone);

                Assert.Equal(alone[0].Take(4 * 16 * 8), together[i].Take(4 * 16 * 8));
                Assert.True(alone[0].Take(16 * 8).Distinct().Count() > 1);
            }

            Assert.Throws<ArgumentOutOfRangeException>(() => runner.Run([images[0], images[0], images[0], images[0]], 128, 64, new float[4][]));
        }
    }

    private static string Changed(FaceModelMetadata metadata, string written, string instead)
    {
        var json = metadata.ToJson();
        Assert.Contains(written, json, StringComparison.Ordinal);
        return json.Replace(written, instead, StringComparison.Ordinal);
    }

    private static void Refused(byte[] model, string stage, string hint)
    {
        using var file = new TemporaryFile(model);

        Assert.False(FaceModel.TryLoad(file.Path, stage, out _, out var reason));

        Assert.Contains("does not fit this version of SmileApi", reason, StringComparison.Ordinal);
        Assert.Contains(hint, reason, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', reason);
    }
}
