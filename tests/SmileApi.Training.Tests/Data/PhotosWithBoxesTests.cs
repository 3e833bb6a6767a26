using System.Formats.Tar;
using System.Text;

namespace SmileApi.Training.Tests;

public sealed class PhotosWithBoxesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Each_photograph_has_its_boxes_and_may_have_none()
    {
        Write("file,x,y,w,h\nb.png,1,2,30,40\nb.png,50.5,60,7,8\n", "a.png", "b.png");

        Assert.Collection(
            PhotosWithBoxes.Read(_folder.Path),
            photo => Assert.Equal(("a.png", 0), (photo.File, photo.Boxes.Count)),
            photo => Assert.Equal([new Box(1, 2, 30, 40), new Box(50.5f, 60, 7, 8)], photo.Boxes));
    }

    [Theory]
    [InlineData("file,x,y,w\n", "has no column 'h'")]
    [InlineData("file,x,y,w,h\n", "has no boxes to judge by")]
    [InlineData("file,x,y,w,h\na.png,left,2,30,40\n", "Line 2 of the boxes.csv in")]
    [InlineData("file,x,y,w,h\na.png,1,2,30,0\n", "a box has a size")]
    [InlineData("file,x,y,w,h\nb.png,1,2,30,40\n", "has boxes in b.png, and no such picture")]
    public void Boxes_that_are_none_are_refused(string csv, string message)
    {
        Write(csv, "a.png");
        Assert.Contains(message, Assert.Throws<CommandException>(() => PhotosWithBoxes.Read(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_delivered_photographs_have_181_boxes_inside_them()
    {
        var photos = PhotosWithBoxes.Read(Needs.RealFaces());
        Assert.Equal((57, 181), (photos.Count, photos.Sum(photo => photo.Boxes.Count)));
        Assert.All(photos, photo =>
        {
            using var image = Lfw160.DecodeWhole(photo.File, photo.Bytes);
            Assert.Equal(1, image.Reduction);
            Assert.All(photo.Boxes, box => Assert.True(box.X < image.Width && box.Y < image.Height && box.X + box.Width > 0 && box.Y + box.Height > 0));
        });
    }

    private void Write(string csv, params string[] pictures)
    {
        using var archive = new TarWriter(File.Create(_folder[PhotosWithBoxes.ArchiveName]));
        Add("boxes.csv", Encoding.UTF8.GetBytes(csv));
        foreach (var picture in pictures)
        {
            Add($"images/{picture}", GreyPng.Encode(new byte[100], 10, 10));
        }

        void Add(string name, byte[] bytes) => archive.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, $"photos-with-boxes/{name}") { DataStream = new MemoryStream(bytes) });
    }
}
