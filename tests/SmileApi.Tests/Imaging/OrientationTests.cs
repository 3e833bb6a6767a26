using SmileApi.Tests.Pictures;

namespace SmileApi.Tests.Imaging;

public sealed class OrientationTests
{
    private const int Width = 45;
    private const int Height = 30;

    public static TheoryData<int, bool> Turns => [.. from turn in Enumerable.Range(1, 8) from little in new[] { true, false } select (turn, little)];

    [Theory]
    [MemberData(nameof(Turns))]
    public void A_JPEG_is_turned_upright(int orientation, bool littleEndian)
    {
        var stored = Make.Jpeg(Width, Height, seed: 1);
        var marked = Make.WithExifOrientation(stored, orientation, littleEndian);
        foreach (var backend in Decoded.Backends)
        {
            IsUpright(Decoded.From(stored, backend), Decoded.From(marked, backend), orientation);
        }
    }

    [Theory]
    [MemberData(nameof(Turns))]
    public void A_PNG_is_turned_upright(int orientation, bool littleEndian)
    {
        var scene = Make.Scene(2);
        var stored = new PngWriter(Width, Height, PngColour.Rgb, 8, (x, y, channel) => (int)scene(x, y, channel));
        var marked = stored with { Extra = PngWriter.Chunk("eXIf", Make.ExifTiff(orientation, littleEndian)) };

        IsUpright(Decoded.From(stored.Encode()), Decoded.From(marked.Encode()), orientation);
    }

    [Theory]
    [MemberData(nameof(Turns))]
    public void A_WebP_is_turned_upright(int orientation, bool littleEndian)
    {
        var stored = Make.WebP(Width, Height, seed: 3);
        var tiff = Make.ExifTiff(orientation, littleEndian);
        foreach (var exif in new byte[][] { tiff, [.. "Exif\0\0"u8, .. tiff] })
        {
            var marked = Riff.File(Riff.Extended(0x08, Width, Height), Riff.PictureChunks(stored), Riff.Chunk("EXIF", exif));
            IsUpright(Decoded.From(stored), Decoded.From(marked), orientation);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void A_reduced_picture_is_turned_upright_too(int reduction)
    {
        var stored = Make.Jpeg(203, 150, seed: 4);
        foreach (var backend in Decoded.Backends)
        {
            var plain = Decoded.From(stored, backend, 150 / reduction);
            var turned = Decoded.From(Make.WithExifOrientation(stored, 6), backend, 150 / reduction);

            Assert.Equal((150, 203, reduction), (turned.OriginalWidth, turned.OriginalHeight, turned.Reduction));
            Assert.Equal(Obvious.Upright(plain.Grey, plain.Width, plain.Height, 6), turned.Grey);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(65535)]
    public void An_unknown_orientation_leaves_the_picture_as_it_is(int orientation)
    {
        var stored = Make.Jpeg(Width, Height, seed: 5);
        foreach (var backend in Decoded.Backends)
        {
            Assert.Equal(Decoded.From(stored, backend).Grey, Decoded.From(Make.WithExifOrientation(stored, orientation), backend).Grey);
        }
    }

    [Fact]
    public void Damaged_EXIF_leaves_the_picture_as_it_is()
    {
        var stored = Make.Jpeg(Width, Height, seed: 6);
        var expected = Decoded.From(stored).Grey;
        byte[] whole = [.. "Exif\0\0"u8, .. Make.ExifTiff(6, littleEndian: true)];

        // Cut before the orientation's value is whole, and a directory that lies anywhere.
        for (var length = 0; length < 40; length++)
        {
            Assert.Equal(expected, Decoded.From(Make.WithSegment(stored, 0xE1, whole[..length])).Grey);
        }

        foreach (var offset in new uint[] { 33, 34, 35, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF })
        {
            byte[] damaged = [.. whole];
            BitConverter.TryWriteBytes(damaged.AsSpan(10), offset);
            Assert.Equal(expected, Decoded.From(Make.WithSegment(stored, 0xE1, damaged)).Grey);
        }
    }

    private static void IsUpright(Decoded stored, Decoded turned, int orientation)
    {
        var (width, height) = orientation >= 5 ? (Height, Width) : (Width, Height);
        Assert.Equal((width, height, width, height), (turned.Width, turned.Height, turned.OriginalWidth, turned.OriginalHeight));
        Assert.Equal(Obvious.Upright(stored.Grey, Width, Height, orientation), turned.Grey);
    }
}
