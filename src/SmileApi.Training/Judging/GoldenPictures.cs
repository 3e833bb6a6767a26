namespace SmileApi.Training;

/// <summary>A grey picture made by formula.</summary>
/// <param name="Name">Its key in <c>models/golden.json</c>.</param>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
/// <param name="Pixels">Grey levels 0..255, row-major, shape <c>[Height, Width]</c>.</param>
internal sealed record GoldenPicture(string Name, int Width, int Height, byte[] Pixels);

/// <summary>
/// Pictures that are the same everywhere, to the last bit, and show nobody: only +, -, *, / and comparisons make them. Shared by
/// the trainer, which writes down what it thinks of them, and the service's tests, which compare.
/// </summary>
internal static class GoldenPictures
{
    public static IReadOnlyList<GoldenPicture> All { get; } =
    [
        Make("flat", 100, 100, (_, _) => 128),
        Make("black-to-white", 256, 100, (x, _) => x),
        Make("white-to-black-down", 90, 300, (_, y) => 255 - y * 255 / 299),
        Make("checkers", 128, 128, (x, y) => (x / 16 + y / 16) % 2 * 255),
        Make("rings", 200, 160, (x, y) => ((x - 100) * (x - 100) + (y - 80) * (y - 80)) / 24 % 256),
        Make("noise", 120, 120, (x, y) => (int)(((uint)(y * 120 + x + 1) * 2654435761u) >> 13 & 255)),
        Make("tiny", 9, 7, (x, y) => (x * 37 + y * 91) % 256),
        DrawFace("smiling", 100, 100, mouthCurve: 0.16),
        DrawFace("frowning", 100, 100, mouthCurve: -0.16),
        DrawFace("straight-faced", 160, 160, mouthCurve: 0),
        DrawFace("smiling-small", 37, 53, mouthCurve: 0.2),
        DrawFace("smiling-large", 640, 480, mouthCurve: 0.16),
        DrawFace("frowning-tall", 300, 900, mouthCurve: -0.2),
        DrawFace("smiling-dark", 150, 130, mouthCurve: 0.16, skin: 90, background: 20),
    ];

    /// <summary>A disc with two eyes and a mouth that is a parabola.</summary>
    /// <param name="mouthCurve">How far the mouth's corners are above its middle, as a share of the face's width; negative for a frown.</param>
    /// <param name="skin">Grey level of the face.</param>
    /// <param name="background">Grey level around it.</param>
    /// <param name="centreX">Of the face, as a share of the width.</param>
    /// <param name="centreY">Of the face, as a share of the height.</param>
    public static GoldenPicture DrawFace(
        string name, int width, int height, double mouthCurve, int skin = 190, int background = 60, double centreX = 0.5, double centreY = 0.5)
    {
        double size = width < height ? width : height;
        return Make(name, width, height, (x, y) =>
        {
            // From the face's centre, in units of its width; down is positive.
            var across = (x + 0.5 - centreX * width) / size;
            var down = (y + 0.5 - centreY * height) / size;
            if (across * across + down * down > 0.48 * 0.48)
            {
                return background;
            }

            var fromEye = (across < 0 ? -across : across) - 0.17;
            if (fromEye * fromEye + (down + 0.14) * (down + 0.14) < 0.05 * 0.05)
            {
                return skin / 5;
            }

            var along = across / 0.22; // -1 to 1 between the corners of the mouth.
            var lip = 0.2 + mouthCurve * (0.5 - along * along);
            return along * along < 1 && down > lip - 0.035 && down < lip + 0.035 ? skin / 3 : skin;
        });
    }

    private static GoldenPicture Make(string name, int width, int height, Func<int, int, int> level)
    {
        var pixels = new byte[width * height];
        for (var i = 0; i < pixels.Length; i++)
        {
            pixels[i] = (byte)level(i % width, i / width);
        }

        return new GoldenPicture(name, width, height, pixels);
    }
}
