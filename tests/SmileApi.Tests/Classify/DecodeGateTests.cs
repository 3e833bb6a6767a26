using System.Diagnostics.CodeAnalysis;
using System.Net;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using SmileApi.Admission;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Classify;

public sealed class DecodeGateTests
{
    private static readonly byte[] s_large = Make.PngClaiming(3300, 3300);
    private static readonly byte[] s_small = Repository.Sample("mean-smile.png");

    [Fact]
    public async Task Large_pictures_that_wait_for_their_like_hold_nothing_that_small_ones_need()
    {
        using var hold = new Hold();
        await using var app = new WebApplicationFactory<Program>().WithWebHostBuilder(host =>
        {
            host.UseSetting("Serilog:MinimumLevel:Default", "Fatal").UseSetting("Serilog:MinimumLevel:Override:Microsoft.AspNetCore", "Fatal");
            host.UseSetting("Decoding:TimeoutSeconds", "600");
            host.ConfigureTestServices(services => services.AddSingleton<DecodePicture>(hold.Decode));
        });
        using var http = app.CreateClient();
        var memory = app.Services.GetRequiredService<MemoryBudget>();
        Assert.True(ImageHeader.TryRead(s_large, out var header, out _));
        var one = MemoryBudget.CostOf(header, ImageDecoder.ReductionFor(header.Height, FaceCrop.Side));

        var large = Enumerable.Range(0, 5).Select(_ => PostAsync(http, s_large)).ToArray();
        Assert.True(await hold.Began.WaitAsync(TimeSpan.FromMinutes(1)));
        var gate = app.Services.GetRequiredService<AdmissionGate>();
        Assert.True(SpinWait.SpinUntil(() => gate.Working == 5, TimeSpan.FromMinutes(1)));

        Assert.Equal(HttpStatusCode.OK, await PostAsync(http, s_small).WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.True(SpinWait.SpinUntil(() => memory.PictureBytesHeld < 2 * one, TimeSpan.FromMinutes(1)), $"{memory.PictureBytesHeld} bytes are held, and one needs {one}.");
        Assert.InRange(memory.PictureBytesHeld, one, one + 1024);
        hold.LetGo();
        Assert.All(await Task.WhenAll(large), status => Assert.Equal(HttpStatusCode.UnprocessableEntity, status)); // There is nothing behind their claim.
    }

    private static async Task<HttpStatusCode> PostAsync(HttpClient http, byte[] picture)
    {
        using var content = new ByteArrayContent(picture);
        using var response = await http.PostAsync(new Uri("/classify?faces=whole", UriKind.Relative), content);
        return response.StatusCode;
    }

    /// <summary>Holds large pictures where they would be decoded.</summary>
    private sealed class Hold : IDisposable
    {
        private readonly ImageDecoder _decoder = new(new ImageLimits());
        private readonly ManualResetEventSlim _open = new();

        public SemaphoreSlim Began { get; } = new(0);

        public bool Decode(
            ReadOnlySpan<byte> bytes, in ImageHeader header, int reduction, [NotNullWhen(true)] out GreyImage? image, [NotNullWhen(false)] out ImageRejection? rejection)
        {
            if (header.Width > 3000)
            {
                Began.Release();
                _open.Wait();
            }

            return _decoder.TryDecodeReduced(bytes, header, reduction, out image, out rejection);
        }

        public void LetGo() => _open.Set();

        public void Dispose()
        {
            _open.Set();
            Began.Dispose();
        }
    }
}
