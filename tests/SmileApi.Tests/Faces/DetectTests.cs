using System.Text.Json;
using SmileApi.Imaging;
using SmileApi.Tests.Classify;
using SmileApi.Tests.Imaging;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Faces;

/// <summary>Whole photographs over HTTP: what is found, and how pictures that are hard are answered.</summary>
public sealed class DetectTests(SmileApp app)
{
    private static readonly FaceSquare s_large = new(60, 60, 200);
    private static readonly FaceSquare s_middle = new(330, 80, 120);
    private static readonly FaceSquare s_small = new(480, 300, 50);

    [Fact]
    public async Task Every_face_is_found_where_it_is_and_judged_by_its_own_expression_largest_first()
    {
        using var photograph = Trio();

        var answer = await app.ClassifyAsync(photograph.Jpeg());

        var faces = Faces(answer);
        Assert.Equal(3, faces.Count);
        Assert.All(faces.Zip([s_large, s_middle, s_small]), pair => IsThere(pair.Second, pair.First.Box));
        Assert.Equal([true, false, true], faces.Select(face => face.Smile));
        Assert.Equal(faces[0].Smile, answer.GetProperty("smile").GetBoolean());
        Assert.Equal(faces[0].Probability, answer.GetProperty("probability").GetSingle());
    }

    [Fact]
    public async Task The_answer_has_the_shape_of_the_contract()
    {
        using var photograph = Trio();

        var answer = await app.ClassifyAsync(photograph.Png(), "?faces=detect&threshold=0.25");

        Assert.Equal(
            ["smile", "probability", "threshold", "faces", "image", "model", "timings", "requestId"],
            answer.EnumerateObject().Select(property => property.Name));
        foreach (var face in answer.GetProperty("faces").EnumerateArray())
        {
            Assert.Equal(["smile", "probability", "box", "confidence"], face.EnumerateObject().Select(property => property.Name));
            Assert.Equal(["x", "y", "width", "height"], face.GetProperty("box").EnumerateObject().Select(property => property.Name));
            Assert.All(face.GetProperty("box").EnumerateObject(), side => Assert.True(side.Value.TryGetInt32(out _)));
            Assert.InRange(face.GetProperty("confidence").GetSingle(), 0, 1);
        }

        Assert.Equal("""{"width":640,"height":480,"format":"png"}""", answer.GetProperty("image").GetRawText());
        Assert.True(answer.GetProperty("timings").GetProperty("detectMs").GetDouble() > 0);
        Assert.Equal(0.25f, answer.GetProperty("threshold").GetSingle());
    }

    [Fact]
    public async Task Detecting_is_the_default()
    {
        using var photograph = Trio();

        var byDefault = await app.ClassifyAsync(photograph.Png());
        var asked = await app.ClassifyAsync(photograph.Png(), "?faces=detect");

        Assert.Equal(asked.GetProperty("faces").GetRawText(), byDefault.GetProperty("faces").GetRawText());
    }

    [Fact]
    public async Task A_limit_keeps_the_largest_faces()
    {
        using var photograph = Trio();
        var all = Faces(await app.ClassifyAsync(photograph.Png()));

        Assert.Equal(all.Take(2), Faces(await app.ClassifyAsync(photograph.Png(), "?limit=2")));
        Assert.Equal(all.Take(1), Faces(await app.ClassifyAsync(photograph.Png(), "?limit=1")));
    }

    [Fact]
    public async Task Who_wants_large_faces_only_gets_those()
    {
        using var photograph = Trio();

        var faces = Faces(await app.ClassifyAsync(photograph.Png(), "?minFace=100"));

        Assert.Equal(2, faces.Count);
        Assert.All(faces.Zip([s_large, s_middle]), pair => IsThere(pair.Second, pair.First.Box));
    }

    [Fact]
    public async Task The_least_confidence_of_a_face_is_the_callers_to_say()
    {
        using var photograph = Trio();
        var all = Faces(await app.ClassifyAsync(photograph.Png(), "?confidence=0"));
        var (least, most) = (all.Min(face => face.Confidence), all.Max(face => face.Confidence));

        Assert.All(Faces(await app.ClassifyAsync(photograph.Png(), $"?confidence={Text(most)}")), face => Assert.True(face.Confidence >= most));
        Assert.Equal(all.Count, Faces(await app.ClassifyAsync(photograph.Png(), $"?confidence={Text(least)}")).Count);
        Assert.All(Faces(await app.ClassifyAsync(photograph.Png(), "?confidence=1")), face => Assert.Equal(1, face.Confidence)); // As rounded.

        static string Text(float confidence) => confidence.ToString("R", System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task A_picture_without_a_face_is_answered_with_none()
    {
        using var scene = new Photograph(500, 400, seed: 4);

        IsWithoutFaces(await app.ClassifyAsync(scene.Jpeg()));
        IsWithoutFaces(await app.ClassifyAsync(Make.PngFromGrey(new byte[640 * 480], 640, 480))); // All black.
        IsWithoutFaces(await app.ClassifyAsync(Make.PngFromGrey([200], 1, 1)));
        IsWithoutFaces(await app.ClassifyAsync(Make.Jpeg(8000, 20, seed: 1)));
        IsWithoutFaces(await app.ClassifyAsync(Make.Png(20, 3000, seed: 2)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public async Task Boxes_are_in_the_picture_as_a_person_sees_it(int orientation)
    {
        using var photograph = Trio();
        int[] inverse = [1, 2, 3, 4, 5, 8, 7, 6]; // To turn the picture so that its tag turns it back.
        var (storedWidth, storedHeight) = orientation >= 5 ? (480, 640) : (640, 480);
        uint[] upright = [.. System.Runtime.InteropServices.MemoryMarshal.Cast<byte, uint>(photograph.Rgba())];
        var stored = System.Runtime.InteropServices.MemoryMarshal.AsBytes(Obvious.Upright(upright, 640, 480, inverse[orientation - 1]).AsSpan()).ToArray();

        var answer = await app.ClassifyAsync(Make.WithExifOrientation(Make.Jpeg(stored, storedWidth, storedHeight), orientation));

        Assert.Equal("""{"width":640,"height":480,"format":"jpeg"}""", answer.GetProperty("image").GetRawText());
        var faces = Faces(answer);
        Assert.Equal(3, faces.Count);
        Assert.All(faces.Zip([s_large, s_middle, s_small]), pair => IsThere(pair.Second, pair.First.Box));
    }

    [Fact]
    public async Task Of_a_hundred_faces_nearly_all_are_found_and_each_is_judged()
    {
        using var crowd = new Photograph(1200, 900, seed: 5);
        for (var i = 0; i < 100; i++)
        {
            crowd.With(new FaceSquare(30 + 117 * (i % 10), 12 + 88 * (i / 10), 55 + i % 7), smile: i % 3 != 0);
        }

        var faces = Faces(await app.ClassifyAsync(crowd.Jpeg(), "?limit=1000"));

        Assert.InRange(faces.Count, 97, 103);
        // Their order is that of the boxes before they are rounded.
        Assert.All(faces.Skip(1), face => Assert.True(face.Box.Width <= faces[0].Box.Width + 1));
        Assert.InRange(faces.Count(face => face.Smile), 55, 75);
    }

    [Theory]
    [InlineData(-25, 150)]
    [InlineData(500, 150)]
    [InlineData(250, -20)]
    [InlineData(250, 355)]
    public async Task A_face_that_is_cut_by_the_border_has_the_part_of_its_box_that_is_in_the_picture(int x, int y)
    {
        var box = new FaceSquare(x, y, 140);
        using var photograph = new Photograph(610, 470).With(box);

        var face = Assert.Single(Faces(await app.ClassifyAsync(photograph.Jpeg())));

        IsThere(box, face.Box, tolerance: 0.25);
        Assert.True(face.Box is { X: >= 0, Y: >= 0 } && face.Box.X + face.Box.Width <= 610 && face.Box.Y + face.Box.Height <= 470, $"{face.Box}");
    }

    [Fact]
    public async Task A_panorama_is_searched_for_what_is_large_in_it_and_for_what_is_asked()
    {
        var (large, small) = (new FaceSquare(4000, 150, 240), new FaceSquare(1000, 250, 80));
        using var panorama = new Photograph(6000, 600).With(large).With(small, smile: false);
        var jpeg = panorama.Jpeg();

        IsThere(large, Assert.Single(Faces(await app.ClassifyAsync(jpeg))).Box);
        var both = Faces(await app.ClassifyAsync(jpeg, "?minFace=60"));
        Assert.Equal(2, both.Count);
        IsThere(small, both[1].Box);
    }

    [Fact]
    public async Task A_face_that_fills_the_picture_is_found()
    {
        var box = new FaceSquare(-10, -20, 320);
        using var portrait = new Photograph(300, 300).With(box);

        IsThere(box, Assert.Single(Faces(await app.ClassifyAsync(portrait.Png()))).Box, tolerance: 0.25);
    }

    [Fact]
    public async Task A_drawing_is_answered_like_any_picture()
    {
        var answer = await app.ClassifyAsync(Drawing());

        Assert.All(Faces(answer), face => Assert.InRange(face.Confidence, 0, 1));
        Assert.Equal("""{"width":400,"height":300,"format":"png"}""", answer.GetProperty("image").GetRawText());
    }

    [Theory]
    [InlineData(-25)]
    [InlineData(25)]
    public async Task A_head_that_is_tilted_is_found_and_judged_like_one_that_is_not(float degrees)
    {
        using var photograph = new Photograph(600, 300).With(new FaceSquare(60, 60, 160), smile: true, degrees).With(new FaceSquare(360, 60, 150), smile: false, degrees);

        var faces = Faces(await app.ClassifyAsync(photograph.Jpeg()));

        Assert.Equal([true, false], faces.Select(face => face.Smile));
    }

    [Fact]
    public async Task A_smallest_face_that_would_cost_too_much_is_refused_with_the_smallest_that_does_not()
    {
        var picture = Make.JpegFromGrey(new byte[4000 * 3000], 4000, 3000);

        using var refused = await app.PostAsync(picture, "?minFace=16");

        Assert.Contains("at least 18 for a picture of 4000 x 3000 pixels", await ProblemAssert.IsAsync(refused, 400, "invalid-parameter"), StringComparison.Ordinal);
        IsWithoutFaces(await app.ClassifyAsync(picture, "?minFace=18"));
    }

    [Fact]
    public async Task Many_large_pictures_searched_for_small_faces_at_once_stay_under_600_mebibytes()
    {
        var picture = Make.JpegFromGrey(new byte[4000 * 3000], 4000, 3000);
        var (process, http) = await ServiceProcess.StartAsync();
        using (http)
        await using (process)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
            {
                using var content = new ByteArrayContent(picture);
                using var response = await http.PostAsync(new Uri("/classify?minFace=20", UriKind.Relative), content);
                Assert.True(response.IsSuccessStatusCode);
            }));

            Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux tells the most memory that a process has held");
            var peak = process.PeakMebibytes();
            TestContext.Current.TestOutputHelper!.WriteLine($"peak memory {peak:0} MiB");
            Assert.InRange(peak, 20, 600);
        }
    }

    private static Photograph Trio() =>
        new Photograph(640, 480).With(s_large).With(s_middle, smile: false).With(s_small);

    private static byte[] Drawing()
    {
        using var bitmap = new SkiaSharp.SKBitmap(400, 300);
        using var canvas = new SkiaSharp.SKCanvas(bitmap);
        using var pen = new SkiaSharp.SKPaint { Color = SkiaSharp.SKColors.Black, Style = SkiaSharp.SKPaintStyle.Stroke, StrokeWidth = 5 };
        canvas.Clear(SkiaSharp.SKColors.White);
        canvas.DrawCircle(150, 150, 90, pen);
        canvas.DrawCircle(120, 120, 8, pen);
        canvas.DrawCircle(180, 120, 8, pen);
        canvas.DrawArc(new SkiaSharp.SKRect(100, 110, 200, 200), 20, 140, useCenter: false, pen);
        canvas.DrawRect(280, 40, 90, 220, pen);
        using var data = bitmap.Encode(SkiaSharp.SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    private static void IsWithoutFaces(JsonElement answer)
    {
        Assert.Equal(0, answer.GetProperty("faces").GetArrayLength());
        Assert.Equal(JsonValueKind.Null, answer.GetProperty("smile").ValueKind);
        Assert.Equal(JsonValueKind.Null, answer.GetProperty("probability").ValueKind);
    }

    /// <summary>Centre and size within a share of the expected box, or of the part of it that is in the picture.</summary>
    private static void IsThere(FaceSquare expected, Box box, double tolerance = 0.2)
    {
        var (right, bottom) = (Math.Min(expected.X + expected.Side, box.X + box.Width), Math.Min(expected.Y + expected.Side, box.Y + box.Height));
        var common = Math.Max(0, right - Math.Max(expected.X, box.X)) * Math.Max(0, bottom - Math.Max(expected.Y, box.Y));
        Assert.True(common >= (1 - 2 * tolerance) * box.Width * box.Height, $"{box} is not inside of {expected}");
        Assert.InRange(Math.Max(box.Width, box.Height), expected.Side * (1 - tolerance), expected.Side * (1 + tolerance));
    }

    private static List<Face> Faces(JsonElement answer) => answer.GetProperty("faces").Deserialize<List<Face>>(JsonSerializerOptions.Web)!;

    private sealed record Face(bool Smile, float Probability, Box Box, float Confidence);

    private sealed record Box(int X, int Y, int Width, int Height);
}
