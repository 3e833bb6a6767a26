using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>Shows a face as another photograph or another face finder might have: moved, turned, mirrored, lit, blurred, noisy.</summary>
internal sealed class Augmentation(TrainOptions options, Normalisation normalisation)
{
    /// <summary>Makes one training crop; with every range at zero it is exactly <see cref="Face.Crop"/>.</summary>
    /// <param name="face">Its picture's real surroundings fill what the moved square uncovers.</param>
    /// <param name="random">The only source of chance.</param>
    /// <param name="crop">Row-major, shape <c>[100, 100]</c>, normalised; written in full.</param>
    public void Apply(Face face, ref SplitMix random, Span<float> crop)
    {
        var scale = Math.Exp(random.Uniform(Math.Log(options.MinScale), Math.Log(options.MaxScale)));
        var (shiftX, shiftY) = (random.Uniform(-1, 1) * options.Shift, random.Uniform(-1, 1) * options.Shift);
        var roll = random.Uniform(-1, 1) * options.RollDegrees * Math.PI / 180;
        var mirror = random.Uniform() < options.MirrorShare;
        var gain = (float)Math.Exp(random.Uniform(-1, 1) * Math.Log(1 + options.Contrast));
        var light = (float)(random.Uniform(-1, 1) * options.Brightness / normalisation.Deviation);
        var blur = random.Uniform() < options.BlurShare ? random.Uniform(0, options.MaxBlur) : 0;
        var noise = random.Uniform() < options.NoiseShare ? random.Uniform(0, options.MaxNoise) / normalisation.Deviation : 0;

        var (side, square) = (face.Square.Side, face.Square);
        var moved = new FaceSquare(
            (float)(square.X + side * (shiftX + (1 - scale) / 2)), (float)(square.Y + side * (shiftY + (1 - scale) / 2)), (float)(side * scale));
        if (roll == 0)
        {
            FaceCrop.Resample(face.Image, scale == 1 && options.Shift == 0 ? square : moved, normalisation, crop);
        }
        else
        {
            using var turned = Turn(face.Image, square.X + side / 2, square.Y + side / 2, roll);
            FaceCrop.Resample(turned, moved, normalisation, crop);
        }

        if (mirror)
        {
            for (var y = 0; y < FaceCrop.Side; y++)
            {
                crop.Slice(y * FaceCrop.Side, FaceCrop.Side).Reverse();
            }
        }

        if (gain != 1 || light != 0)
        {
            var (black, white) = ((0 - normalisation.Mean) / normalisation.Deviation, (255 - normalisation.Mean) / normalisation.Deviation);
            foreach (ref var level in crop)
            {
                level = Math.Clamp(level * gain + light, black, white);
            }
        }

        if (blur > 0.3) // Less does not reach the neighbouring pixel.
        {
            Blur(crop, blur);
        }

        if (noise > 0)
        {
            foreach (ref var level in crop)
            {
                // The sum of three uniform numbers is normal enough, and five times cheaper.
                level += (float)(noise * 2 * (random.Uniform() + random.Uniform() + random.Uniform() - 1.5));
            }
        }
    }

    /// <summary>Turns a picture about a point; bilinear, its edge continued.</summary>
    private static GreyImage Turn(GreyImage image, double centreX, double centreY, double angle)
    {
        var turned = new GreyImage(image.Width, image.Height, image.Reduction, image.OriginalWidth, image.OriginalHeight, image.Format);
        var from = image.Pixels;
        var to = turned.Pixels;
        var (width, height) = (image.Width, image.Height);
        var (sine, cosine) = ((float)Math.Sin(angle), (float)Math.Cos(angle));
        var (centreColumn, centreRow) = ((float)centreX - 0.5f, (float)centreY - 0.5f);
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var column = Math.Clamp(centreColumn + (x - centreColumn) * cosine - (y - centreRow) * sine, 0, width - 1);
                var row = Math.Clamp(centreRow + (x - centreColumn) * sine + (y - centreRow) * cosine, 0, height - 1);
                var (left, top) = (Math.Min((int)column, width - 2), Math.Min((int)row, height - 2));
                var (right, down) = (column - left, row - top);
                var corner = top * width + left;
                var upper = from[corner] + (from[corner + 1] - from[corner]) * right;
                var lower = from[corner + width] + (from[corner + width + 1] - from[corner + width]) * right;
                to[y * width + x] = (byte)(upper + (lower - upper) * down + 0.5f);
            }
        }

        return turned;
    }

    /// <summary>Gaussian blur along rows and columns, its deviation in pixels of the crop.</summary>
    internal static void Blur(Span<float> crop, double deviation)
    {
        var radius = (int)Math.Ceiling(2.5 * deviation);
        Span<float> kernel = stackalloc float[2 * radius + 1];
        var sum = 0f;
        for (var i = -radius; i <= radius; i++)
        {
            sum += kernel[radius + i] = (float)Math.Exp(-i * i / (2 * deviation * deviation));
        }

        Span<float> line = stackalloc float[FaceCrop.Side];
        foreach (var (step, stride) in new[] { (1, FaceCrop.Side), (FaceCrop.Side, 1) })
        {
            for (var i = 0; i < FaceCrop.Side; i++)
            {
                for (var j = 0; j < FaceCrop.Side; j++)
                {
                    line[j] = crop[i * stride + j * step];
                }

                for (var j = 0; j < FaceCrop.Side; j++)
                {
                    var level = 0f;
                    for (var tap = -radius; tap <= radius; tap++)
                    {
                        level += kernel[radius + tap] * line[Math.Clamp(j + tap, 0, FaceCrop.Side - 1)];
                    }

                    crop[i * stride + j * step] = level / sum;
                }
            }
        }
    }
}
