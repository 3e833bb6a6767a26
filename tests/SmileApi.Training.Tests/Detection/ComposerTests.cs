using SmileApi.Imaging;

namespace SmileApi.Training.Tests;

public sealed class ComposerTests
{
    private const int PictureSide = 240;
    private const float CropSide = 160;

    /// <summary>Faces in plain view.</summary>
    private static readonly CompositionOptions Plain = new() { LargeShare = 0, MaxDistractors = 0, DrawingShare = 0, CutShare = 0, HiddenShare = 0, Spoiling = 0 };

    private static readonly GreyImage[] Backgrounds = DrawnFaces.Scenes(8, 5);

    /// <summary>A bright dot in the middle of the crop and another straight below it.</summary>
    private static readonly FacePicture Dots = Face((u, v) => u * u + v * v < 0.07 * 0.07 || u * u + (v - 0.35) * (v - 0.35) < 0.07 * 0.07 ? 255 : 90);

    /// <summary>So strong a pattern that no light hides it.</summary>
    private static readonly FacePicture Stripes = Face((_, v) => (int)Math.Floor(v * 8) % 2 == 0 ? 20 : 230);

    /// <summary>Hardly a pattern at all.</summary>
    private static readonly FacePicture Haze = Face((_, v) => (int)Math.Floor(v * 8) % 2 == 0 ? 120 : 126);

    [Fact]
    public void The_same_key_gives_the_same_picture_and_faces_bit_for_bit_and_another_key_others()
    {
        var composer = new Composer(DrawnFaces.Pictures(1, 6), DrawnFaces.Scenes(1, 4), new CompositionOptions());
        var again = new Composer(DrawnFaces.Pictures(1, 6), DrawnFaces.Scenes(1, 4), new CompositionOptions());
        var pictures = new HashSet<string>();
        foreach (var key in Enumerable.Range(0, 30).Reverse())
        {
            using var one = Compose(again, key);
            pictures.Add(Convert.ToHexString(one.Image.Pixels));
        }

        for (var key = 0; key < 30; key++)
        {
            using var one = Compose(composer, key);
            using var same = Compose(again, key);
            Assert.True(one.Image.Pixels.SequenceEqual(same.Image.Pixels));
            Assert.Equal(one.Faces, same.Faces);
            Assert.Contains(Convert.ToHexString(one.Image.Pixels), pictures); // Whatever was composed before.
        }

        Assert.Equal(30, pictures.Count);
    }

    [Fact]
    public void Faces_lie_where_their_boxes_say_turned_clockwise_by_their_roll()
    {
        var rolls = new List<float>();
        foreach (var composition in Many([Dots], Plain with { Width = 240, Height = 200, MinBox = 70, MaxBox = 150, MinFaces = 1, MaxFaces = 1 }, 60))
        {
            var face = Assert.Single(composition.Faces);
            var crop = face.Box.ToCrop(face.Roll);
            var (x, y) = (crop.X + crop.Side / 2, crop.Y + crop.Side / 2);
            var (sine, cosine) = MathF.SinCos(face.Roll);
            var (middle, below) = (Dot(composition.Image, x, y, 0.13f * crop.Side), Dot(composition.Image, x - 0.35f * crop.Side * sine, y + 0.35f * crop.Side * cosine, 0.13f * crop.Side));
            if (below.Y > composition.Image.Height - 0.2 * crop.Side)
            {
                continue; // The picture's edge cuts it.
            }

            Assert.InRange(Math.Sqrt((middle.X - x) * (middle.X - x) + (middle.Y - y) * (middle.Y - y)), 0, 0.02 * crop.Side + 0.2);
            Assert.Equal(face.Roll, Math.Atan2(middle.X - below.X, below.Y - middle.Y), 0.06);
            // Faces are stretched by up to a tenth along and across.
            var length = Math.Sqrt((below.X - middle.X) * (below.X - middle.X) + (below.Y - middle.Y) * (below.Y - middle.Y));
            Assert.InRange(length / (0.35 * crop.Side), 0.87, 1.14);
            rolls.Add(face.Roll);
        }

        Assert.True(rolls.Count >= 40);
        Assert.Contains(rolls, roll => roll > 0.15);
        Assert.Contains(rolls, roll => roll < -0.15);
        Assert.All(rolls, roll => Assert.InRange(roll, -0.7f, 0.7f));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.25)] // Small ones beside very large ones.
    public void Every_face_of_a_crowd_that_counts_as_clear_can_be_seen(double largeShare)
    {
        var (clear, buried) = (0, 0);
        foreach (var composition in Many([Dots], Plain with { Width = 320, Height = 240, MinBox = 24, MaxBox = 70, LargeShare = largeShare, MinFaces = 9, MaxFaces = 12 }, 80))
        {
            foreach (var face in composition.Faces.Where(face => face.IsClear))
            {
                var crop = face.Box.ToCrop(face.Roll);
                var (x, y) = (crop.X + crop.Side / 2, crop.Y + crop.Side / 2);
                clear++;
                buried += Mean(composition.Image, x, y, 0, 0.06f * crop.Side) - Mean(composition.Image, x, y, 0.12f * crop.Side, 0.2f * crop.Side) < 6 ? 1 : 0;
            }
        }

        TestContext.Current.SendDiagnosticMessage($"{buried} of {clear} clear faces are buried.");
        Assert.True(clear > 300, $"Only {clear} faces are clear.");
        Assert.True(buried <= clear / 200, $"{buried} of {clear} clear faces cannot be seen.");
    }

    [Fact]
    public void As_many_faces_are_composed_as_asked_for_unless_there_is_no_room()
    {
        var counts = Many([Dots], Plain with { MinBox = 15, MaxBox = 30, MinFaces = 2, MaxFaces = 4 }, 60).Select(composition => composition.Faces.Count).ToArray();
        Assert.Equal([2, 3, 4], counts.Distinct().Order());
        Assert.All(Many([Dots], Plain with { MinBox = 150, MaxBox = 190, MinFaces = 9, MaxFaces = 9 }, 20), composition => Assert.InRange(composition.Faces.Count, 1, 4));
        Assert.All(Many([Dots], new CompositionOptions { MinFaces = 0, MaxFaces = 0 }, 20), composition => Assert.Empty(composition.Faces));
    }

    [Fact]
    public void Boxes_are_as_large_as_asked_for_and_lie_apart()
    {
        var options = Plain with { MinBox = 20, MaxBox = 40, LargestBox = 100, LargeShare = 0.3, MinFaces = 4, MaxFaces = 8, CutShare = 0.3 };
        var compositions = Many([Dots], options, 80);
        var sides = compositions.SelectMany(composition => composition.Faces).Select(face => face.Box.Side).ToArray();
        Assert.All(sides, side => Assert.InRange(side, 20, 100));
        Assert.InRange(sides.Count(side => side > 40) / (double)sides.Length, 0.1, 0.35);
        Assert.All(Many([Dots], options with { LargeShare = 0 }, 20).SelectMany(composition => composition.Faces), face => Assert.InRange(face.Box.Side, 20, 40));
        Assert.All(
            Many([Dots], options with { Width = 64, Height = 48, LargestBox = 1000, LargeShare = 1, MinFaces = 1, MaxFaces = 1 }, 20).SelectMany(composition => composition.Faces),
            face => Assert.InRange(face.Box.Side, 40, 1.6f * 48 + 0.01f));

        foreach (var boxes in compositions.Select(composition => composition.Faces.Select(face => face.Box).ToArray()))
        {
            Assert.All(boxes, box => Assert.True(box.X + box.Side / 2 is >= 0 and <= 192 && box.Y + box.Side / 2 is >= 0 and <= 192));
            for (var i = 0; i < boxes.Length; i++)
            {
                Assert.All(boxes[..i], other => Assert.True(other.Common(boxes[i]) <= 0.121 * Math.Pow(Math.Min(other.Side, boxes[i].Side), 2)));
            }
        }
    }

    [Fact]
    public void Faces_that_the_border_cuts_do_not_count_as_clear_and_all_others_do()
    {
        var faces = Many([Stripes], Plain with { MinBox = 40, MaxBox = 80, MinFaces = 1, MaxFaces = 1, CutShare = 1 }, 80).SelectMany(composition => composition.Faces).ToArray();
        Assert.All(faces, face => Assert.Equal(Visible(face) >= 0.7, face.IsClear));
        Assert.InRange(faces.Count(face => !face.IsClear), 8, 60);
        Assert.All(Many([Stripes], Plain, 40).SelectMany(composition => composition.Faces), face => Assert.True(face.IsClear));

        static double Visible(ComposedFace face) =>
            (Math.Min(192, face.Box.X + face.Box.Side) - Math.Max(0, face.Box.X)) * (Math.Min(192, face.Box.Y + face.Box.Side) - Math.Max(0, face.Box.Y)) / (face.Box.Side * face.Box.Side);
    }

    [Fact]
    public void Faces_of_which_light_and_noise_leave_nothing_do_not_count_as_clear()
    {
        // A mask leaves a seam and something of the background inside the crop; some of these are clear by that.
        Assert.InRange(ClearShare(Haze, 60, 90, spoiling: 0), 0, 0.7);
        Assert.InRange(ClearShare(Stripes, 60, 90, spoiling: 1), 0.9, 1);
        Assert.InRange(ClearShare(Stripes, 11, 14, spoiling: 1), 0.3, 0.95);

        static double ClearShare(FacePicture picture, double from, double to, double spoiling) =>
            Many([picture], Plain with { MinBox = from, MaxBox = to, MinFaces = 1, MaxFaces = 3, Spoiling = spoiling }, 100)
                .SelectMany(composition => composition.Faces).Average(face => face.IsClear ? 1.0 : 0);
    }

    [Fact]
    public void Distractors_and_drawings_change_the_picture_and_add_no_faces()
    {
        var options = Plain with { MaxFaces = 0 };
        Assert.Equal(0, Touched(options));
        Assert.InRange(Touched(options with { MaxDistractors = 6 }), 10, 30);
        Assert.InRange(Touched(options with { DrawingShare = 1 }), 20, 30);

        // How many of 30 pictures have something on their flat background.
        static int Touched(CompositionOptions options)
        {
            var flat = new GreyImage(192, 192, 1, 192, 192, ImageFormat.Png);
            flat.Pixels.Fill(70);
            var composer = new Composer([Stripes], [flat], options);
            var touched = 0;
            for (var key = 0; key < 30; key++)
            {
                using var composition = Compose(composer, key);
                using var background = Compose(new Composer([Stripes], [flat], Plain with { MaxFaces = 0 }), key);
                Assert.Empty(composition.Faces);
                touched += !composition.Image.Pixels.SequenceEqual(background.Image.Pixels) ? 1 : 0;
            }

            return touched;
        }
    }

    private static Composition Compose(Composer composer, int key)
    {
        var random = new SplitMix(1, RandomPurpose.Composition, 0, key);
        return composer.Compose(ref random);
    }

    private static Composition[] Many(IReadOnlyList<FacePicture> faces, CompositionOptions options, int count)
    {
        var composer = new Composer(faces, Backgrounds, options);
        return [.. Enumerable.Range(0, count).Select(key => Compose(composer, key))];
    }

    /// <param name="level">Grey level at a place given in crops from the crop's centre.</param>
    private static FacePicture Face(Func<double, double, int> level)
    {
        using var image = new GreyImage(PictureSide, PictureSide, 1, PictureSide, PictureSide, ImageFormat.Png);
        for (var i = 0; i < image.Pixels.Length; i++)
        {
            image.Pixels[i] = (byte)level((i % PictureSide + 0.5 - PictureSide / 2) / CropSide, (i / PictureSide + 0.5 - PictureSide / 2) / CropSide);
        }

        return new FacePicture(image, new FaceSquare((PictureSide - CropSide) / 2, (PictureSide - CropSide) / 2, CropSide));
    }

    /// <summary>The middle of what is bright near a place.</summary>
    private static (double X, double Y) Dot(GreyImage image, float x, float y, float reach)
    {
        var near = Disc(image, x, y, 0, reach).ToArray();
        var levels = near.Select(pixel => pixel.Level).Order().ToArray();
        var bright = near.Where(pixel => pixel.Level > (levels[levels.Length / 2] + levels[^1]) / 2.0).ToArray();
        return bright.Length == 0 ? (double.NaN, double.NaN) : (bright.Average(pixel => pixel.X), bright.Average(pixel => pixel.Y));
    }

    private static double Mean(GreyImage image, float x, float y, float from, float to) => Disc(image, x, y, from, to).Average(pixel => (double)pixel.Level);

    private static IEnumerable<(double X, double Y, int Level)> Disc(GreyImage image, float x, float y, float from, float to)
    {
        for (var row = Math.Max(0, (int)(y - to)); row <= Math.Min(image.Height - 1, y + to); row++)
        {
            for (var column = Math.Max(0, (int)(x - to)); column <= Math.Min(image.Width - 1, x + to); column++)
            {
                var (dx, dy) = (column + 0.5 - x, row + 0.5 - y);
                if (dx * dx + dy * dy <= to * to + 0.5 && dx * dx + dy * dy >= from * from)
                {
                    yield return (column + 0.5, row + 0.5, image.Pixels[row * image.Width + column]);
                }
            }
        }
    }
}
