using System.Numerics.Tensors;
using SmileApi.Imaging;

namespace SmileApi.Training.Tests;

public sealed class CorruptionTests
{
    private static readonly Normalisation Normalisation = new(128, 60);
    private static readonly Face[] Faces = DrawnFaces.Faces(seed: 9, count: 8);

    public static TheoryData<string> Names => [.. Corruption.All.Select(corruption => corruption.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_spoils_every_face_the_same_way_each_time_and_stays_a_picture(string name)
    {
        var corruption = Corruption.All.Single(corruption => corruption.Name == name);
        foreach (var (index, face) in Faces.Index())
        {
            var clean = face.Crop(Normalisation);
            var spoilt = corruption.Apply(face, index, Normalisation);

            Assert.Equal(FaceCrop.Length, spoilt.Length);
            Assert.Equal(spoilt, corruption.Apply(face, index, Normalisation));
            Assert.InRange(TensorPrimitives.Distance(clean, spoilt) / 100, 0.01, 2); // Root mean square, in deviations.
            Assert.All(spoilt, level => Assert.InRange(level * 60 + 128, -0.01, 255.01));
        }
    }

    [Fact]
    public void Noise_has_the_deviation_that_its_name_says()
    {
        using var image = new GreyImage(100, 100, 1, 100, 100, ImageFormat.Png);
        image.Pixels.Fill(128);
        var noise = Corruption.All.Single(corruption => corruption.Name.StartsWith("noise, sigma 25", StringComparison.Ordinal));

        var crop = noise.Apply(new Face(image, FaceSquare.Centred(100, 100), 0), 3, new Normalisation(0, 1));

        Assert.Equal(25, TensorPrimitives.StdDev(crop), 0.8);
        Assert.Equal(128, TensorPrimitives.Average(crop), 0.8);
    }
}
