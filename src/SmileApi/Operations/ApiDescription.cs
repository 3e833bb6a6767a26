using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using SmileApi.Access;
using SmileApi.Admission;
using SmileApi.Batches;
using SmileApi.Classify;
using SmileApi.Inference;
using Swashbuckle.AspNetCore.SwaggerGen;
using Swashbuckle.AspNetCore.SwaggerUI;

namespace SmileApi.Operations;

/// <summary>The OpenAPI document at <c>/swagger/v1/swagger.json</c> and the page at <c>/swagger</c> to try it on.</summary>
internal static class ApiDescription
{
    public static void AddApiDescription(this WebApplicationBuilder builder)
    {
        builder.Services.AddEndpointsApiExplorer().AddSwaggerGen(swagger =>
        {
            swagger.SwaggerDoc("v1", new OpenApiInfo
            {
                Title = "SmileApi",
                Version = "v1",
                Description = "Finds the faces of a picture and says of each how likely it is that it smiles. Pictures are never stored or logged. Errors are RFC 9457 problem documents.",
            });
            swagger.SupportNonNullableReferenceTypes();
            swagger.NonNullableReferenceTypesAsRequired();
            swagger.IncludeXmlComments(typeof(Program).Assembly);
            swagger.IncludeXmlComments(typeof(ModelMetadata).Assembly);
            swagger.OperationFilter<DescribeClassify>();
            swagger.OperationFilter<DescribeStream>();
            swagger.OperationFilter<DescribeModels>();
            swagger.DocumentFilter<DescribeOperation>();
        });
        builder.Services.AddOptions<SwaggerGenOptions>().Configure<ApiKeys>((swagger, keys) =>
        {
            if (keys.Any)
            {
                swagger.AddSecurityDefinition(ApiKeyHandler.Scheme, new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.ApiKey,
                    In = ParameterLocation.Header,
                    Name = ApiKeyHandler.Header,
                });
                swagger.AddSecurityRequirement(document => new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(ApiKeyHandler.Scheme, document)] = [] });
            }
        });
    }

    public static void MapApiDescription(this IEndpointRouteBuilder app)
    {
        app.MapSwagger().Open();
        app.MapSwaggerUI(setupAction: page =>
        {
            page.SwaggerEndpoint("v1/swagger.json", "SmileApi v1");
            page.DocumentTitle = "SmileApi";
            page.DefaultModelsExpandDepth(0);
            page.DocExpansion(DocExpansion.Full);
        }).Open();
    }
}

/// <summary>What no handler signature says: the kinds of body, the query, and an example of each answer.</summary>
internal sealed class DescribeClassify : IOperationFilter
{
    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        var (body, answer, example) = context.ApiDescription.RelativePath switch
        {
            "classify" => (OnePicture(), "The verdict.", VerdictExample),
            "classify/batch" => (ManyPictures(), "A result for each picture, in their order: as one document, or each as a line.", BatchExample),
            "explain" => (OnePicture(), "The drawing, or the verdict with the maps.", ExplanationExample),
            _ => (null, "", ""),
        };
        if (body is null)
        {
            return;
        }

        var kinds = ProblemKind.All.Except(ProblemKind.OfAdministration).Except(ProblemKind.OfStreams);
        kinds = context.ApiDescription.RelativePath == "classify/batch"
            ? ProblemKind.OfBatches.Concat(kinds.Except([ProblemKind.UnsupportedFormat, .. ProblemKind.OfBatches]))
            : kinds.Except(ProblemKind.OfBatches);
        operation.Parameters = Options(context.ApiDescription.RelativePath!);
        operation.RequestBody = body;
        foreach (var (status, response) in operation.Responses ?? [])
        {
            if (response is not OpenApiResponse { Content: not null } described)
            {
                continue;
            }

            described.Description = status == "200" ? answer : Kinds(status, kinds);
            foreach (var (type, content) in described.Content)
            {
                if (content is OpenApiMediaType media)
                {
                    if (type.StartsWith("image/", StringComparison.Ordinal))
                    {
                        media.Schema = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" };
                        continue;
                    }

                    var isLines = type == BatchAnswer.LinesType;
                    media.Schema = isLines ? context.SchemaGenerator.GenerateSchema(typeof(BatchResult), context.SchemaRepository) : media.Schema;
                    media.Example = status != "200" ? ProblemExample(status, kinds) : isLines ? JsonNode.Parse(BatchExample)!["results"]![0]!.DeepClone() : JsonNode.Parse(example);
                }
            }
        }
    }

    public static List<IOpenApiParameter> Options(string path) =>
    [
        Query("faces", "`detect`: find the faces and judge each. `whole`: the picture is one face that fills it from the brow to below the lower lip.",
            new OpenApiSchema { Type = JsonSchemaType.String, Enum = ["detect", "whole"], Default = "detect" }),
        Query("threshold", "Probabilities from here on count as a smile. Default: the model's own, 0.5.",
            new OpenApiSchema { Type = JsonSchemaType.Number, Minimum = "0", Maximum = "1" }),
        Query("confidence", "Least confidence of a face to be in the answer. Default: the detector's own. Without effect on `faces=whole`.",
            new OpenApiSchema { Type = JsonSchemaType.Number, Minimum = "0", Maximum = "1" }),
        Query("minFace",
            "Side of the smallest box to find, in pixels; smaller faces may be missing. The larger it is, the less a request costs. "
            + "Default: 3 % of the picture's longer side, at least 20. Without effect on `faces=whole`.",
            new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "1", Maximum = "65535" }),
        Query("limit", "Most faces of the answer; the largest stay.",
            new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "1", Maximum = "1000", Default = 100 }),
        new OpenApiParameter
        {
            Name = AdmissionFilter.TimeoutHeader,
            In = ParameterLocation.Header,
            Description = path is "classify/batch" or "stream"
                ? "Seconds within which each picture is to be answered, from its first byte on, such as `2.5`; one that is not gets a result with status 504. It can only shorten the service's own deadline."
                : "Seconds within which the answer is wanted, such as `2.5`; after that it is 504 and no more work is done for it. It can only shorten the service's own deadline.",
            Schema = new OpenApiSchema { Type = JsonSchemaType.Number, ExclusiveMinimum = "0" },
        },
    ];

    private static OpenApiRequestBody OnePicture()
    {
        var picture = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" };
        return new OpenApiRequestBody
        {
            Required = true,
            Description = "One picture.",
            Content = new Dictionary<string, IOpenApiMediaType>
            {
                ["multipart/form-data"] = new OpenApiMediaType
                {
                    Schema = Object("image", new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary", Description = "The picture: JPEG, PNG or WebP." }),
                },
                ["application/json"] = new OpenApiMediaType
                {
                    Schema = Object("image", new OpenApiSchema { Type = JsonSchemaType.String, Description = "The picture in base64; a `data:` URL is accepted." }),
                    Example = new JsonObject { ["image"] = OnePixelPng },
                },
                ["image/jpeg"] = new OpenApiMediaType { Schema = picture },
                ["image/png"] = new OpenApiMediaType { Schema = picture },
                ["image/webp"] = new OpenApiMediaType { Schema = picture },
                ["application/octet-stream"] = new OpenApiMediaType { Schema = picture },
            },
        };
    }

    private static OpenApiRequestBody ManyPictures()
    {
        var line = Object("image", new OpenApiSchema { Type = JsonSchemaType.String, Description = "The picture in base64; a `data:` URL is accepted." });
        line.Properties!["name"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "Comes back with the result." };
        return new OpenApiRequestBody
        {
            Required = true,
            Description = "Many pictures.",
            Content = new Dictionary<string, IOpenApiMediaType>
            {
                ["multipart/form-data"] = new OpenApiMediaType
                {
                    Schema = Object("images", new OpenApiSchema
                    {
                        Type = JsonSchemaType.Array,
                        Items = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" },
                        Description = "The pictures: JPEG, PNG or WebP. All files count, whatever the field is called.",
                    }),
                },
                [BatchAnswer.LinesType] = new OpenApiMediaType { Schema = line, Example = new JsonObject { ["name"] = "a.png", ["image"] = OnePixelPng } },
            },
        };
    }

    private const string OnePixelPng =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==";

    private const string VerdictExample = """
        {
          "smile": true, "probability": 0.9731, "threshold": 0.5,
          "faces": [ { "smile": true, "probability": 0.9731, "box": { "x": 212, "y": 96, "width": 180, "height": 180 }, "confidence": 0.998 } ],
          "image": { "width": 640, "height": 480, "format": "jpeg" },
          "model": { "name": "smile-cnn20", "version": "1.0.0", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" },
          "timings": { "decodeMs": 0.7, "detectMs": 7.9, "queueMs": 0.1, "inferMs": 0.5, "totalMs": 9.6 },
          "requestId": "0HNG2J7KQ5R1M:00000001"
        }
        """;

    private const string ExplanationExample = """
        {
          "smile": true, "probability": 0.9731, "threshold": 0.5,
          "faces": [ {
            "smile": true, "probability": 0.9731, "box": { "x": 212, "y": 96, "width": 180, "height": 180 }, "confidence": 0.998,
            "crop": { "x": 237.7, "y": 128.1, "side": 128.6, "roll": -3.2 },
            "map": [ [ -0.01, -0.02, 0.0, -0.02, -0.01 ], [ 0.02, 0.04, 0.01, 0.05, 0.03 ], [ 0.11, 0.23, 0.12, 0.25, 0.12 ], [ 0.2, 0.51, 0.44, 0.49, 0.19 ], [ 0.08, 0.21, 0.25, 0.2, 0.06 ] ]
          } ],
          "image": { "width": 640, "height": 480, "format": "jpeg" },
          "model": { "name": "smile-cnn20", "version": "1.0.0", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" },
          "timings": { "decodeMs": 0.7, "detectMs": 7.9, "queueMs": 0.1, "inferMs": 0.5, "totalMs": 9.6 },
          "requestId": "0HNG2J7KQ5R1M:00000001"
        }
        """;

    private const string BatchExample = $$"""
        {
          "results": [
            { "index": 0, "name": "a.jpg", "status": 200, "result": {{VerdictExample}} },
            { "index": 1, "name": "b.jpg", "status": 422, "problem": {
                "type": "urn:smileapi:problem:picture-truncated", "title": "The picture is cut off.", "status": 422,
                "detail": "The JPEG picture is cut off: it ends before its last pixel. Send the whole file.", "requestId": "0HNG2J7KQ5R1M:00000001" } }
          ]
        }
        """;

    public static OpenApiParameter Query(string name, string description, OpenApiSchema schema) =>
        new() { Name = name, In = ParameterLocation.Query, Description = description, Schema = schema };

    private static OpenApiSchema Object(string property, OpenApiSchema schema) => new()
    {
        Type = JsonSchemaType.Object,
        Required = new HashSet<string> { property },
        Properties = new Dictionary<string, IOpenApiSchema> { [property] = schema },
    };

    public static string Kinds(string status, IEnumerable<ProblemKind> kinds) =>
        string.Join(" ", kinds.Where(kind => IsOf(kind, status)).Select(kind => $"`{kind.Name}`: {kind.Title}"));

    public static JsonObject? ProblemExample(string status, IEnumerable<ProblemKind> kinds) => kinds.FirstOrDefault(kind => IsOf(kind, status)) is { } kind
        ? new JsonObject
        {
            ["type"] = kind.Type,
            ["title"] = kind.Title,
            ["status"] = kind.Status,
            ["detail"] = DetailOf(kind),
            ["requestId"] = "0HNG2J7KQ5R1M:00000001",
        }
        : null;

    /// <summary>What the service says of a request, in its own words, of the kinds that stand for their status.</summary>
    private static string DetailOf(ProblemKind kind) => kind.Name switch
    {
        "empty-upload" => "Send a JPEG, PNG or WebP picture: as the raw body, as a multipart file called 'image', or as JSON {\"image\": \"<base64>\"}.",
        "malformed-request" => "The body must be a JSON object with the names of files: 'file', or 'find' and 'check', or all three.",
        "unauthorized" => "This service wants an API key. Send yours in the header X-API-Key, or as Authorization: Bearer.",
        "not-found" => "No history of the model that is served lies beside it (training/history.json).",
        "request-timeout" => "The request's body arrived too slowly. Try again on a better connection.",
        "upload-too-large" => "A picture may have at most 20,971,520 bytes. Send it smaller or more compressed.",
        "unsupported-format" => "The upload is not a JPEG, PNG or WebP picture; it looks like a PDF.",
        "picture-too-large" => "The picture has 400,000,000 pixels; at most 100,000,000 are accepted.",
        "unsupported-media-type" => "Send many pictures as multipart/form-data, or as lines of JSON with Content-Type: application/x-ndjson. One picture goes to /classify.",
        "rate-limited" => "This key may send 600 requests in 60 seconds. Wait as long as Retry-After says.",
        "internal-error" => "This is our fault, not your picture's. Try again; if it stays so, report the requestId.",
        "no-explanation" => "The model smile-cnn20 1.0.0 gives probabilities only, without a map of what it saw.",
        "inference-timeout" => "The picture was read, but the network did not come to an end with it, or with another that shared its run. Try again.",
        "not-ready" => "The service is about to stop. Send requests elsewhere.",
        "deadline-exceeded" => "The request was not answered within 30 seconds, its upload included. Try again later, or give it more time.",
        "admin-key-invalid" => "Send the administrator's key in the header X-Admin-Key.",
        "reload-in-progress" => "Other models are being loaded. Try again when that is done.",
        "model-refused" => "There is no file 'smile-2.onnx' in the models folder. What was served before still is.",
        "origin-not-allowed" => "A browser asks on behalf of a page of another origin, which is not among those whose pages may read the answers (Access:Origins).",
        "upgrade-required" => "/stream is for frames of a camera over a WebSocket (RFC 6455). A picture by itself goes to /classify.",
        _ => kind.Title,
    };

    private static bool IsOf(ProblemKind kind, string status) => kind.Status.ToString(System.Globalization.CultureInfo.InvariantCulture) == status;
}

/// <summary>The query of a stream, and how it is refused. What goes over the WebSocket no OpenAPI document can say; the description does.</summary>
internal sealed class DescribeStream : IOperationFilter
{
    private static readonly ProblemKind[] s_kinds =
    [
        ProblemKind.InvalidParameter, ProblemKind.Unauthorized, ProblemKind.RateLimited, ProblemKind.Overloaded, ProblemKind.NotReady, .. ProblemKind.OfStreams,
    ];

    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        if (context.ApiDescription.RelativePath != "stream")
        {
            return;
        }

        operation.Parameters =
        [
            .. DescribeClassify.Options("stream"),
            DescribeClassify.Query("smooth",
                "Time constant in seconds over which each face's probability is smoothed: after so long, of what was 37 % is left. 0 does not smooth.",
                new OpenApiSchema { Type = JsonSchemaType.Number, Minimum = "0", Maximum = "60", Default = 0 }),
            DescribeClassify.Query("start", "From which probability on a smile starts. Default: 0.1 above the threshold.",
                new OpenApiSchema { Type = JsonSchemaType.Number, Minimum = "0", Maximum = "1" }),
            DescribeClassify.Query("end", "Below which probability a smile ends; at most `start`. Default: 0.1 below the threshold.",
                new OpenApiSchema { Type = JsonSchemaType.Number, Minimum = "0", Maximum = "1" }),
        ];
        foreach (var (status, response) in operation.Responses ?? [])
        {
            response.Description = status == "101" ? "The WebSocket is open." : DescribeClassify.Kinds(status, s_kinds);
            foreach (var content in (response.Content ?? new Dictionary<string, IOpenApiMediaType>()).Values.OfType<OpenApiMediaType>())
            {
                content.Example = DescribeClassify.ProblemExample(status, s_kinds);
            }
        }
    }
}
