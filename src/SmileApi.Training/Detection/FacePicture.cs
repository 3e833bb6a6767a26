using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>A picture of a face at its own size and at halves of it, so that a small copy can be drawn without aliasing.</summary>
internal sealed class FacePicture
{
    private const int LeastSide = 12;

    private readonly List<(byte[] Pixels, int Width, int Height)> _levels = [];
    private readonly FaceSquare _crop;

    /// <param name="image">Not kept after the call.</param>
    /// <param name="crop">The tight square of the face, in pixels of the picture.</param>
    public FacePicture(GreyImage image, FaceSquare crop)
    {
        _crop = crop;
        var level = (Pixels: image.Pixels.ToArray(), image.Width, image.Height);
        _levels.Add(level);
        while (Math.Min(level.Width, level.Height) >= 2 * LeastSide)
        {
            level = Halved(level);
            _levels.Add(level);
        }
    }

    /// <summary>The pictures of faces in a data folder: of the people of a split, and with <c>train</c> the faces from the web.</summary>
    /// <exception cref="CommandException">An archive is missing, or a picture cannot be read.</exception>
    public static IReadOnlyList<FacePicture> Load(string folder, string split)
    {
        var pictures = new List<FacePicture>();
        foreach (var (row, bytes) in Lfw160.Open(folder).Files(row => row.Split == split))
        {
            var face = Lfw160.Face(row, bytes, target: 0);
            using (face.Image)
            {
                pictures.Add(new FacePicture(face.Image, face.Square));
            }
        }

        if (split == "train" && Faces36.IsIn(folder))
        {
            foreach (var (name, bytes) in Faces36.Files(folder))
            {
                var face = Faces36.Face(name, bytes, target: 0);
                using (face.Image)
                {
                    pictures.Add(new FacePicture(face.Image, face.Square));
                }
            }
        }

        return pictures.Count > 0 ? pictures : throw new CommandException($"{Path.Combine(folder, Lfw160.ArchiveName)} has no faces in its split '{split}'.");
    }

    /// <summary>A view of the picture for drawing at a given size.</summary>
    /// <param name="cropSide">Side of the crop as it will be drawn, in pixels.</param>
    public Sampler For(float cropSide)
    {
        // One level too fine aliases a little and one too coarse blurs a little, as cameras and resamplers do; halfway between.
        var level = Math.Clamp((int)Math.Floor(Math.Log2(_crop.Side / cropSide) + 0.4), 0, _levels.Count - 1);
        var (pixels, width, height) = _levels[level];
        var scale = 1f / (1 << level);
        return new Sampler(pixels, width, height, (_crop.X + _crop.Side / 2) * scale - 0.5f, (_crop.Y + _crop.Side / 2) * scale - 0.5f, _crop.Side * scale);
    }

    private static (byte[] Pixels, int Width, int Height) Halved((byte[] Pixels, int Width, int Height) from)
    {
        var (width, height) = (from.Width / 2, from.Height / 2);
        var pixels = new byte[width * height];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var at = 2 * y * from.Width + 2 * x;
                pixels[y * width + x] = (byte)((from.Pixels[at] + from.Pixels[at + 1] + from.Pixels[at + from.Width] + from.Pixels[at + from.Width + 1] + 2) / 4);
            }
        }

        return (pixels, width, height);
    }

    /// <summary>Reads grey levels at places given in crops from the crop's centre: (0.5, 0.5) is its lower right corner.</summary>
    public readonly struct Sampler(byte[] pixels, int width, int height, float centreX, float centreY, float side)
    {
        /// <summary>Bilinear; what lies outside continues the edge.</summary>
        public float At(float u, float v)
        {
            var x = Math.Clamp(centreX + u * side, 0, width - 1.001f);
            var y = Math.Clamp(centreY + v * side, 0, height - 1.001f);
            var (left, top) = ((int)x, (int)y);
            var (right, below) = (x - left, y - top);
            var at = top * width + left;
            var upper = pixels[at] + (pixels[at + 1] - pixels[at]) * right;
            var lower = pixels[at + width] + (pixels[at + width + 1] - pixels[at + width]) * right;
            return upper + (lower - upper) * below;
        }
    }
}
