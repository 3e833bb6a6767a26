using Microsoft.Extensions.Options;
using SmileApi.Operations;

namespace SmileApi.Batching;

internal static class BatchingExtensions
{
    public static void AddBatching(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<BatchingOptions, ValidateBatchingOptions>(BatchingOptions.Section);
        builder.Services.AddSingleton<OpenSessions>(services =>
        {
            var maxBatch = services.GetRequiredService<IOptions<BatchingOptions>>().Value.MaxBatch;
            return (smile, faces) => OnnxSessions.Open(smile, faces, maxBatch);
        });
        builder.Services.AddSingleton<DynamicBatcher>();
        builder.Services.AddHostedService(services => services.GetRequiredService<DynamicBatcher>());
    }
}
