using System.Numerics.Tensors;
using SmileApi.Imaging;

namespace SmileApi.Training.Tests;

public sealed class TurnedScoresTests
{
    [Fact]
    public void Clockwise_what_is_right_of_the_middle_comes_below_it()
    {
        using var image = new GreyImage(101, 101, 1, 101, 101, ImageFormat.Png);
        image.Pixels.Clear();
        image.Pixels[50 * 101 + 80] = 200;

        using var turned = TurnedScores.Turn(new Face(image, new FaceSquare(25, 25, 51), 1), Math.PI / 2).Image;
        Assert.InRange(turned.Pixels[80 * 101 + 50], 190, 200);
        Assert.Equal(0, turned.Pixels[50 * 101 + 80]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(-40)]
    public void A_turned_face_cut_out_turned_as_far_is_the_face_as_it_was(double degrees)
    {
        var normalisation = new Normalisation(0, 1);
        var radians = degrees * Math.PI / 180;
        // So small that all of the turned square lies in the picture.
        Assert.All(DrawnFaces.Faces(seed: 8, count: 4).Select(face => face with { Square = new FaceSquare(20, 20, 80) }), face =>
        {
            var turned = TurnedScores.Turn(face, radians);
            var straight = (turned with { Roll = (float)radians }).Crop(normalisation);
            Assert.InRange(TensorPrimitives.Distance(straight, face.Crop(normalisation)) / FaceCrop.Side, 0, 8); // Root mean square; edges are blurred.
            Assert.True(degrees == 0 || TensorPrimitives.Distance(turned.Crop(normalisation), face.Crop(normalisation)) / FaceCrop.Side > 10);
        });
    }
}
