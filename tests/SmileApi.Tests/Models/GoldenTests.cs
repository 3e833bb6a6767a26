using System.Security.Cryptography;
using System.Text.Json;
using SkiaSharp;
using SmileApi.Imaging;
using SmileApi.Inference;
using SmileApi.Models;
using SmileApi.Tests.Pictures;
using SmileApi.Training;

namespace SmileApi.Tests.Models;

/// <summary>
/// The served model against the trainer's own network: <c>models/golden.json</c> holds what libtorch said before any export.
/// </summary>
public sealed class GoldenTests(SmileApp app)
{
    private const float Tolerance = 1e-5f;

    private static readonly Dictionary<string, float> s_golden = JsonDocument
        .Parse(File.ReadAllBytes(Path.Combine(Repository.Root, "models", "golden.json"))).RootElement
        .GetProperty("pictures").EnumerateArray()
        .ToDictionary(picture => picture.GetProperty("key").GetString()!, picture => picture.GetProperty("probability").GetSingle());

    [Fact]
    public async Task Pictures_made_by_formula_get_the_trainers_probabilities()
    {
        Assert.NotEmpty(GoldenPictures.All);
        foreach (var picture in GoldenPictures.All)
        {
            var probability = await app.ProbabilityAsync(Make.PngFromGrey(picture.Pixels, picture.Width, picture.Height));

            Assert.True(Math.Abs(s_golden[picture.Name] - probability) <= Tolerance, $"{picture.Name}: {s_golden[picture.Name]} in training, {probability} served");
        }
    }

    [Theory]
    [InlineData("mean-smile.png")]
    [InlineData("mean-neutral.png")]
    public async Task Mean_faces_get_the_trainers_probabilities(string sample)
    {
        Assert.Equal(s_golden[$"samples/{sample}"], await app.ProbabilityAsync(Repository.Sample(sample)), Tolerance);
    }

    [Fact]
    public async Task Five_hundred_real_faces_get_the_trainers_probabilities_through_the_services_own_decoder()
    {
        Assert.SkipUnless(RealFaces.AreHere, RealFaces.Missing);
        var (count, worst) = (0, 0f);
        foreach (var (_, bytes) in RealFaces.Take(int.MaxValue))
        {
            if (s_golden.TryGetValue(Convert.ToHexStringLower(SHA256.HashData(bytes)), out var golden))
            {
                worst = Math.Max(worst, Math.Abs(golden - await app.ProbabilityAsync(bytes)));
                count++;
            }
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{count} faces, largest difference of probability {worst}");
        Assert.True(count >= 500);
        Assert.True(worst <= Tolerance, $"The largest difference of probability over {count} faces is {worst}.");
    }

    [Fact]
    public void Five_hundred_real_faces_in_colour_get_nearly_the_same_probability_from_both_decoders()
    {
        Assert.SkipUnless(RealFaces.AreHere, RealFaces.Missing);
        var turbo = new ImageDecoder(new ImageLimits());
        var skia = new ImageDecoder(new ImageLimits(), useTurboJpeg: false);
        Assert.SkipUnless(turbo.JpegBackend == "libturbojpeg", "this system has no libturbojpeg");
        using var runner = app.Get<ModelStore>().Current.Smile.CreateRunner(1);
        var (count, worst) = (0, 0f);
        foreach (var (_, bytes) in RealFaces.Take(500))
        {
            // As a camera would send them: larger, tinted, chroma at half the resolution, reduced while decoding.
            var photograph = Tinted(bytes);
            worst = Math.Max(worst, Math.Abs(Probability(turbo, runner, photograph) - Probability(skia, runner, photograph)));
            count++;
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{count} faces, largest difference of probability {worst}");
        Assert.Equal(500, count);
        Assert.True(worst <= 0.01f, $"The largest difference of probability over {count} faces is {worst}.");
    }

    private float Probability(ImageDecoder decoder, SmileRunner runner, byte[] picture)
    {
        Assert.True(decoder.TryDecode(picture, FaceCrop.Side, out var photo, out var rejection), rejection?.Detail);
        using (photo)
        {
            Assert.Equal(4, photo.Reduction);
            var face = new float[FaceCrop.Length];
            FaceCrop.Resample(photo, FaceSquare.Centred(photo.Width, photo.Height), app.Get<ModelStore>().Current.Smile.Metadata.Input.Normalisation, face);
            var probability = new float[1];
            runner.Run([face], probability);
            return probability[0];
        }
    }

    private static byte[] Tinted(byte[] greyJpeg)
    {
        using var face = SKBitmap.Decode(greyJpeg);
        using var photograph = new SKBitmap(560, 480);
        using var canvas = new SKCanvas(photograph);
        using var paint = new SKPaint { ColorFilter = SKColorFilter.CreateColorMatrix([0.95f, 0, 0, 0, 0.05f, 0, 0.8f, 0, 0, 0.04f, 0, 0, 0.65f, 0, 0.05f, 0, 0, 0, 1, 0]) };
        using var image = SKImage.FromBitmap(face);
        canvas.DrawImage(image, new SKRect(0, 0, 560, 480), new SKSamplingOptions(SKFilterMode.Linear), paint);
        using var data = photograph.Encode(SKEncodedImageFormat.Jpeg, 90);
        return data.ToArray();
    }
}
