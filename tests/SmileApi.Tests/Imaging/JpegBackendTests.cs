using SkiaSharp;
using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

/// <summary>Both JPEG decoders see the same picture, and one bad picture harms no other.</summary>
public sealed class JpegBackendTests
{
    private readonly int[] _wrong = new int[8];
    private readonly bool[] _finished = new bool[8];

    [Fact]
    public void A_decoder_says_what_reads_JPEG()
    {
        Assert.Equal("SkiaSharp", new ImageDecoder(new ImageLimits(), useTurboJpeg: false).JpegBackend);
        Assert.Equal(TurboJpeg.IsAvailable ? "libturbojpeg" : "SkiaSharp", new ImageDecoder(new ImageLimits()).JpegBackend);
    }

    [Fact]
    public void Both_backends_see_the_same_in_photograph_like_pictures()
    {
        Assert.SkipUnless(TurboJpeg.IsAvailable, Decoded.NoTurboJpeg);
        for (var seed = 0; seed < 8; seed++)
        {
            foreach (var (width, height) in new[] { (160, 160), (333, 251) })
            {
                foreach (var downsample in new[] { SKJpegEncoderDownsample.Downsample420, SKJpegEncoderDownsample.Downsample444 })
                {
                    var jpeg = Make.Jpeg(Make.Rgba(width, height, seed), width, height, 60 + 5 * seed, downsample);
                    foreach (var minimumSide in new[] { Decoded.FullSize, 100, 50, 25 })
                    {
                        var skia = Decoded.From(jpeg, JpegBackend.SkiaSharp, minimumSide);
                        var turbo = Decoded.From(jpeg, JpegBackend.LibTurboJpeg, minimumSide);

                        Assert.Equal((skia.Width, skia.Height, skia.Reduction), (turbo.Width, turbo.Height, turbo.Reduction));
                        turbo.IsWithin(4, [.. skia.Grey.Select(level => (double)level)], mean: 1);
                    }
                }
            }
        }
    }

    [Fact]
    public void Grey_pictures_come_out_alike()
    {
        Assert.SkipUnless(TurboJpeg.IsAvailable, Decoded.NoTurboJpeg);
        var jpeg = Make.JpegFromGrey(Make.Noise(90 * 70, seed: 1), 90, 70);
        foreach (var minimumSide in new[] { Decoded.FullSize, 35, 17, 8 })
        {
            Decoded.From(jpeg, JpegBackend.LibTurboJpeg, minimumSide)
                .IsWithin(1, [.. Decoded.From(jpeg, JpegBackend.SkiaSharp, minimumSide).Grey.Select(level => (double)level)]);
        }
    }

    [Fact]
    public void Real_faces_come_out_alike()
    {
        Assert.SkipUnless(TurboJpeg.IsAvailable, Decoded.NoTurboJpeg);
        Assert.SkipUnless(RealFaces.AreHere, RealFaces.Missing);
        var faces = 0;
        foreach (var (_, bytes) in RealFaces.Take(500))
        {
            Decoded.From(bytes, JpegBackend.LibTurboJpeg)
                .IsWithin(1, [.. Decoded.From(bytes, JpegBackend.SkiaSharp).Grey.Select(level => (double)level)]);
            faces++;
        }

        Assert.Equal(500, faces);
    }

    [Theory]
    [InlineData(JpegBackend.SkiaSharp)]
    [InlineData(JpegBackend.LibTurboJpeg)]
    public void Eight_threads_with_good_and_bad_pictures_each_get_their_own(JpegBackend backend)
    {
        var decoder = Decoded.Decoder(backend);
        var good = Enumerable.Range(0, 8).Select(seed => Make.Jpeg(64 + 8 * seed, 48, seed)).ToArray();
        var expected = good.Select(bytes => Decoded.From(decoder, bytes).Grey).ToArray();
        var damaged = Make.Jpeg(64, 48, seed: 9);
        Make.Noise(40, seed: 1).CopyTo(damaged, Make.FirstScan(damaged) + 60);
        byte[][] bad = [damaged, Make.Truncated(good[0]), Make.Truncated(Make.ProgressiveJpeg(64, 48, 1), 0.9), [0xFF, 0xD8, 0xFF, 0xD9]];

        var threads = Enumerable.Range(0, 8).Select(own => new Thread(() =>
        {
            for (var round = 0; round < 40; round++)
            {
                if (decoder.TryDecode(bad[(own + round) % bad.Length], Decoded.FullSize, out var image, out _))
                {
                    image.Dispose();
                }

                if (!decoder.TryDecode(good[own], Decoded.FullSize, out image, out _))
                {
                    _wrong[own]++;
                    continue;
                }

                _wrong[own] += image.Pixels.SequenceEqual(expected[own]) ? 0 : 1;
                image.Dispose();
            }

            _finished[own] = true;
        })).ToArray();
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());

        Assert.All(_finished, Assert.True);
        Assert.All(_wrong, count => Assert.Equal(0, count));
    }
}
