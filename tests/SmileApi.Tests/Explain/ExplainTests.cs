using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using SkiaSharp;
using SmileApi.Explain;
using SmileApi.Imaging;
using SmileApi.Tests.Admission;
using SmileApi.Tests.Classify;
using SmileApi.Tests.Models;
using SmileApi.Tests.Operations;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Explain;

public sealed class ExplainTests(SmileApp app)
{
    private static readonly byte[] s_smile = Repository.Sample("mean-smile.png");
    private static readonly byte[] s_neutral = Repository.Sample("mean-neutral.png");

    [Fact]
    public async Task As_JSON_it_is_the_verdict_of_classify_with_a_map_for_each_face()
    {
        using var photograph = Group();
        var picture = photograph.Jpeg();
        var verdict = await app.ClassifyAsync(picture);

        var explanation = await ExplainAsync(picture);

        Assert.Equal(verdict.GetProperty("probability").GetSingle(), explanation.GetProperty("probability").GetSingle(), 1e-5f);
        Assert.Equal(2, explanation.GetProperty("faces").GetArrayLength());
        foreach (var (judged, explained) in verdict.GetProperty("faces").EnumerateArray().Zip(explanation.GetProperty("faces").EnumerateArray()))
        {
            Assert.Equal(judged.GetProperty("box").ToString(), explained.GetProperty("box").ToString());
            Assert.Equal(judged.GetProperty("smile").GetBoolean(), explained.GetProperty("smile").GetBoolean());

            // The crop lies within the box, tighter.
            var (box, crop) = (explained.GetProperty("box"), explained.GetProperty("crop"));
            Assert.InRange(crop.GetProperty("side").GetSingle() * FaceSquare.BoxScale, box.GetProperty("width").GetSingle() - 2, box.GetProperty("width").GetSingle() + 2);
            Assert.True(crop.GetProperty("x").GetSingle() > box.GetProperty("x").GetSingle());
            Assert.True(Rows(explained).Length == Rows(explained)[0].Length && Rows(explained).Length >= 2);
        }
    }

    [Fact]
    public async Task What_the_places_add_and_the_networks_bias_are_the_logit_of_every_face()
    {
        var biases = new List<double>();
        for (var share = 0; share <= 10; share++)
        {
            // From the one mean face to the other.
            var mixed = Make.PngFromGrey([.. Grey(s_smile).Zip(Grey(s_neutral), (smile, neutral) => (byte)((smile * share + neutral * (10 - share)) / 10))], 100, 100);
            var face = (await ExplainAsync(mixed, "?faces=whole")).GetProperty("faces")[0];
            var probability = face.GetProperty("probability").GetDouble();
            if (probability is > 0.001 and < 0.999)
            {
                biases.Add(Math.Log(probability / (1 - probability)) - Rows(face).Sum(row => row.Sum()));
            }
        }

        Assert.True(biases.Count >= 2, $"{biases.Count} faces between the two have a probability between theirs");
        Assert.All(biases, bias => Assert.Equal(biases[0], bias, 0.01));
    }

    [Fact]
    public async Task The_mouth_of_the_mean_smile_is_what_speaks_for_it_and_covered_it_no_longer_does()
    {
        var covered = Grey(s_smile);
        for (var i = 0; i < covered.Length; i++)
        {
            covered[i] = i / 100 is >= 62 and < 96 && i % 100 is >= 15 and < 85 ? (byte)150 : covered[i];
        }

        var before = (await ExplainAsync(s_smile, "?faces=whole")).GetProperty("faces")[0];
        var after = (await ExplainAsync(Make.PngFromGrey(covered, 100, 100), "?faces=whole")).GetProperty("faces")[0];

        Assert.True(before.GetProperty("smile").GetBoolean());
        Assert.True(after.GetProperty("probability").GetDouble() < before.GetProperty("probability").GetDouble());
        Assert.True(LowerHalf(after) < LowerHalf(before));

        static double LowerHalf(JsonElement face) => Rows(face)[(Rows(face).Length / 2)..].Sum(row => row.Sum());
    }

    [Theory]
    [InlineData(null, "image/png", SKEncodedImageFormat.Png)]
    [InlineData("image/avif,image/webp,*/*;q=0.8", "image/webp", SKEncodedImageFormat.Webp)]
    [InlineData("application/json;q=0.5,image/png", "image/png", SKEncodedImageFormat.Png)]
    public async Task As_a_picture_it_is_the_grey_photograph_with_colour_on_its_faces(string? accept, string type, SKEncodedImageFormat format)
    {
        using var photograph = Group();
        using var response = await PostAsync(photograph.Jpeg(), accept);

        Assert.Equal(type, response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("Accept", response.Headers.Vary.Single());
        var bytes = await response.Content.ReadAsByteArrayAsync();
        using var codec = SKCodec.Create(new MemoryStream(bytes));
        Assert.Equal(format, codec.EncodedFormat);
        using var drawing = SKBitmap.Decode(codec);
        Assert.Equal((640, 480), (drawing.Width, drawing.Height));

        // The faces' middles are coloured, the corners are grey as they were.
        Assert.True(Colourfulness(drawing, 60, 80, 160, 190) > 20);
        Assert.True(Colourfulness(drawing, 0, 440, 640, 480) < 4);

        // Orange round the smile, blue round the other.
        Assert.True(WarmthOfEdge(drawing, 40, 60, 200) > 30);
        Assert.True(WarmthOfEdge(drawing, 360, 80, 190) < -30);
    }

    [Theory]
    [InlineData("*/*", "image/png")]
    [InlineData("text/html", "image/png")]
    [InlineData("image/png;q=0", "image/webp")]
    [InlineData("image/*;q=0, */*", "application/json")]
    [InlineData("application/*", "application/json")]
    [InlineData("application/json, */*;q=0", "application/json")]
    [InlineData("image/webp, image/*;q=0", "image/webp")]
    [InlineData("application/json; charset=utf-8", "application/json")]
    [InlineData("application/json, image/png", "application/json")]
    [InlineData("image/*;q=0.2, APPLICATION/JSON;q=0.3", "application/json")]
    public async Task It_comes_in_the_form_that_its_caller_likes_best(string accept, string type)
    {
        using var response = await PostAsync(s_smile, accept);
        Assert.Equal(type, response.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public void A_drawing_that_nobody_waits_for_any_more_is_not_drawn()
    {
        using var photo = new GreyImage(100, 100, 1, 100, 100, ImageFormat.Png);
        var map = new FaceMap(new FaceSquare(0, 0, 100), 0, [0.5f], 1, 1);
        Assert.Throws<OperationCanceledException>(() => Drawing.Draw(photo, [], [map], asWebP: false, new CancellationToken(canceled: true)));
    }

    [Fact]
    public async Task A_drawing_is_never_longer_than_1024_pixels_and_stands_upright()
    {
        var landscape = Make.Jpeg(3000, 1200, seed: 2);
        Assert.Equal((1024, 410), await SizeAsync(landscape));
        Assert.Equal((410, 1024), await SizeAsync(Make.WithExifOrientation(landscape, 6)));
        Assert.Equal((512, 512), await SizeAsync(s_smile));
        Assert.Equal((1024, 1), await SizeAsync(Make.Png(2000, 1, seed: 1)));

        async Task<(int, int)> SizeAsync(byte[] picture)
        {
            using var response = await PostAsync(picture, accept: null);
            using var drawing = SKBitmap.Decode(await response.Content.ReadAsByteArrayAsync());
            return (drawing.Width, drawing.Height);
        }
    }

    [Fact]
    public async Task A_picture_without_a_face_is_drawn_as_it_is()
    {
        using var response = await PostAsync(Make.Png(600, 400, seed: 3), accept: null);
        using var drawing = SKBitmap.Decode(await response.Content.ReadAsByteArrayAsync());

        Assert.Equal(0, Colourfulness(drawing, 0, 0, 600, 400));
        Assert.Equal(0, (await ExplainAsync(Make.Png(600, 400, seed: 3))).GetProperty("faces").GetArrayLength());
    }

    [Fact]
    public async Task Every_way_to_send_a_picture_is_read_and_what_is_wrong_with_one_is_told_as_ever()
    {
        using var json = new StringContent($"{{\"image\":\"{Convert.ToBase64String(s_smile)}\"}}", Encoding.UTF8, "application/json");
        using var ofJson = await app.Http.PostAsync(s_address, json);
        Assert.True(ofJson.IsSuccessStatusCode);
        using var form = new MultipartFormDataContent { { new ByteArrayContent(s_smile), "image", "a.png" } };
        using var ofForm = await app.Http.PostAsync(s_address, form);
        Assert.True(ofForm.IsSuccessStatusCode);

        using var broken = await PostAsync(Make.Truncated(s_smile), "image/webp");
        await ProblemAssert.IsAsync(broken, 422, "picture-truncated");
        using var empty = await PostAsync([], accept: null);
        await ProblemAssert.IsAsync(empty, 400, "empty-upload");
        using var wrong = await PostAsync(s_smile, accept: null, "?faces=some");
        await ProblemAssert.IsAsync(wrong, 400, "invalid-parameter");
    }

    [Fact]
    public async Task A_model_without_a_map_judges_and_says_that_it_cannot_explain()
    {
        using var model = new TemporaryFile(OtherModel.WithoutActivation);
        var (process, http) = await ServiceProcess.StartAsync(("Model__Path", model.Path));
        using (http)
        await using (process)
        {
            using var judged = await http.PostAsync(new Uri("/classify?faces=whole", UriKind.Relative), new ByteArrayContent(s_smile));
            Assert.True(judged.IsSuccessStatusCode);
            using var explained = await http.PostAsync(s_address, new ByteArrayContent(s_smile));
            Assert.Contains("smile-cnn20", await ProblemAssert.IsAsync(explained, 501, "no-explanation"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Nothing_is_held_when_it_is_done()
    {
        using var gated = GatedApp.Start();
        gated.Open();
        using var response = await gated.Http.PostAsync(s_address, new ByteArrayContent(s_smile));

        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        await gated.IsEmpty();
    }

    private static readonly Uri s_address = new("/explain?faces=whole", UriKind.Relative);

    private static Photograph Group() =>
        new Photograph(640, 480).With(new FaceSquare(40, 60, 200)).With(new FaceSquare(360, 80, 190), smile: false);

    private async Task<JsonElement> ExplainAsync(byte[] picture, string query = "")
    {
        using var response = await PostAsync(picture, "application/json", query);
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
    }

    private async Task<HttpResponseMessage> PostAsync(byte[] picture, string? accept, string query = "")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/explain{query}") { Content = new ByteArrayContent(picture) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        if (accept is not null)
        {
            request.Headers.Accept.ParseAdd(accept);
        }

        return await app.Http.SendAsync(request);
    }

    private static float[][] Rows(JsonElement face) =>
        [.. face.GetProperty("map").EnumerateArray().Select(row => row.EnumerateArray().Select(share => share.GetSingle()).ToArray())];

    private static byte[] Grey(byte[] png)
    {
        using var bitmap = SKBitmap.Decode(png);
        return [.. Enumerable.Range(0, bitmap.Width * bitmap.Height).Select(i => bitmap.GetPixel(i % bitmap.Width, i / bitmap.Width).Red)];
    }

    /// <summary>Mean difference of red and blue, in levels.</summary>
    private static double Colourfulness(SKBitmap bitmap, int left, int top, int right, int bottom)
    {
        var sum = 0;
        for (var y = top; y < bottom; y++)
        {
            for (var x = left; x < right; x++)
            {
                sum += Math.Abs(bitmap.GetPixel(x, y).Red - bitmap.GetPixel(x, y).Blue);
            }
        }

        return (double)sum / ((right - left) * (bottom - top));
    }

    /// <summary>The strongest red over blue of a row near a box's upper edge, or blue over red, whichever is more.</summary>
    private static int WarmthOfEdge(SKBitmap bitmap, int x, int y, int side) => Enumerable.Range(y - side / 8, side / 4)
        .Select(row => (int)Enumerable.Range(x + side / 4, side / 2).Average(column => bitmap.GetPixel(column, row).Red - bitmap.GetPixel(column, row).Blue))
        .MaxBy(Math.Abs);
}
