using System.Text;
using SmileApi.Imaging;

namespace SmileApi.Training.Tests;

public sealed class CsvFacesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("", "faces.csv has no column 'file'")]
    [InlineData("file\na.png\n", "faces.csv has no column 'label'; its first line must name its columns, and is: file")]
    [InlineData("file,label\na.png,smile\nb.png,grin\n", "Line 3 of faces.csv: the label 'grin' is neither 'smile' (smiling, 1, true, yes) nor 'nonsmile' (neutral, 0, false, no).")]
    [InlineData("file,label\na.png\n", "Line 2 of faces.csv has 1 cells instead of 2.")]
    [InlineData("file,label\n\"a\n.png\",smile\nb.png,smile,\n", "Line 4 of faces.csv has 3 cells instead of 2.")]
    [InlineData("file,label\na.png,smile\n,smile\n", "Line 3 of faces.csv: the cell 'file' names no file.")]
    [InlineData("file,label,split\na.png,smile,dev\n", "Line 2 of faces.csv: the split 'dev' is none of train, val and test.")]
    [InlineData("file,label,x,y\na.png,smile,0.1,0.1\n", "faces.csv has no column 'size'")]
    [InlineData("file,label,x,y,size\na.png,smile,0.1,,0.5\n", "Line 2 of faces.csv: the square x, y, size = 0.1, , 0.5 is not in fractions of the picture's width.")]
    [InlineData("file,label,x,y,size\na.png,smile,12,20,96\n", "Line 2 of faces.csv: the square x, y, size = 12, 20, 96 is not in fractions")]
    [InlineData("file,label\na.png,\"smile\n", "Line 2 of faces.csv is not well-formed CSV: ")]
    [InlineData("file,label\na.png,\"gr\nin\"\n", "Line 2 of faces.csv: the label 'gr in' is neither")]
    public void A_mistake_is_one_line_that_names_file_and_line(string csv, string message)
    {
        var mistake = Assert.Throws<CommandException>(() => Open(csv)).Message.Replace(_folder.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal);
        Assert.StartsWith(message, mistake, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', mistake);
    }

    [Fact]
    public void Cells_may_be_quoted_columns_in_any_order_and_labels_in_several_words()
    {
        string[] labels = ["smile", "Smiling", "1", "TRUE", "yes", "nonsmile", "neutral", "0", "false", "no"];
        var csv = new StringBuilder("\uFEFFwho,Label,\"file\"\r\n");
        foreach (var (i, label) in labels.Index())
        {
            WritePicture($"a, \"{i}\".png");
            csv.Append($"\"one, or another\",{label}, \"a, \"\"{i}\"\".png\"\r\n");
        }

        var faces = Open(csv.ToString()).Faces(FaceData.All, perClass: 5);

        Assert.Equal([1, 1, 1, 1, 1, 0, 0, 0, 0, 0], faces.Select(face => face.Target));
    }

    [Fact]
    public void Files_lie_beside_the_CSV_file_or_wherever_their_path_says()
    {
        using var elsewhere = new TemporaryFolder();
        WritePicture("near.png");
        File.Move(_folder["near.png"], elsewhere["far.png"]);
        WritePicture("near.png");
        Assert.Equal(2, Open($"file,label\nnear.png,smile\n{elsewhere["far.png"]},neutral\n").Faces(FaceData.All, perClass: 1).Count);
    }

    [Fact]
    public void Splits_are_those_of_the_column_or_else_of_the_hash_as_in_folders()
    {
        DrawnFaces.WriteFolders(_folder["faces"], 60);
        var folders = ClassFolders.Open(_folder["faces"]);
        var files = Directory.GetFiles(_folder["faces"], "*.png", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToArray();
        var hashed = Open($"file,label\n{string.Concat(files.Select(file => $"{file},{(file.Contains("smile", StringComparison.Ordinal) ? 1 : 0)}\n"))}");
        foreach (var split in new[] { "train", "val", "test" })
        {
            Assert.Equal(folders.Faces(split, 0).Count, hashed.Faces(split, 0).Count);
            Assert.NotEmpty(hashed.Faces(split, 0));
        }

        var given = Open($"file,label,split\n{string.Concat(files.Select((file, i) => $"{file},1,{(i % 3 == 0 ? "test" : "train")}\n"))}");
        Assert.Equal((40, 0, 20), (given.Faces("train", 0).Count, given.Faces("val", 0).Count, given.Faces("test", 0).Count));
    }

    [Fact]
    public void A_face_that_is_to_be_learned_and_to_be_measured_by_is_refused()
    {
        WritePicture("a.png");
        File.Copy(_folder["a.png"], _folder["copy.png"]);
        var mistake = Assert.Throws<CommandException>(() => Open("file,label,split\na.png,smile,train\ncopy.png,smile,test\n")).Message;
        Assert.Contains("faces.csv: the same face is in several splits", mistake, StringComparison.Ordinal);
        Assert.Contains($"{_folder["a.png"]} (train), {_folder["copy.png"]} (test).", mistake, StringComparison.Ordinal);

        // Another face of the same photograph is another face.
        Assert.Single(Open("file,label,split,x,y,size\na.png,smile,train,0,0,0.5\na.png,smile,test,0.5,0,0.5\n").Faces("test", perClass: 0));
    }

    [Fact]
    public void Neither_the_order_of_faces_nor_their_hash_depends_on_what_the_files_are_called()
    {
        DrawnFaces.WriteFolders(_folder["faces"], 20);
        var (faces, hashes) = Read("faces");
        var file = Directory.GetFiles(_folder["faces/smile"]).Order(StringComparer.Ordinal).First();
        File.Move(file, _folder["faces/smile/z.png"]);
        Directory.Move(_folder["faces"], _folder["renamed"]);
        var (again, same) = Read("renamed");
        Assert.Equal(faces, again);
        Assert.Equal(hashes, same);

        (float[][] Faces, IReadOnlyDictionary<string, string> Hashes) Read(string folder)
        {
            var data = ClassFolders.Open(_folder[folder]);
            return ([.. data.Faces(FaceData.All, perClass: 1).Select(face => face.Crop(new Normalisation(0, 1)))], data.Hashes());
        }
    }

    [Theory]
    [InlineData("x,y,size")]
    [InlineData("face_x,face_y,face_size")]
    public void Squares_are_fractions_of_the_width_and_without_one_the_face_fills_the_picture(string columns)
    {
        WritePicture("a.png", width: 160, height: 320);
        var faces = Open($"file,label,{columns}\na.png,smile,0.25,0.75,0.5\na.png,smile,,,\n").Faces(FaceData.All, perClass: 0);
        Assert.Equal(new FaceSquare(40, 120, 80), faces[0].Square);
        Assert.Equal(new FaceSquare(0, 80, 160), faces[1].Square);
    }

    [Fact]
    public void A_small_face_in_a_large_picture_keeps_its_pixels_but_not_the_whole_picture()
    {
        WritePicture("a.png", width: 3000, height: 2000);
        var face = Open("file,label,x,y,size\na.png,smile,0.9,0.6,0.08\n").Faces(FaceData.All, perClass: 0)[0];
        using var whole = Lfw160.Decode("a.png", File.ReadAllBytes(_folder["a.png"]));
        using var full = Full(_folder["a.png"]);

        Assert.InRange(face.Square.Side, 100, 240);
        Assert.InRange(face.Image.Width, face.Square.Side, 3 * face.Square.Side + 2);
        Assert.Equal(240, face.Square.Side * face.Image.Reduction, 1f);

        // The same crop as from the whole picture.
        var expected = new Face(full, new FaceSquare(0.9f, 0.6f, 0.08f).Scaled(full.Width), 1).Crop(new Normalisation(0, 1));
        var actual = face.Crop(new Normalisation(0, 1));
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 0.05f));

        static GreyImage Full(string path)
        {
            Assert.True(new ImageDecoder(new ImageLimits(), useTurboJpeg: false).TryDecode(File.ReadAllBytes(path), 1250, out var image, out _));
            return image;
        }
    }

    [Fact]
    public void Missing_and_unreadable_pictures_and_squares_beside_them_are_left_out()
    {
        WritePicture("a.png");
        File.WriteAllText(_folder["text.png"], "no picture");
        var data = Open("file,label,x,y,size,split\na.png,smile,,,,train\ngone.png,smile,,,,train\ntext.png,neutral,,,,train\n.,neutral,,,,train\na.png,neutral,1.5,0,0.5,train\n");
        Assert.Single(data.Faces("train", perClass: 0));
        Assert.Contains("has 1 smile and 0 nonsmile pictures in its split 'train'", Assert.Throws<CommandException>(() => data.Faces("train", perClass: 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_hashes_change_with_a_label_and_with_a_picture()
    {
        WritePicture("a.png");
        var first = Open("file,label\na.png,smile\n").Hashes();
        Assert.Equal(["faces.csv", "pictures"], first.Keys);
        Assert.Equal(first, Open("file,label\na.png,smile\n").Hashes());

        var second = Open("file,label\na.png,neutral\n").Hashes();
        Assert.All(first.Keys, name => Assert.NotEqual(first[name], second[name]));

        WritePicture("a.png", width: 99);
        Assert.NotEqual(second["pictures"], Open("file,label\na.png,neutral\n").Hashes()["pictures"]);
    }

    private PictureFiles Open(string csv)
    {
        File.WriteAllText(_folder["faces.csv"], csv);
        return CsvFaces.Open(_folder["faces.csv"]);
    }

    private void WritePicture(string name, int width = 100, int height = 120)
    {
        var picture = GoldenPictures.DrawFace(name, width, height, mouthCurve: 0.16);
        File.WriteAllBytes(_folder[name], GreyPng.Encode(picture.Pixels, width, height));
    }
}
