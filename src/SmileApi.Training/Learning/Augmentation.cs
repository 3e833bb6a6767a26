using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>Shows a face as another photograph or another face finder might have: moved, turned, mirrored, lit, hidden in part, blurred, noisy, small.</summary>
internal sealed class Augmentation(TrainOptions options, Normalisation normalisation)
{
    private static readonly Normalisation Levels = new(0, 1);

    /// <summary>Makes one training crop; with every range at zero it is exactly <see cref="Face.Crop"/>.</summary>
    /// <param name="face">Its picture's real surroundings fill what the moved square uncovers.</param>
    /// <param name="random">The only source of chance.</param>
    /// <param name="crop">Row-major, shape <c>[100, 100]</c>, normalised; written in full.</param>
    public void Apply(Face face, ref SplitMix random, Span<float> crop)
    {
        Place(face, ref random, crop);
        if (random.Uniform() < options.MirrorShare)
        {
            CropEffects.Mirror(crop);
        }

        Hide(ref random, crop);
        Light(ref random, crop);
        if (random.Uniform() < options.BlurShare)
        {
            CropEffects.Blur(crop, random.Uniform(0, options.MaxBlur));
        }

        if (random.Uniform() < options.NoiseShare)
        {
            CropEffects.Noise(crop, random.Uniform(0, options.MaxNoise), ref random);
        }

        Store(ref random, crop);
        foreach (ref var level in crop)
        {
            level = (Math.Clamp(level, 0, 255) - normalisation.Mean) / normalisation.Deviation;
        }
    }

    /// <summary>Cuts the square out of the picture, moved, scaled, turned, stretched and seen from another side.</summary>
    private void Place(Face face, ref SplitMix random, Span<float> crop)
    {
        var scale = Math.Exp(random.Uniform(Math.Log(options.MinScale), Math.Log(options.MaxScale)));
        var (shiftX, shiftY) = (random.Uniform(-1, 1) * options.Shift, random.Uniform(-1, 1) * options.Shift);
        var roll = random.Uniform(-1, 1) * options.RollDegrees * Math.PI / 180;
        var stretch = Math.Exp(random.Uniform(-1, 1) * Math.Log(1 + options.Stretch));
        var (tiltX, tiltY) = (random.Uniform(-1, 1) * options.Perspective, random.Uniform(-1, 1) * options.Perspective);

        var (side, square) = (face.Square.Side, face.Square);
        if (scale != 1 || options.Shift != 0)
        {
            square = new FaceSquare(
                (float)(square.X + side * (shiftX + (1 - scale) / 2)), (float)(square.Y + side * (shiftY + (1 - scale) / 2)), (float)(side * scale));
        }

        if (roll == 0 && stretch == 1 && tiltX == 0 && tiltY == 0)
        {
            FaceCrop.Resample(face.Image, square, Levels, crop);
            return;
        }

        using var warped = Warp(face, square, roll, stretch, tiltX, tiltY);
        FaceCrop.Resample(warped, square, Levels, crop);
    }

    private void Hide(ref SplitMix random, Span<float> crop)
    {
        if (random.Uniform() >= options.OcclusionShare)
        {
            return;
        }

        var (x, y) = (random.Uniform(0, FaceCrop.Side), random.Uniform(0, FaceCrop.Side));
        var (width, height) = (random.Uniform(0.2, 1) * options.MaxOcclusion, random.Uniform(0.2, 1) * options.MaxOcclusion);
        CropEffects.Occlude(crop, x, y, width * FaceCrop.Side / 2, height * FaceCrop.Side / 2, random.Uniform() < 0.5, (float)random.Uniform(0, 255));
    }

    private void Light(ref SplitMix random, Span<float> crop)
    {
        var contrast = Math.Exp(random.Uniform(-1, 1) * Math.Log(1 + options.Contrast));
        var brightness = random.Uniform(-1, 1) * options.Brightness;
        var gamma = Math.Exp(random.Uniform(-1, 1) * Math.Log(1 + options.Gamma));
        var (across, down) = (random.Uniform(-1, 1) * options.SideLight, random.Uniform(-1, 1) * options.SideLight);
        if (contrast != 1 || brightness != 0 || gamma != 1 || across != 0 || down != 0)
        {
            CropEffects.Light(crop, gamma, contrast, brightness, across, down);
        }
    }

    private void Store(ref SplitMix random, Span<float> crop)
    {
        var small = random.Uniform() < options.SmallShare;
        var jpeg = random.Uniform() < options.JpegShare;
        // Halving the side twice is as likely as halving it once.
        var side = (int)Math.Round(Math.Exp(random.Uniform(Math.Log(options.MinSide), Math.Log(FaceCrop.Side))));
        var quality = (int)random.Uniform(options.MinQuality, 90);
        if (small || jpeg)
        {
            CropEffects.Store(crop, small ? side : FaceCrop.Side, jpeg ? quality : null);
        }
    }

    /// <summary>
    /// Turns, stretches and tilts a picture about the middle of its face; bilinear, its edge continued. Only what the wanted
    /// square needs is computed, the rest is left undefined.
    /// </summary>
    /// <param name="wanted">The square that will be cut from the result.</param>
    /// <param name="roll">Radians.</param>
    /// <param name="stretch">Of the width against the height, above 0.</param>
    /// <param name="tiltX">How much nearer the right edge of the face is than its middle, as a share of the distance.</param>
    /// <param name="tiltY">The same of the bottom.</param>
    public static GreyImage Warp(Face face, FaceSquare wanted, double roll, double stretch, double tiltX, double tiltY)
    {
        const int Reach = 4; // Further than the resampling filter reads beyond its square.
        var image = face.Image;
        var warped = new GreyImage(image.Width, image.Height, image.Reduction, image.OriginalWidth, image.OriginalHeight, image.Format);
        var from = image.Pixels;
        var to = warped.Pixels;
        var (width, height) = (image.Width, image.Height);
        var (x0, x1) = (Math.Clamp((int)wanted.X - Reach, 0, width - 1), Math.Clamp((int)(wanted.X + wanted.Side) + Reach, 0, width - 1));
        var (y0, y1) = (Math.Clamp((int)wanted.Y - Reach, 0, height - 1), Math.Clamp((int)(wanted.Y + wanted.Side) + Reach, 0, height - 1));

        var half = face.Square.Side / 2;
        var (centreX, centreY) = (face.Square.X + half - 0.5f, face.Square.Y + half - 0.5f);
        var root = Math.Sqrt(stretch);
        var (xx, xy) = ((float)(Math.Cos(roll) * root), (float)(-Math.Sin(roll) / root));
        var (yx, yy) = ((float)(Math.Sin(roll) * root), (float)(Math.Cos(roll) / root));
        for (var y = y0; y <= y1; y++)
        {
            var down = y - centreY;
            for (var x = x0; x <= x1; x++)
            {
                var across = x - centreX;
                // Never near zero: tilts are small and a picture is not many faces wide.
                var near = 1 / Math.Max(0.3f, 1 + (float)(tiltX / half) * across + (float)(tiltY / half) * down);
                var column = Math.Clamp(centreX + (across * xx + down * xy) * near, 0, width - 1);
                var row = Math.Clamp(centreY + (across * yx + down * yy) * near, 0, height - 1);
                var (left, top) = (Math.Min((int)column, width - 2), Math.Min((int)row, height - 2));
                var (right, below) = (column - left, row - top);
                var corner = top * width + left;
                var upper = from[corner] + (from[corner + 1] - from[corner]) * right;
                var lower = from[corner + width] + (from[corner + width + 1] - from[corner + width]) * right;
                to[y * width + x] = (byte)(upper + (lower - upper) * below + 0.5f);
            }
        }

        return warped;
    }
}
