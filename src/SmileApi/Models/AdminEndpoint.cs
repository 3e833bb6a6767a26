using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Operations;

namespace SmileApi.Models;

/// <summary>Section <c>Admin</c>: who may change what is served.</summary>
internal sealed class AdminOptions
{
    public const string Section = "Admin";

    /// <summary>
    /// SHA-256 of the administrator's key, 64 hexadecimal digits; the key itself is in no configuration. Without it, the default,
    /// there is no <c>/admin</c>.
    /// </summary>
    [RegularExpression("^([0-9a-fA-F]{64})?$", ErrorMessage = "Admin:KeyHash must be the SHA-256 of a key, 64 hexadecimal digits.")]
    public string KeyHash { get; set; } = "";
}

[OptionsValidator]
internal sealed partial class ValidateAdminOptions : IValidateOptions<AdminOptions>;

/// <summary><c>POST /admin/model</c>: serves other models of the models folder, for whoever knows the administrator's key.</summary>
internal static class AdminEndpoint
{
    public const string KeyHeader = "X-Admin-Key";

    private const int MaxBodyBytes = 16 << 10;

    public static void AddAdmin(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<AdminOptions, ValidateAdminOptions>(AdminOptions.Section);
        builder.Services.AddSingleton<ModelReload>();
        builder.Services.AddHostedService<ModelWatch>();
    }

    /// <summary>Without a key there is nothing here.</summary>
    public static void MapAdmin(this WebApplication app)
    {
        if (app.Configuration[$"{AdminOptions.Section}:{nameof(AdminOptions.KeyHash)}"] is not { Length: > 0 })
        {
            return;
        }

        app.MapPost("/admin/model", ReloadAsync)
            .WithMetadata(new RequestSizeLimitAttribute(MaxBodyBytes))
            .Accepts<ReloadRequest>("application/json")
            .WithTags("Admin")
            .WithSummary("Serve other models")
            .WithDescription(
                "Loads files of the models folder, checks and tries them, and serves them from the next picture on; on any failure what was served "
                + $"before still is. The administrator's key goes into the header `{KeyHeader}`.")
            .Produces<ModelCard>()
            .ProducesProblems(400, 401, 409, 413, 422, 429)
            .AllowAnonymous(); // It asks for the administrator's key itself.
    }

    private static async Task<IResult> ReloadAsync(
        HttpContext context, ModelReload reload, InferenceDevices devices, ImageDecoder decoder, IOptions<AdminOptions> options)
    {
        if (!IsKey(context.Request.Headers[KeyHeader].ToString(), options.Value.KeyHash))
        {
            context.Response.Headers.WWWAuthenticate = KeyHeader;
            return new ProblemResult(new Problem(ProblemKind.AdminKeyInvalid, $"Send the administrator's key in the header {KeyHeader}."));
        }

        ReloadRequest? request;
        try
        {
            request = await JsonSerializer.DeserializeAsync(new BodyStream(context.Request.BodyReader), WireJson.Default.ReloadRequest, context.RequestAborted);
        }
        catch (JsonException)
        {
            request = null;
        }

        if (request is null)
        {
            return new ProblemResult(new Problem(
                ProblemKind.MalformedRequest, "The body must be a JSON object with the names of files: 'file', or 'find' and 'check', or all three."));
        }

        var (models, problem) = await reload.ReloadAsync(request);
        return models is null ? new ProblemResult(problem!) : TypedResults.Json(ModelCard.Of(models, devices, decoder), WireJson.Default.ModelCard);
    }

    /// <summary>Compares hashes, of one length whatever was sent, in a time that does not depend on where they differ.</summary>
    private static bool IsKey(string key, string hash) =>
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(key)), Convert.FromHexString(hash));
}
