using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

public sealed class TruncationTests
{
    private static readonly Dictionary<string, byte[]> s_pictures = new()
    {
        ["baseline JPEG"] = Make.Jpeg(40, 24, seed: 1),
        ["JPEG with EXIF"] = Make.WithExifOrientation(Make.Jpeg(24, 40, seed: 1), 6),
        ["progressive JPEG"] = Make.ProgressiveJpeg(24, 16, seed: 1),
        ["JPEG with a scan for each component"] =
            new JpegWriter(24, 16, Make.YCbCr(Make.Scene(1), 1, 1)) { Interleaved = false, RestartInterval = 2 }.Encode(),
        ["grey JPEG"] = Make.JpegFromGrey(new byte[40 * 24], 40, 24),
        ["CMYK JPEG"] = Make.CmykJpeg(16, 16, seed: 1),
        ["PNG"] = Make.Png(24, 16, seed: 1),
        ["interlaced PNG"] = new PngWriter(24, 16, PngColour.Rgb, 8, (x, y, _) => x * y & 255) { Interlaced = true }.Encode(),
        ["lossy WebP"] = Make.WebP(40, 24, seed: 1),
        ["lossless WebP"] = Make.WebP(24, 16, seed: 1, lossless: true),
        ["WebP with alpha"] = Make.WebP(Make.Rgba(24, 16, (x, y, _) => (byte)(7 * x + y)), 24, 16, lossless: false),
        ["animated WebP"] = Make.AnimatedWebP(24, 16, seed: 1, nextSeed: 2),
    };

    public static TheoryData<string> Kinds => [.. s_pictures.Keys];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_picture_cut_anywhere_is_never_taken_for_whole(string kind)
    {
        var whole = s_pictures[kind];
        foreach (var backend in Decoded.Backends)
        {
            var decoder = Decoded.Decoder(backend);
            Decoded.From(decoder, whole);
            for (var length = 0; length < whole.Length; length++)
            {
                var rejection = Decoded.Refusal(decoder, whole[..length], $"{length} of {whole.Length} bytes of {kind}");

                if (length >= 12)
                {
                    Assert.Equal(ImageProblem.Truncated, rejection.Problem);
                }
            }
        }
    }

    /// <summary>A sender that lies about the rest: the end marker stands where data should go on.</summary>
    [Fact]
    public void A_cut_JPEG_with_an_end_put_behind_it_is_refused_by_the_careful_backend()
    {
        var decoder = Decoded.Decoder(JpegBackend.LibTurboJpeg);
        var whole = Make.Jpeg(64, 48, seed: 1);
        var data = Make.FirstScan(whole) + 14;
        for (var length = data; length < whole.Length - 20; length += 7)
        {
            Decoded.Refusal(decoder, [.. whole.AsSpan(0, length), 0xFF, 0xD9], $"{length} of {whole.Length} bytes");
        }
    }
}
