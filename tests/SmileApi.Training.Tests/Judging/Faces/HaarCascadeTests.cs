using SmileApi.Imaging;

namespace SmileApi.Training.Tests;

public sealed class HaarCascadeTests
{
    [Fact]
    public void Where_nothing_is_nothing_is_found()
    {
        using var black = new GreyImage(80, 50, 1, 80, 50, ImageFormat.Png);
        black.Pixels.Clear();
        using var haar = Needs.OpenCv([black, black]);

        var run = haar.Run(1);
        Assert.Equal([0, 0], run.Boxes.Select(boxes => boxes.Length));
        Assert.True(run.Seconds >= 0);
        Assert.Matches("^[0-9.]+$", haar.Version);
    }

    [Fact]
    public void It_finds_158_of_181_faces_with_one_false_where_five_neighbours_must_agree()
    {
        var photos = PhotosWithBoxes.Read(Needs.RealFaces());
        GreyImage[] images = [.. photos.Select(photo => Lfw160.DecodeWhole(photo.File, photo.Bytes))];
        using var haar = Needs.OpenCv(images);

        var judged = haar.Run(5).Boxes.Zip(photos, (boxes, photo) => DetectionMatch.Judge(boxes.Select(box => new FoundBox(box, 1)), photo.Boxes)).SelectMany(boxes => boxes).ToArray();

        // As measured elsewhere with OpenCV's own decoder; another version may round otherwise.
        Assert.InRange(judged.Count(box => box.IsRight), 157, 159);
        Assert.InRange(judged.Count(box => !box.IsRight), 0, 2);
    }
}
