using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;

namespace SmileApi.Tests.Classify;

public sealed class MalformedUploadTests(SmileApp app)
{
    private static readonly byte[] s_smile = Repository.Sample("mean-smile.png");

    [Fact]
    public async Task An_empty_body_holds_no_picture()
    {
        using var response = await app.PostAsync([]);

        Assert.Contains("multipart", await ProblemAssert.IsAsync(response, 400, "empty-upload"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_multipart_request_without_a_file_holds_no_picture()
    {
        using var content = new MultipartFormDataContent { { new StringContent("no file"), "comment" } };

        await IsRefused(content, 400, "empty-upload", "'image'");
    }

    [Fact]
    public async Task An_empty_file_part_holds_no_picture()
    {
        using var content = new MultipartFormDataContent { { new ByteArrayContent([]), "image", "face.png" } };

        await IsRefused(content, 400, "empty-upload", "Send");
    }

    [Fact]
    public async Task A_multipart_request_without_a_boundary_is_malformed()
    {
        using var content = new ByteArrayContent(s_smile);
        content.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data");

        await IsRefused(content, 400, "malformed-request", "boundary");
    }

    [Theory]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\ncut off in the part", "ends before")]
    [InlineData("no boundary in sight", "ends before")]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nvalue\r\n", "ends before")]
    public async Task A_multipart_request_without_its_end_is_malformed(string body, string hint)
    {
        using var content = new StringContent(body);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");

        await IsRefused(content, 400, "malformed-request", hint);
    }

    [Theory]
    [InlineData("", "object")]
    [InlineData("[]", "object")]
    [InlineData("\"text\"", "object")]
    [InlineData("{}", "no text called 'image'")]
    [InlineData("{\"image\":null}", "no text called 'image'")]
    [InlineData("{\"image\":{\"image\":\"AAAA\"}}", "no text called 'image'")]
    [InlineData("{\"picture\":\"AAAA\"}", "no text called 'image'")]
    [InlineData("{\"image\":\"AAAA\"", "not valid JSON")]
    [InlineData("{\"image\":\"AAAA\"} trailing", "not valid JSON")]
    [InlineData("{image:1}", "not valid JSON")]
    [InlineData("{\"image\":\"not base64!\"}", "not base64")]
    [InlineData("{\"image\":\"\\ud800\"}", "UTF-8")]
    [InlineData("{\"image\":\"data:image/png,AAAA\"}", "data URL")]
    [InlineData("{\"image\":\"data:image/png;base64\"}", "data URL")]
    public async Task Json_that_holds_no_picture_is_malformed(string body, string hint)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");

        await IsRefused(content, 400, "malformed-request", hint);
    }

    [Theory]
    [InlineData("{\"image\":\"\"}")]
    [InlineData("{\"image\":\"data:image/png;base64,\"}")]
    public async Task Json_with_an_empty_picture_is_empty(string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");

        await IsRefused(content, 400, "empty-upload", "Send");
    }

    [Fact]
    public async Task A_picture_inside_json_is_refused_like_any_other()
    {
        using var content = JsonContent.Create(new { image = Convert.ToBase64String("%PDF-1.7 a document"u8.ToArray()) });

        await IsRefused(content, 415, "unsupported-format", "PDF");
    }

    [Fact]
    public async Task Too_many_bytes_are_refused_in_each_kind_of_body()
    {
        var large = new byte[(20 << 20) + 1];

        using var raw = new ByteArrayContent(large);
        await IsRefused(raw, 413, "upload-too-large", "20,971,520 bytes");

        using var chunked = new StreamContent(new MemoryStream(large));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/classify") { Content = chunked };
        request.Headers.TransferEncodingChunked = true;
        using var response = await app.Http.SendAsync(request);
        await ProblemAssert.IsAsync(response, 413, "upload-too-large");

        using var multipart = new MultipartFormDataContent { { new ByteArrayContent(large), "image", "large.png" } };
        await IsRefused(multipart, 413, "upload-too-large", "20,971,520 bytes");

        using var json = JsonContent.Create(new { image = Convert.ToBase64String(large) });
        await IsRefused(json, 413, "upload-too-large", "20,971,520 bytes");
    }

    [Theory]
    [InlineData(64 << 10)] // The first buffer, full to the last byte.
    [InlineData((64 << 10) + 1)]
    [InlineData(20 << 20)] // As many as are allowed.
    public async Task A_picture_with_any_number_of_bytes_up_to_the_limit_is_read_whole(int bytes)
    {
        // What follows a picture's end is passed over.
        var padded = new byte[bytes];
        s_smile.CopyTo(padded, 0);

        using var response = await app.PostAsync(padded);

        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
    }

    private async Task IsRefused(HttpContent content, int status, string name, string hint)
    {
        using var response = await app.Http.PostAsync(new Uri("/classify", UriKind.Relative), content);

        Assert.Contains(hint, await ProblemAssert.IsAsync(response, status, name), StringComparison.Ordinal);
    }
}
