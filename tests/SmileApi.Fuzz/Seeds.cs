using System.Text;
using SmileApi.Tests.Pictures;

namespace SmileApi.Fuzz;

/// <summary>Where the fuzzer starts from: small files of every kind, made in code.</summary>
internal static class Seeds
{
    private const int MostBytes = 2000; // A fuzzer spends its time on what it can change.

    public static IReadOnlyList<byte[]> Of(string target) => target == "picture" ? [.. Pictures().Where(bytes => bytes.Length is > 0 and <= MostBytes)] : [.. Uploads()];

    private static IEnumerable<byte[]> Pictures() =>
    [
        .. Hostile.All.Select(hostile => hostile.Bytes),
        Make.Jpeg(16, 16, seed: 1),
        Make.WithExifOrientation(Make.Jpeg(16, 16, seed: 1), 6),
        Make.WithExifOrientation(Make.Jpeg(16, 16, seed: 1), 8, littleEndian: false),
        Make.ProgressiveJpeg(16, 16, seed: 1),
        new JpegWriter(16, 16, Make.YCbCr(Make.Scene(1), 2, 1)) { Interleaved = false, RestartInterval = 1 }.Encode(),
        Make.JpegFromGrey(new byte[256], 16, 16),
        Make.CmykJpeg(8, 8, seed: 1),
        Make.Png(8, 8, seed: 1),
        new PngWriter(8, 8, PngColour.Rgba, 16, (x, y, _) => x * y) { Interlaced = true, Extra = PngWriter.Chunk("eXIf", Make.ExifTiff(6, true)) }.Encode(),
        new PngWriter(8, 8, PngColour.Palette, 4, (x, y, _) => x + y & 15) { Palette = Make.Noise(48, seed: 1), Transparency = [9] }.Encode(),
        Make.WebP(8, 8, seed: 1),
        Make.WebP(8, 8, seed: 1, lossless: true),
        Make.AnimatedWebP(8, 8, seed: 1, nextSeed: 2),
        Riff.File(Riff.Extended(0x08, 8, 8), Riff.PictureChunks(Make.WebP(8, 8, seed: 1)), Riff.Chunk("EXIF", Make.ExifTiff(6, false))),
    ];

    private static IEnumerable<byte[]> Uploads()
    {
        const string Part = "Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n";
        string[] texts =
        [
            "\nimage/png\n picture",
            "faces=whole&threshold=0.5&confidence=0.9&minFace=40&limit=7\napplication/octet-stream\n picture",
            "threshold=NaN&limit=0\nimage/jpeg\n\u0001picture",
            $"faces=detect\nmultipart/form-data; boundary=b\n --b\r\n{Part}picture\r\n--b--\r\n",
            $"\nmultipart/form-data; boundary=\"a b\"\n\u0003--a b\r\nContent-Disposition: form-data; name=comment\r\n\r\nhello\r\n--a b\r\n{Part}picture\r\n--a b--\r\n",
            $"\nmultipart/form-data; boundary=b\n\u0001--b\r\n{Part}cut",
            "\nmultipart/form-data\n none",
            "\napplication/json\n {\"image\":\"cGljdHVyZQ==\"}",
            "\napplication/json; charset=utf-8\n\u0001{\"comment\":[1,{\"image\":2}],\"image\":\"data:image/png;base64,cGljdHVyZQ==\"}",
            "\napplication/json\n {\"image\":\"\\u0063GljdHVyZQ==\"} ",
            "\napplication/json\n {\"image\":\"\\ud800\"}",
            "\napplication/json\n {\"image\":null}",
            "\napplication/json\n [",
        ];
        return texts.Select(Encoding.Latin1.GetBytes);
    }
}
