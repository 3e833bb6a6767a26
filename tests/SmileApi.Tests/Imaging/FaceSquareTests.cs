using CsCheck;
using SmileApi.Imaging;

namespace SmileApi.Tests.Imaging;

public sealed class FaceSquareTests
{
    [Fact]
    public void A_crop_comes_back_from_its_box() =>
        Gen.Select(Gen.Float[-500, 500], Gen.Float[-500, 500], Gen.Float[1, 1000]).Sample((x, y, side) =>
        {
            var crop = new FaceSquare(x, y, side);
            IsClose(crop, crop.ToBox().ToCrop());
            IsClose(crop, crop.ToCrop().ToBox());
        });

    [Fact]
    public void The_box_is_1_4_times_the_crop_and_its_centre_a_twentieth_of_the_crop_higher() =>
        IsClose(new FaceSquare(100 - 40, 200 - 40 - 10, 280), new FaceSquare(100, 200, 200).ToBox());

    [Fact]
    public void The_crop_of_a_turned_face_lies_below_the_boxs_centre_as_the_face_sees_it()
    {
        var box = new FaceSquare(0, 0, 140);

        IsClose(new FaceSquare(20, 25, 100), box.ToCrop());
        IsClose(new FaceSquare(15, 20, 100), box.ToCrop(MathF.PI / 2)); // Lying on its right side, its chin is at the left.
        IsClose(new FaceSquare(20, 15, 100), box.ToCrop(MathF.PI));
    }

    [Theory]
    [InlineData(640, 480, 80, 0, 480)]
    [InlineData(480, 640, 0, 80, 480)]
    [InlineData(100, 100, 0, 0, 100)]
    [InlineData(101, 100, 0.5, 0, 100)]
    [InlineData(1, 1, 0, 0, 1)]
    public void The_centred_square_is_the_largest_that_fits(int width, int height, float x, float y, float side) =>
        Assert.Equal(new FaceSquare(x, y, side), FaceSquare.Centred(width, height));

    [Fact]
    public void Scaling_a_square_scales_its_place_too() =>
        Assert.Equal(new FaceSquare(5, -10, 20), new FaceSquare(10, -20, 40).Scaled(0.5f));

    private static void IsClose(FaceSquare expected, FaceSquare actual)
    {
        Assert.Equal(expected.X, actual.X, 1e-3);
        Assert.Equal(expected.Y, actual.Y, 1e-3);
        Assert.Equal(expected.Side, actual.Side, 1e-3);
    }
}
