using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>A rectangle in a picture, in pixels; (0, 0) is the outer corner of the first pixel. It may reach beyond the picture.</summary>
/// <param name="Width">Above 0.</param>
/// <param name="Height">Above 0.</param>
internal readonly record struct Box(float X, float Y, float Width, float Height)
{
    public static Box Of(FaceSquare square) => new(square.X, square.Y, square.Side, square.Side);

    /// <summary>Intersection over union (IoU) with another box: 0 apart to 1 the same.</summary>
    public double Overlap(Box other)
    {
        var width = Math.Min(X + Width, other.X + other.Width) - Math.Max(X, other.X);
        var height = Math.Min(Y + Height, other.Y + other.Height) - Math.Max(Y, other.Y);
        if (width <= 0 || height <= 0)
        {
            return 0;
        }

        var both = (double)width * height;
        return both / ((double)Width * Height + (double)other.Width * other.Height - both);
    }
}
