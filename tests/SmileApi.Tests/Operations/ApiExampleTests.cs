using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using SmileApi.Classify;
using SmileApi.Tests.Access;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Operations;

/// <summary>The API's description says what is so: each example fits its schema, and is as the service answers.</summary>
public sealed class ApiExampleTests(SmileApp app)
{
    private const string AdminKey = "an administrator's key";

    [Fact]
    public async Task Every_answer_has_an_example_that_fits_its_schema()
    {
        await using var guarded = WithAdmin();
        var api = await DescriptionAsync(guarded.Http);
        var places = Examples(api).ToArray();

        Assert.Contains(places, place => place.Place.Path == "/admin/model");
        foreach (var (place, media) in places)
        {
            if (media["schema"] is JsonObject schema && schema["format"]?.GetValue<string>() == "binary")
            {
                continue; // A picture in a text would help nobody.
            }

            Assert.True(media["example"] is not null, $"{place} has no example.");
            Fits(api, media["schema"]!, media["example"], place.ToString());
        }
    }

    [Fact]
    public async Task Every_operation_says_which_problems_it_answers_with()
    {
        await using var guarded = WithAdmin();
        var api = await DescriptionAsync(guarded.Http);
        var titles = ProblemKind.All.ToDictionary(kind => kind.Name);

        foreach (var (place, media) in Examples(api).Where(place => place.Place.Status is not (null or "200")))
        {
            var example = media["example"]!;
            var kind = titles[example["type"]!.GetValue<string>()["urn:smileapi:problem:".Length..]];
            Assert.Equal((kind.Title, kind.Status), (example["title"]!.GetValue<string>(), example["status"]!.GetValue<int>()));
            Assert.Equal(place.Status, $"{kind.Status}");
            Assert.Contains($"`{kind.Name}`: {kind.Title}", api["paths"]![place.Path]![place.Method]!["responses"]![place.Status!]!["description"]!.GetValue<string>(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("/classify", "application/json")]
    [InlineData("/classify/batch", "application/json")]
    [InlineData("/classify/batch", "application/x-ndjson")]
    [InlineData("/explain", "application/json")]
    [InlineData("/model", "application/json")]
    [InlineData("/model/history", "application/json")]
    public async Task A_real_answer_fits_the_schema_and_has_all_that_the_example_has(string path, string accept)
    {
        var api = await DescriptionAsync(app.Http);
        using var photo = new Photograph(320, 240).With(new SmileApi.Imaging.FaceSquare(90, 60, 120));
        using var request = new HttpRequestMessage(path.StartsWith("/model", StringComparison.Ordinal) ? HttpMethod.Get : HttpMethod.Post, new Uri(path, UriKind.Relative));
        request.Headers.Accept.Add(MediaTypeWithQualityHeaderValue.Parse(accept));
        request.Content = request.Method == HttpMethod.Get ? null
            : path == "/classify/batch" ? new MultipartFormDataContent { { new ByteArrayContent(photo.Jpeg()), "a", "a.jpg" }, { new ByteArrayContent(Make.Truncated(photo.Jpeg())), "b", "b.jpg" } }
            : new ByteArrayContent(photo.Jpeg());

        using var response = await app.Http.SendAsync(request);

        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        var answer = JsonNode.Parse(accept.EndsWith("ndjson", StringComparison.Ordinal) ? text.Split('\n')[0] : text);
        var media = api["paths"]![path]![request.Method.Method.ToLowerInvariant()]!["responses"]!["200"]!["content"]![accept]!;
        Fits(api, media["schema"]!, answer, path);
        AsRichAs(media["example"], answer, path);
    }

    [Theory]
    [InlineData("/classify", "400", "")]
    [InlineData("/classify", "415", "%PDF-1.7")]
    [InlineData("/classify/batch", "415", "anything")]
    [InlineData("/classify", "401", "face", false)]
    [InlineData("/model", "401", "", false)]
    [InlineData("/metrics", "401", "", false)]
    [InlineData("/admin/model", "401", "{}", false)]
    [InlineData("/admin/model", "400", "[]")]
    [InlineData("/admin/model", "422", """{"file": "smile-2.onnx"}""")]
    public async Task A_problem_is_told_in_the_words_of_its_example(string path, string status, string body, bool withKeys = true)
    {
        await using var guarded = WithAdmin();
        var method = path is "/model" or "/metrics" ? HttpMethod.Get : HttpMethod.Post;
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        request.Content = method == HttpMethod.Get ? null : new StringContent(body, Encoding.UTF8, path == "/admin/model" ? "application/json" : "text/plain");
        if (withKeys)
        {
            request.Headers.Add("X-API-Key", GuardedKey);
            request.Headers.Add("X-Admin-Key", AdminKey);
        }

        using var response = await guarded.Http.SendAsync(request);

        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
        var example = (await DescriptionAsync(guarded.Http))["paths"]![path]![method.Method.ToLowerInvariant()]!["responses"]![status]!["content"]!["application/problem+json"]!["example"]!.DeepClone().AsObject();
        Assert.Equal(status, $"{(int)response.StatusCode}");
        Assert.True(answer.Remove("requestId") && example.Remove("requestId"));
        Assert.Equal(example.ToJsonString(), answer.ToJsonString());
    }

    private const string GuardedKey = "a caller's key";

    private static GuardedApp WithAdmin() => new(
        ("Access:Keys:0:Name", "caller"), ("Access:Keys:0:Sha256", Hash(GuardedKey)), ("Admin:KeyHash", Hash(AdminKey)));

    private static string Hash(string key) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    private static async Task<JsonNode> DescriptionAsync(HttpClient http) =>
        JsonNode.Parse(await http.GetStringAsync(new Uri("/swagger/v1/swagger.json", UriKind.Relative)))!;

    private sealed record Place(string Path, string Method, string? Status, string Type);

    /// <summary>Every body that is described: of requests (without a status) those with an example, of answers all.</summary>
    private static IEnumerable<(Place Place, JsonObject Media)> Examples(JsonNode api) =>
        from path in api["paths"]!.AsObject()
        from operation in path.Value!.AsObject()
        from content in operation.Value!["responses"]!.AsObject().Select(response => (response.Key, response.Value!["content"]))
            .Append((null!, operation.Value["requestBody"]?["content"]))
        from media in content.Item2?.AsObject() ?? []
        where content.Key is not null || media.Value!["example"] is not null
        select (new Place(path.Key, operation.Key, content.Key, media.Key), media.Value!.AsObject());

    /// <summary>What of OpenAPI 3.0's schemas this description uses; anything else fails.</summary>
    private static void Fits(JsonNode api, JsonNode schema, JsonNode? value, string place)
    {
        if (schema["$ref"] is { } reference)
        {
            Fits(api, api["components"]!["schemas"]![reference.GetValue<string>().Split('/')[^1]]!, value, place);
            return;
        }

        var kind = value?.GetValueKind();
        switch (schema["type"]!.GetValue<string>())
        {
            case var _ when value is null:
                Assert.True(schema["nullable"]?.GetValue<bool>() == true, $"{place} is null.");
                break;
            case "object":
                Assert.True(kind == JsonValueKind.Object, $"{place} is no object.");
                var (properties, others) = (schema["properties"]?.AsObject() ?? [], schema["additionalProperties"]);
                Assert.All(schema["required"]?.AsArray() ?? [], name => Assert.True(value.AsObject().ContainsKey(name!.GetValue<string>()), $"{place} has no {name}."));
                foreach (var (name, inner) in value.AsObject())
                {
                    // Without an entry of its own, a name must be of the other ones, if there may be any.
                    var known = properties[name] ?? others as JsonObject;
                    Assert.True(known is not null, $"{place} has {name}, of which nothing is said.");
                    if (inner is not null || known["$ref"] is null)
                    {
                        Fits(api, known, inner, $"{place}.{name}");
                    }
                }

                break;
            case "array":
                Assert.True(kind == JsonValueKind.Array, $"{place} is no array.");
                Assert.All(value.AsArray(), item => Fits(api, schema["items"]!, item, $"{place}[]"));
                break;
            case "string":
                Assert.True(kind == JsonValueKind.String, $"{place} is no text.");
                break;
            case "boolean":
                Assert.True(kind is JsonValueKind.True or JsonValueKind.False, $"{place} is neither true nor false.");
                break;
            case "integer":
                Assert.True(kind == JsonValueKind.Number && value.GetValue<JsonElement>().TryGetInt64(out _), $"{place} is no whole number.");
                break;
            case "number":
                Assert.True(kind == JsonValueKind.Number, $"{place} is no number.");
                break;
            case var type:
                Assert.Fail($"{place} is of a type that this test does not know: {type}.");
                break;
        }
    }

    /// <summary>The names of an example are in the answer, and no others; of lists the first entries are compared.</summary>
    private static void AsRichAs(JsonNode? example, JsonNode? answer, string place)
    {
        if (example is JsonObject expected && answer is JsonObject actual && !place.EndsWith(".data", StringComparison.Ordinal) && !place.EndsWith(".scores", StringComparison.Ordinal))
        {
            Assert.True(
                expected.Select(property => property.Key).Order().SequenceEqual(actual.Select(property => property.Key).Order()),
                $"{place}: the example has {string.Join(", ", expected.Select(property => property.Key))}, the answer {string.Join(", ", actual.Select(property => property.Key))}.");
            foreach (var (name, inner) in expected)
            {
                AsRichAs(inner, actual[name], $"{place}.{name}");
            }
        }
        else if (example is JsonArray { Count: > 0 } some && answer is JsonArray { Count: > 0 } others)
        {
            AsRichAs(some[0], others[0], $"{place}[0]");
        }
        else if (example is JsonArray)
        {
            Assert.True(answer is JsonArray && example.AsArray().Count == 0, $"{place} is empty in the answer.");
        }
    }
}
