using SmileApi.Operations;

namespace SmileApi.Batching;

internal static class BatchingExtensions
{
    public static void AddBatching(this WebApplicationBuilder builder)
    {
        builder.AddValidatedOptions<BatchingOptions, ValidateBatchingOptions>(BatchingOptions.Section);
        builder.Services.AddSingleton<SessionPool>();
        builder.Services.AddSingleton(services => services.GetRequiredService<SessionPool>().Runners);
        builder.Services.AddSingleton<DynamicBatcher>();

        // In this order: sessions are warm before the batcher takes faces, and both before the server listens.
        builder.Services.AddHostedService(services => services.GetRequiredService<SessionPool>());
        builder.Services.AddHostedService(services => services.GetRequiredService<DynamicBatcher>());
    }
}
