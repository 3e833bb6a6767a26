using System.Threading.Channels;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace SmileApi.Models;

/// <summary>
/// Serves the file of <c>Model:Path</c> anew when it has changed. The file is looked at every few seconds, links followed, because
/// no file system event tells of what happens behind a mounted volume or the links of a Kubernetes ConfigMap.
/// </summary>
internal sealed class ModelWatch(ModelReload reload, IOptions<ModelOptions> options) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Value.Watch)
        {
            return;
        }

        var path = options.Value.FullPath;
        using var folder = new PhysicalFileProvider(Path.GetDirectoryName(path)!) { UsePollingFileWatcher = true, UseActivePolling = true };
        var changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        using var watch = ChangeToken.OnChange(() => folder.Watch(Path.GetFileName(path)), () => changes.Writer.TryWrite(true));
        await foreach (var _ in changes.Reader.ReadAllAsync(stoppingToken))
        {
            await reload.ReloadConfiguredAsync(stoppingToken);
        }
    }
}
