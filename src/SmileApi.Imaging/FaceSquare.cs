namespace SmileApi.Imaging;

/// <summary>
/// A square in a picture, in pixels; (0, 0) is the outer corner of the first pixel. It may reach beyond the picture.
/// Two conventions are in use: the network's <em>crop</em>, tight from the brow to below the lower lip, and the <em>box</em>
/// that a person would draw round the face.
/// </summary>
/// <param name="X">Left edge.</param>
/// <param name="Y">Upper edge.</param>
/// <param name="Side">Side length, above 0.</param>
public readonly record struct FaceSquare(float X, float Y, float Side)
{
    /// <summary>How much larger the box is than the crop, about the same centre.</summary>
    public const float BoxScale = 1.4f;

    /// <summary>How far the box's centre lies above the crop's, as a share of the crop's side.</summary>
    public const float BoxRise = 0.05f;

    /// <summary>The largest square in the middle of a picture.</summary>
    public static FaceSquare Centred(int width, int height)
    {
        var side = Math.Min(width, height);
        return new FaceSquare((width - side) / 2f, (height - side) / 2f, side);
    }

    /// <summary>The box that belongs to this crop.</summary>
    public FaceSquare ToBox() =>
        new(X - (BoxScale - 1) / 2 * Side, Y - ((BoxScale - 1) / 2 + BoxRise) * Side, BoxScale * Side);

    /// <summary>The crop that belongs to this box.</summary>
    /// <param name="roll">Radians by which the face is turned clockwise; what is below the box's centre then lies aside, too.</param>
    public FaceSquare ToCrop(float roll = 0)
    {
        var side = Side / BoxScale;
        var (sine, cosine) = MathF.SinCos(roll);
        return new FaceSquare(X + ((BoxScale - 1) / 2 - BoxRise * sine) * side, Y + ((BoxScale - 1) / 2 + BoxRise * cosine) * side, side);
    }

    /// <summary>Intersection over union with another square, 0..1.</summary>
    public float IoU(in FaceSquare other)
    {
        var common = Common(other);
        return common / (Side * Side + other.Side * other.Side - common);
    }

    /// <summary>Area that lies in both squares, in pixels.</summary>
    public float Common(in FaceSquare other)
    {
        var width = Math.Min(X + Side, other.X + other.Side) - Math.Max(X, other.X);
        var height = Math.Min(Y + Side, other.Y + other.Side) - Math.Max(Y, other.Y);
        return Math.Max(0, width) * Math.Max(0, height);
    }

    /// <summary>The same square in a picture whose sides are multiplied by <paramref name="factor"/>.</summary>
    public FaceSquare Scaled(float factor) => new(X * factor, Y * factor, Side * factor);

    /// <summary>The part of the square that lies in a picture, in whole pixels, at least one of them.</summary>
    /// <param name="width">The picture's, in pixels.</param>
    /// <param name="height">The picture's, in pixels.</param>
    public (int X, int Y, int Width, int Height) Clipped(int width, int height)
    {
        var (left, right) = Clip(X, Side, width);
        var (top, bottom) = Clip(Y, Side, height);
        return (left, top, right - left, bottom - top);

        static (int From, int To) Clip(float start, float side, int length)
        {
            var from = Math.Clamp((int)MathF.Round(start), 0, length - 1);
            return (from, Math.Clamp((int)MathF.Round(start + side), from + 1, length));
        }
    }
}
