using Microsoft.Extensions.Options;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Batching;

internal static class BatchingExtensions
{
    public static void AddBatching(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<BatchingOptions, ValidateBatchingOptions>(BatchingOptions.Section);
        builder.AddValidatedOptions<InferenceOptions, ValidateInferenceOptions>(InferenceOptions.Section);
        builder.Services.AddSingleton<InferenceDevices>();
        builder.Services.AddSingleton<OpenSessions>(services =>
        {
            var maxBatch = services.GetRequiredService<IOptions<BatchingOptions>>().Value.ResolvedMaxBatch;
            return (smile, faces) => OnnxSessions.Open(smile, faces, maxBatch);
        });
        builder.Services.AddSingleton<DynamicBatcher>();
        builder.Services.AddHostedService(services => services.GetRequiredService<DynamicBatcher>());
    }

    /// <summary>Chooses what the networks run on, before anything is made that depends on it.</summary>
    /// <exception cref="StartRefusedException">CUDA was asked for and cannot be used.</exception>
    public static void SettleInference(this WebApplication app)
    {
        var devices = app.Services.GetRequiredService<InferenceDevices>();
        app.Services.GetRequiredService<SmileMetrics>().ObserveDevices(devices.Sessions, devices.Fallback is not null);
        if (devices.Sessions[0] != Device.Cpu)
        {
            app.Services.GetRequiredService<IOptions<BatchingOptions>>().Value.SettleForGpus(devices.Sessions.Count);
        }
    }
}
