using SmileApi.Imaging;
using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

public sealed class HostilePictureTests
{
    public static TheoryData<string> Names => [.. Hostile.All.Select(h => h.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void It_is_refused_with_its_reason_or_is_a_picture_all_the_same(string name)
    {
        var hostile = Hostile.All.Single(h => h.Name == name);
        foreach (var backend in Decoded.Backends)
        {
            if (hostile.Problem is null)
            {
                var picture = Decoded.From(Decoded.Decoder(backend), hostile.Bytes);
                Assert.Equal((64, 48), (picture.Width, picture.Height));
                continue;
            }

            var rejection = Decoded.Refusal(Decoded.Decoder(backend), hostile.Bytes, name);

            Assert.Equal(hostile.Problem, rejection.Problem);
            Assert.EndsWith(".", rejection.Detail);
            Assert.InRange(rejection.Detail.Length, 20, 250);
        }
    }

    [Fact]
    public void Cut_off_at_any_boundary_of_its_structure_it_is_truncated()
    {
        var decoder = Decoded.Decoder(JpegBackend.SkiaSharp);
        foreach (var cut in Hostile.CutAtBoundaries())
        {
            Assert.Equal((cut.Name, cut.Problem), (cut.Name, Decoded.Refusal(decoder, cut.Bytes, cut.Name).Problem));
        }
    }

    [Fact]
    public void What_is_too_large_is_refused_before_memory_is_spent()
    {
        var limits = new ImageLimits();
        foreach (var hostile in Hostile.All.Where(h => h.Problem == ImageProblem.TooLarge))
        {
            // The header and the limits alone refuse it: no decoder ever sees it.
            var before = GC.GetAllocatedBytesForCurrentThread();
            var refused = !ImageHeader.TryRead(hostile.Bytes, out var header, out _) || limits.Check(header) is not null;
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

            Assert.True(refused, hostile.Name);
            Assert.InRange(allocated, 0, 16 << 10);
        }
    }

    [Fact]
    public void None_of_them_spoils_the_next_picture()
    {
        foreach (var backend in Decoded.Backends)
        {
            var decoder = Decoded.Decoder(backend);
            var jpeg = Make.Jpeg(64, 48, seed: 3);
            var expected = Decoded.From(decoder, jpeg).Grey;
            foreach (var hostile in Hostile.All)
            {
                if (decoder.TryDecode(hostile.Bytes, Decoded.FullSize, out var image, out _))
                {
                    image.Dispose();
                }

                Assert.Equal(expected, Decoded.From(decoder, jpeg).Grey);
            }
        }
    }

    /// <summary>A JPEG may leave out its tables when the decoder has them already; ours have none of anybody's.</summary>
    [Theory]
    [InlineData(0xDB)] // Quantisation.
    [InlineData(0xC4)] // Huffman codes.
    public void A_picture_without_tables_does_not_get_those_of_the_one_before(byte tables)
    {
        var whole = new JpegWriter(64, 48, Make.YCbCr(Make.Scene(1), 1, 1)).Encode(); // Its codes are no usual ones.
        var without = Hostile.Without(whole, tables);
        foreach (var backend in Decoded.Backends)
        {
            // Without Huffman codes those of the standard's annex K are meant, and SkiaSharp does not mind nonsense.
            var decoder = Decoded.Decoder(backend);
            Assert.Equal(Outcome(decoder, Hostile.Without(Make.Jpeg(64, 48, seed: 1), 0xDB)), ImageProblem.Corrupt.ToString());
            var alone = Outcome(decoder, without);
            for (var i = 0; i < 3; i++)
            {
                Decoded.From(decoder, whole);
                Assert.Equal(alone, Outcome(decoder, without));
            }
        }

        static string Outcome(ImageDecoder decoder, byte[] bytes)
        {
            if (!decoder.TryDecode(bytes, Decoded.FullSize, out var image, out var rejection))
            {
                return rejection.Problem.ToString();
            }

            using (image)
            {
                return Convert.ToHexString(image.Pixels);
            }
        }
    }

    [Fact]
    public void The_claims_are_small_files()
    {
        Assert.InRange(Hostile.ManyPasses(8184, 1, 98).Length, 1, 150_000);
        Assert.Equal(429, Make.PngClaiming(30000, 30000).Length);
        Assert.InRange(Make.ProgressiveJpegClaiming(30000, 30000).Length, 1, 4000);
        Assert.Equal(Hostile.All.Count, Hostile.All.DistinctBy(h => h.Name).Count());
    }
}
