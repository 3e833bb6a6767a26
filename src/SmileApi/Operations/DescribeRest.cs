using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using SmileApi.Classify;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SmileApi.Operations;

/// <summary>Examples and problems of the endpoints that tell of the models.</summary>
internal sealed class DescribeModels : IOperationFilter
{
    private const string Scores = """{ "count": 781, "accuracy": 0.977, "balancedAccuracy": 0.979, "rocAuc": 0.9967, "logLoss": 0.073 }""";

    private const string Training = $$"""
        {
          "seed": 1, "epochs": 40, "pictures": 16808, "finished": "2026-01-31T12:00:00+00:00",
          "data": { "lfw160.tar": "56770695263ddea670399d055753e813687835ee45c9381b001855b1efd35b2e" }
        }
        """;

    private const string Stage = $$"""
        {
          "name": "smile-faces", "version": "1.1.0", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "threshold": 0.2,
          "cost": { "layers": 11, "parameters": 100000, "multiplyAdds": 30000000 }, "training": {{Training}}, "licence": "For research use only."
        }
        """;

    private const string Card = $$"""
        {
          "name": "smile-cnn20", "version": "1.0.0", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
          "provider": "cpu", "devices": [ "cpu" ], "fallback": null, "jpegDecoder": "libturbojpeg", "threshold": 0.5, "temperature": 0.66, "bias": 0.25,
          "input": { "side": 100, "mean": 128.0, "deviation": 60.0, "crop": "square from the brow to below the lower lip" },
          "cost": { "layers": 20, "parameters": 1000000, "multiplyAdds": 24000000 },
          "scores": { "test": {{Scores}} }, "training": {{Training}}, "licence": "For research use only.",
          "detector": { "find": {{Stage}}, "check": {{Stage}} }
        }
        """;

    private const string History = $$"""
        {
          "model": "smile-cnn20", "version": "1.0.0", "pictures": 16808, "bestEpoch": 1,
          "epochs": [
            { "epoch": 0, "loss": null, "train": {{Scores}}, "val": {{Scores}} },
            { "epoch": 1, "loss": 0.41, "train": {{Scores}}, "val": {{Scores}} }
          ],
          "filters": [ [ [ 0.0712, -0.183, 0.2204, 0.0159 ] ], [ [ 0.1401, -0.2612, 0.3128, -0.0527 ] ] ], "filtersFrom": "model",
          "judges": [ { "name": "coin toss", "how": "The network with random weights.", "accuracy": 0.24, "balancedAccuracy": 0.5, "rocAuc": 0.5 } ],
          "curve": [ { "smiles": 50, "nonSmiles": 50, "accuracy": 0.903, "balancedAccuracy": 0.923, "rocAuc": 0.978 } ]
        }
        """;

    private static readonly ProblemKind[] s_kinds = [ProblemKind.Unauthorized, ProblemKind.RateLimited];

    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        ProblemKind[] kinds;
        switch (context.ApiDescription.RelativePath)
        {
            case "model":
                kinds = s_kinds;
                break;
            case "model/history":
                kinds = [ProblemKind.NotFound, .. s_kinds];
                break;
            case "admin/model":
                kinds = [ProblemKind.MalformedRequest, ProblemKind.UploadTooLarge, ProblemKind.RateLimited, .. ProblemKind.OfAdministration];
                if (operation.RequestBody?.Content?["application/json"] is OpenApiMediaType body)
                {
                    body.Example = new JsonObject { ["file"] = "smile-2.onnx", ["find"] = null, ["check"] = null };
                }

                break;
            default:
                return;
        }

        foreach (var (status, response) in operation.Responses ?? [])
        {
            response.Description = status == "200" ? operation.Summary + "." : DescribeClassify.Kinds(status, kinds);
            foreach (var content in response.Content?.Values.OfType<OpenApiMediaType>() ?? [])
            {
                content.Example = status == "200"
                    ? JsonNode.Parse(context.ApiDescription.RelativePath == "model/history" ? History : Card)
                    : DescribeClassify.ProblemExample(status, kinds);
            }
        }
    }
}

/// <summary>The endpoints for operators that the framework's own code answers and describes nowhere.</summary>
internal sealed class DescribeOperation : IDocumentFilter
{
    public void Apply(OpenApiDocument swaggerDoc, DocumentFilterContext context)
    {
        var problem = context.SchemaGenerator.GenerateSchema(typeof(ProblemDocument), context.SchemaRepository);
        Add("/health/live", "Is it alive?", "200 while the process answers and a runner of the networks is left; 503 when only a new start helps.", "Healthy", "Healthy, or `Degraded: ` and why.");
        Add(
            "/health/ready", "Is it ready for pictures?", "200 when a picture makes it through the whole pipeline; 503 otherwise, and from SIGTERM on.",
            "Healthy", "Healthy, or `Degraded: ` and why.");
        Add("/metrics", "What it has done and holds", "Metrics as Prometheus reads them; at the management port only, where there is one.", "smileapi_queue_length 0\n", "Prometheus text.");

        void Add(string path, string summary, string description, string example, string answer)
        {
            var operation = new OpenApiOperation
            {
                Tags = new HashSet<OpenApiTagReference> { new("Operation", swaggerDoc) },
                Summary = summary,
                Description = description,
                Responses = new OpenApiResponses
                {
                    ["200"] = new OpenApiResponse
                    {
                        Description = answer,
                        Content = new Dictionary<string, IOpenApiMediaType>
                        {
                            ["text/plain"] = new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.String }, Example = example },
                        },
                    },
                },
            };
            var (status, kind) = path == "/metrics" ? ("401", ProblemKind.Unauthorized) : ("503", ProblemKind.NotReady);
            operation.Responses[status] = new OpenApiResponse
            {
                Description = DescribeClassify.Kinds(status, [kind]),
                Content = new Dictionary<string, IOpenApiMediaType>
                {
                    ["application/problem+json"] = new OpenApiMediaType { Schema = problem, Example = DescribeClassify.ProblemExample(status, [kind]) },
                },
            };
            swaggerDoc.Paths[path] = new OpenApiPathItem { Operations = new Dictionary<HttpMethod, OpenApiOperation> { [HttpMethod.Get] = operation } };
        }
    }
}
