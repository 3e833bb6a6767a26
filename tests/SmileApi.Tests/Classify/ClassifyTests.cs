using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using SmileApi.Models;

namespace SmileApi.Tests.Classify;

public sealed class ClassifyTests(SmileApp app)
{
    private static readonly byte[] s_smile = Repository.Sample("mean-smile.png");
    private static readonly byte[] s_neutral = Repository.Sample("mean-neutral.png");

    [Fact]
    public async Task The_mean_smiling_face_smiles_and_the_mean_other_face_does_not()
    {
        var smile = await app.ClassifyAsync(s_smile, "?faces=whole");
        var neutral = await app.ClassifyAsync(s_neutral, "?faces=whole");

        Assert.True(smile.GetProperty("smile").GetBoolean());
        Assert.False(neutral.GetProperty("smile").GetBoolean());
        Assert.True(smile.GetProperty("probability").GetSingle() > 0.9f);
        Assert.True(neutral.GetProperty("probability").GetSingle() < 0.1f);
    }

    [Fact]
    public async Task The_answer_has_the_shape_of_the_contract()
    {
        var answer = await app.ClassifyAsync(s_smile, "?faces=whole");

        Assert.Equal(
            ["smile", "probability", "threshold", "faces", "image", "model", "timings", "requestId"],
            answer.EnumerateObject().Select(property => property.Name));
        var face = Assert.Single(answer.GetProperty("faces").EnumerateArray());
        Assert.Equal(["smile", "probability", "box", "confidence"], face.EnumerateObject().Select(property => property.Name));
        Assert.Equal(answer.GetProperty("probability").GetSingle(), face.GetProperty("probability").GetSingle());
        Assert.Equal("""{"x":0,"y":0,"width":100,"height":100}""", face.GetProperty("box").GetRawText());
        Assert.Equal(JsonValueKind.Null, face.GetProperty("confidence").ValueKind);
        Assert.Equal("""{"width":100,"height":100,"format":"png"}""", answer.GetProperty("image").GetRawText());
        Assert.Equal(0.5f, answer.GetProperty("threshold").GetSingle());
        Assert.Equal(app.Get<ModelStore>().Current.Smile.Sha256, answer.GetProperty("model").GetProperty("sha256").GetString());
        Assert.Equal("smile-cnn20", answer.GetProperty("model").GetProperty("name").GetString());
        Assert.Equal(
            ["decodeMs", "detectMs", "queueMs", "inferMs", "totalMs"],
            answer.GetProperty("timings").EnumerateObject().Select(property => property.Name));
        Assert.All(answer.GetProperty("timings").EnumerateObject(), timing => Assert.True(timing.Value.GetDouble() >= 0));
        Assert.NotEmpty(answer.GetProperty("requestId").GetString()!);
    }

    [Fact]
    public async Task Raw_multipart_and_base64_bodies_get_the_same_answer()
    {
        var raw = await app.ProbabilityAsync(s_smile);

        using var multipart = new MultipartFormDataContent { { new StringContent("a field before the file"), "comment" }, { new ByteArrayContent(s_smile), "image", "face.png" } };
        Assert.Equal(raw, await ProbabilityAsync(multipart));

        using var json = JsonContent.Create(new { comment = new { nested = "image" }, image = Convert.ToBase64String(s_smile) });
        Assert.Equal(raw, await ProbabilityAsync(json));

        using var dataUrl = JsonContent.Create(new { image = $"data:image/png;base64,{Convert.ToBase64String(s_smile)}" });
        Assert.Equal(raw, await ProbabilityAsync(dataUrl));

        // Windows tools put a byte order mark in front.
        using var marked = new ByteArrayContent([0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes($$"""{"image":"{{Convert.ToBase64String(s_smile)}}"}""")]);
        marked.Headers.ContentType = new("application/json");
        Assert.Equal(raw, await ProbabilityAsync(marked));

        // PHP escapes slashes and MIME encoders break lines; both are still the same base64.
        var lines = string.Join("\\r\\n", Convert.ToBase64String(s_smile).Chunk(76).Select(line => new string(line))).Replace("/", "\\/", StringComparison.Ordinal);
        using var escaped = new StringContent($$"""{"image":"{{lines}}"}""", Encoding.UTF8, "application/json");
        Assert.Equal(raw, await ProbabilityAsync(escaped));
    }

    [Theory]
    [InlineData("application/x-www-form-urlencoded")] // What curl --data-binary sends.
    [InlineData("image/jpeg")]
    [InlineData("text/plain")]
    [InlineData("not a content type")]
    [InlineData(null)]
    public async Task A_raw_picture_is_known_by_its_bytes_whatever_its_content_type_says(string? contentType)
    {
        using var content = new ByteArrayContent(s_smile);
        if (contentType is not null)
        {
            content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        }

        Assert.True(await ProbabilityAsync(content) > 0.9f);
    }

    [Fact]
    public async Task A_file_part_of_any_name_is_taken_and_so_is_a_part_called_image_without_a_file_name()
    {
        using var otherName = new MultipartFormDataContent { { new ByteArrayContent(s_smile), "upload", "face.png" } };
        Assert.True(await ProbabilityAsync(otherName) > 0.9f);

        using var noFileName = new MultipartFormDataContent { { new ByteArrayContent(s_smile), "image" } };
        Assert.True(await ProbabilityAsync(noFileName) > 0.9f);
    }

    [Fact]
    public async Task A_chunked_body_without_a_length_is_read()
    {
        using var content = new StreamContent(new MemoryStream(s_smile));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/classify") { Content = content };
        request.Headers.TransferEncodingChunked = true;

        using var response = await app.Http.SendAsync(request);

        Assert.True(response.IsSuccessStatusCode);
    }

    [Fact]
    public async Task The_threshold_of_the_request_decides_what_counts_as_a_smile()
    {
        var probability = await app.ProbabilityAsync(s_neutral);

        var lenient = await app.ClassifyAsync(s_neutral, "?faces=whole&threshold=0");
        var strict = await app.ClassifyAsync(s_smile, "?faces=whole&threshold=1");

        Assert.True(lenient.GetProperty("smile").GetBoolean());
        Assert.Equal(0, lenient.GetProperty("threshold").GetSingle());
        Assert.Equal(probability, lenient.GetProperty("probability").GetSingle());
        Assert.False(strict.GetProperty("smile").GetBoolean());
    }

    [Theory]
    [InlineData("?threshold=1.5", "threshold")]
    [InlineData("?threshold=-0.1", "threshold")]
    [InlineData("?threshold=NaN", "threshold")]
    [InlineData("?threshold=0,5", "threshold")]
    [InlineData("?threshold=0,1", "threshold")] // No thousands: not 1.
    [InlineData("?confidence=0,0", "confidence")]
    [InlineData("?threshold=", "threshold")]
    [InlineData("?threshold=0.1&threshold=0.2", "threshold")]
    [InlineData("?confidence=1.5", "confidence")]
    [InlineData("?confidence=NaN", "confidence")]
    [InlineData("?limit=0", "limit")]
    [InlineData("?limit=1001", "limit")]
    [InlineData("?limit=ten", "limit")]
    [InlineData("?minFace=0", "minFace")]
    [InlineData("?minFace=65536", "minFace")]
    [InlineData("?minFace=2.5", "minFace")]
    [InlineData("?faces=all", "faces")]
    [InlineData("?faces=whole&faces=detect", "faces")]
    [InlineData("?treshold=0.5", "treshold")]
    public async Task A_wrong_parameter_is_named(string query, string name)
    {
        using var response = await app.PostAsync(s_smile, query);

        Assert.Contains($"'{name}'", await ProblemAssert.IsAsync(response, 400, "invalid-parameter"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("whole")]
    [InlineData("detect")]
    public async Task Every_valid_parameter_is_accepted(string faces)
    {
        await app.ClassifyAsync(s_smile, $"?faces={faces}&threshold=0.25&confidence=0.75&limit=1000&minFace=20");
    }

    private async Task<float> ProbabilityAsync(HttpContent content)
    {
        using var response = await app.Http.PostAsync(new Uri("/classify?faces=whole", UriKind.Relative), content);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("probability").GetSingle();
    }
}
