using SkiaSharp;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>What composed pictures are like. Ranges of faces are sides of boxes, in pixels.</summary>
internal sealed record CompositionOptions
{
    /// <summary>Width of the canvas in pixels.</summary>
    public int Width { get; init; } = 192;

    /// <summary>Height of the canvas in pixels.</summary>
    public int Height { get; init; } = 192;

    /// <summary>Smallest box that is drawn.</summary>
    public double MinBox { get; init; } = 11;

    /// <summary>Largest box of a usual face.</summary>
    public double MaxBox { get; init; } = 48;

    /// <summary>Largest box of all: a share of <see cref="LargeShare"/> lies between <see cref="MaxBox"/> and this.</summary>
    public double LargestBox { get; init; } = 260;

    /// <summary>Share of faces larger than <see cref="MaxBox"/>, 0..1.</summary>
    public double LargeShare { get; init; } = 0.25;

    /// <summary>Fewest faces tried; those that find no room are left out.</summary>
    public int MinFaces { get; init; }

    /// <summary>Most faces.</summary>
    public int MaxFaces { get; init; } = 6;

    /// <summary>Most things that look like faces and are none.</summary>
    public int MaxDistractors { get; init; } = 5;

    /// <summary>Share of pictures on whose background shapes and letters are drawn, 0..1.</summary>
    public double DrawingShare { get; init; } = 0.4;

    /// <summary>Share of faces that the picture's border may cut, 0..1.</summary>
    public double CutShare { get; init; } = 0.1;

    /// <summary>Share of faces over a part of which something is laid, 0..1.</summary>
    public double HiddenShare { get; init; } = 0.12;

    /// <summary>Share of faces that are turned further than people mostly hold their heads, up to 40 degrees, 0..1.</summary>
    public double TurnedShare { get; init; } = 0.4;

    /// <summary>How much pictures are spoilt, 0 not at all to 1.</summary>
    public double Spoiling { get; init; } = 1;
}

/// <summary>A face in a composed picture.</summary>
/// <param name="Box">In pixels of the picture.</param>
/// <param name="Roll">Radians by which it is turned clockwise.</param>
/// <param name="IsClear">False where noise, darkness or a cut leave so little of it that neither finding nor missing it is a mistake.</param>
internal sealed record ComposedFace(FaceSquare Box, float Roll, bool IsClear);

/// <summary>A composed picture and what is in it.</summary>
internal sealed record Composition(GreyImage Image, IReadOnlyList<ComposedFace> Faces) : IDisposable
{
    public void Dispose() => Image.Dispose();
}

/// <summary>
/// Composes pictures to learn finding faces from, or to measure it by: faces blended into scenes without faces, among things that
/// are blended in by the same masks and are no faces, so that the seams betray nothing.
/// </summary>
internal sealed class Composer(IReadOnlyList<FacePicture> faces, IReadOnlyList<GreyImage> scenes, CompositionOptions options)
{
    private const double MaxRoll = 40 * Math.PI / 180;

    // SkiaSharp's own default has no letters here.
    private static readonly SKTypeface? Letters = SystemFont.Find() is { } font ? SKTypeface.FromFile(font.Bold) : null;

    private delegate float Texture(float u, float v);

    /// <summary>Makes one picture.</summary>
    /// <param name="random">The only source of chance.</param>
    /// <returns>The caller's to dispose.</returns>
    public Composition Compose(ref SplitMix random)
    {
        var canvas = new Canvas(options.Width, options.Height);
        PaintBackground(canvas, ref random);
        if (random.Uniform() < options.DrawingShare)
        {
            Draw(canvas, ref random);
        }

        var placed = new List<(FaceSquare Box, float Roll, float Visible)>();
        var distractors = (int)random.Uniform(0, options.MaxDistractors + 1);
        for (var i = 0; i < distractors; i++)
        {
            Distract(canvas, placed, ref random);
        }

        var taken = placed.Count;
        var count = (int)random.Uniform(options.MinFaces, options.MaxFaces + 1);
        for (var i = 0; i < count; i++)
        {
            PlaceFace(placed, ref random);
        }

        // All bodies before all faces: nobody's shoulders cover another's face.
        foreach (var (box, roll, _) in placed[taken..])
        {
            if (random.Uniform() < 0.4)
            {
                AddPerson(canvas, box, roll, ref random);
            }
        }

        foreach (var (box, roll, _) in placed[taken..])
        {
            AddFace(canvas, box, roll, ref random);
        }

        return Finish(canvas, placed[taken..], ref random);
    }

    private void PaintBackground(Canvas canvas, ref SplitMix random)
    {
        if (random.Uniform() < 0.12)
        {
            Backdrop(canvas, ref random);
            return;
        }

        var scene = scenes[(int)random.Uniform(0, scenes.Count)];
        // From the whole scene to a tenth of it, and so that the canvas is covered.
        var most = Math.Min(scene.Width / (double)canvas.Width, scene.Height / (double)canvas.Height);
        var step = most * Math.Exp(random.Uniform(Math.Log(0.25), 0));
        var (left, top) = (random.Uniform(0, scene.Width - step * canvas.Width), random.Uniform(0, scene.Height - step * canvas.Height));
        var side = Math.Max(canvas.Width, canvas.Height);
        var mirrored = random.Uniform() < 0.5;
        var levels = new float[side * side];
        FaceCrop.Resample(scene, new FaceSquare((float)left, (float)top, (float)(step * side)), new Normalisation(0, 1), levels, side);
        // There are few scenes; upside down they are as good a world without faces.
        var inverted = random.Uniform() < 0.25;
        for (var y = 0; y < canvas.Height; y++)
        {
            var row = levels.AsSpan((inverted ? canvas.Height - 1 - y : y) * side, canvas.Width);
            if (mirrored)
            {
                row.Reverse();
            }

            row.CopyTo(canvas.Row(y));
        }
    }

    /// <summary>A wall, a curtain, a studio's backdrop: smooth shades, or noise of one grain.</summary>
    private static void Backdrop(Canvas canvas, ref SplitMix random)
    {
        var (level, across, down) = (random.Uniform(0, 255), random.Uniform(-80, 80), random.Uniform(-80, 80));
        var (grain, strength) = (random.Uniform(2, 40), random.Uniform() < 0.5 ? 0 : random.Uniform(0, 50));
        var noise = new SmoothNoise(ref random);
        for (var y = 0; y < canvas.Height; y++)
        {
            var row = canvas.Row(y);
            for (var x = 0; x < row.Length; x++)
            {
                row[x] = (float)(level + across * (x / (double)canvas.Width - 0.5) + down * (y / (double)canvas.Height - 0.5)
                    + (strength > 0 ? strength * noise.At((float)(x / grain), (float)(y / grain)) : 0));
            }
        }
    }

    /// <summary>Letters, lines, circles and boxes, such as posters, shirts and frames have.</summary>
    private static void Draw(Canvas canvas, ref SplitMix random)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(canvas.Width, canvas.Height, SKColorType.Rgba8888, SKAlphaType.Premul));
        using var drawing = new SKCanvas(bitmap);
        drawing.Clear(SKColors.Transparent);
        var count = (int)random.Uniform(1, 8);
        for (var i = 0; i < count; i++)
        {
            var grey = (byte)random.Uniform(0, 256);
            using var paint = new SKPaint
            {
                Color = new SKColor(grey, grey, grey, (byte)random.Uniform(100, 256)),
                IsAntialias = true,
                Style = random.Uniform() < 0.5 ? SKPaintStyle.Fill : SKPaintStyle.Stroke,
                StrokeWidth = (float)random.Uniform(0.7, 5),
            };
            var (x, y) = ((float)random.Uniform(0, canvas.Width), (float)random.Uniform(0, canvas.Height));
            var size = (float)Math.Exp(random.Uniform(Math.Log(5), Math.Log(80)));
            switch ((int)random.Uniform(0, Letters is null ? 5 : 9))
            {
                case 0:
                    drawing.DrawCircle(x, y, size / 2, paint);
                    break;
                case 1:
                    drawing.DrawOval(x, y, size / 2, size * (float)random.Uniform(0.3, 0.8), paint);
                    break;
                case 2:
                    drawing.DrawRect(x, y, size, size * (float)random.Uniform(0.2, 3), paint);
                    break;
                case 3:
                    drawing.DrawLine(x, y, x + (float)random.Uniform(-2, 2) * size, y + (float)random.Uniform(-2, 2) * size, paint);
                    break;
                case 4:
                    DrawWheel(drawing, x, y, size, paint, ref random);
                    break;
                case 5:
                    // A page, a sign, a newspaper.
                    using (var font = new SKFont(Letters, size / 4 + 4))
                    {
                        var (lines, length) = ((int)random.Uniform(3, 12), (int)random.Uniform(8, 40));
                        for (var line = 0; line < lines; line++)
                        {
                            drawing.DrawText(Words(length, ref random), x - size, y + line * font.Size * 1.2f, SKTextAlign.Left, font, paint);
                        }
                    }

                    break;
                default:
                    using (var font = new SKFont(Letters, size))
                    {
                        drawing.DrawText(Words((int)random.Uniform(1, 12), ref random), x - size, y, SKTextAlign.Left, font, paint);
                    }

                    break;
            }
        }

        drawing.Flush();
        var pixels = bitmap.GetPixelSpan();
        for (var y = 0; y < canvas.Height; y++)
        {
            var row = canvas.Row(y);
            for (var x = 0; x < row.Length; x++)
            {
                var at = y * bitmap.RowBytes + 4 * x;
                var alpha = pixels[at + 3];
                if (alpha > 0)
                {
                    row[x] = pixels[at] + row[x] * (1 - alpha / 255f);
                }
            }
        }
    }

    /// <summary>A wheel, a dial, a clock, a plate, a flower: round and full of detail, as faces are.</summary>
    private static void DrawWheel(SKCanvas drawing, float x, float y, float size, SKPaint paint, ref SplitMix random)
    {
        using var other = paint.Clone();
        var level = (byte)random.Uniform(0, 256);
        other.Color = new SKColor(level, level, level, paint.Color.Alpha);
        (paint.Style, other.Style) = (SKPaintStyle.Fill, SKPaintStyle.Stroke);
        drawing.DrawCircle(x, y, size / 2, paint);
        var rings = (int)random.Uniform(0, 4);
        for (var ring = 0; ring < rings; ring++)
        {
            drawing.DrawCircle(x, y, size / 2 * (float)random.Uniform(0.15, 1), other);
        }

        var (spokes, turn) = ((int)random.Uniform(3, 16), random.Uniform(0, Math.PI));
        var (from, to) = (size / 2 * (float)random.Uniform(0, 0.8), size / 2 * (float)random.Uniform(0.7, 1));
        for (var spoke = 0; spoke < spokes; spoke++)
        {
            var (sin, cos) = Math.SinCos(turn + 2 * Math.PI * spoke / spokes);
            drawing.DrawLine(x + from * (float)cos, y + from * (float)sin, x + to * (float)cos, y + to * (float)sin, other);
        }
    }

    private static string Words(int length, ref SplitMix random)
    {
        var letters = new char[length];
        for (var i = 0; i < length; i++)
        {
            letters[i] = i > 2 && random.Uniform() < 0.15 ? ' ' : (char)random.Uniform('!', '~' + 1);
        }

        return new string(letters);
    }

    private double DrawBox(ref SplitMix random)
    {
        var large = random.Uniform() < options.LargeShare;
        var most = Math.Min(options.LargestBox, 1.6 * Math.Min(options.Width, options.Height));
        var (from, to) = large ? (Math.Min(options.MaxBox, most), most) : (options.MinBox, Math.Min(options.MaxBox, most));
        return Math.Exp(random.Uniform(Math.Log(from), Math.Log(to)));
    }

    /// <summary>A place for a box, or null when there is none that leaves the others alone.</summary>
    private FaceSquare? FindRoom(double side, bool mayBeCut, List<(FaceSquare Box, float Roll, float Visible)> placed, ref SplitMix random)
    {
        for (var attempt = 0; attempt < 12; attempt++)
        {
            // Of a face that is cut the middle stays inside; one larger than the picture is cut in any case.
            var inset = mayBeCut ? 0.05 : 0.42;
            var (insetX, insetY) = (Math.Min(inset * side, options.Width / 2.0 - 1), Math.Min(inset * side, options.Height / 2.0 - 1));
            var (x, y) = (random.Uniform(insetX, options.Width - insetX), random.Uniform(insetY, options.Height - insetY));
            var box = new FaceSquare((float)(x - side / 2), (float)(y - side / 2), (float)side);
            if (placed.TrueForAll(other => Overlap(box, other.Box) < 0.12 * Math.Min(box.Side * box.Side, other.Box.Side * other.Box.Side)))
            {
                return box;
            }
        }

        return null;
    }

    private void PlaceFace(List<(FaceSquare Box, float Roll, float Visible)> placed, ref SplitMix random)
    {
        if (FindRoom(DrawBox(ref random), random.Uniform() < options.CutShare, placed, ref random) is { } box)
        {
            // Mostly as people hold their heads, seldom further.
            var roll = (float)Math.Clamp(random.Normal() * (random.Uniform() < 1 - options.TurnedShare ? 6 : 20) * Math.PI / 180, -MaxRoll, MaxRoll);
            var inside = Overlap(box, new FaceSquare(0, 0, 1), options.Width, options.Height) / (box.Side * box.Side);
            placed.Add((box, roll, (float)inside));
        }
    }

    private void AddFace(Canvas canvas, FaceSquare box, float roll, ref SplitMix random)
    {
        var picture = faces[(int)random.Uniform(0, faces.Count)];
        var crop = box.ToCrop();
        var sampler = picture.For(crop.Side);
        var sign = random.Uniform() < 0.5 ? -1f : 1f;
        var stretch = (float)Math.Exp(random.Uniform(-0.1, 0.1));
        Paste(canvas, box, roll, Mask.OfFace(ref random), Tone.Of(options.Spoiling, ref random), (u, v) => sampler.At(sign * u * stretch, v / stretch), ref random);
        if (random.Uniform() < options.HiddenShare)
        {
            Hide(canvas, crop, ref random);
        }
    }

    /// <summary>Roughly what surrounds a face: shoulders below and hair behind, of some tone and grain.</summary>
    private void AddPerson(Canvas canvas, FaceSquare box, float roll, ref SplitMix random)
    {
        if (random.Uniform() < 0.8)
        {
            var drop = (float)random.Uniform(1.0, 1.4) * box.Side;
            var shoulders = new Mask((float)random.Uniform(0.8, 1.5), (float)random.Uniform(0.7, 1), 2, (float)random.Uniform(2, 6), (float)random.Uniform(0.02, 0.15));
            Paste(canvas, box with { Y = box.Y + drop }, roll: 0, shoulders, Tone.Of(options.Spoiling, ref random), Cloth(ref random), ref random);
        }

        if (random.Uniform() < 0.6)
        {
            var hair = new Mask((float)random.Uniform(0.65, 0.95), (float)random.Uniform(0.75, 1.05), (float)random.Uniform(0.1, 1.1), (float)random.Uniform(2, 3.5), (float)random.Uniform(0.02, 0.2));
            Paste(canvas, box, roll, hair, Tone.Of(options.Spoiling, ref random), Cloth(ref random), ref random);
        }
    }

    /// <summary>One tone and some grain, stripes, checks, or a piece of a scene, as leaves, bricks and fur are as good as printed cotton.</summary>
    private Texture Cloth(ref SplitMix random)
    {
        var (grain, level, strength) = ((float)random.Uniform(1, 12), (float)random.Uniform(0, 255), (float)random.Uniform(0, 40));
        switch ((int)random.Uniform(0, 4))
        {
            case 0:
                var (across, down) = ((float)random.Uniform(-25, 25), (float)random.Uniform(-25, 25));
                return (u, v) => level + 2 * strength * MathF.Sign(MathF.Sin(u * across + v * down));
            case 1:
                var (columns, rows) = ((float)random.Uniform(4, 25), (float)random.Uniform(4, 25));
                return (u, v) => level + strength * (MathF.Sign(MathF.Sin(u * columns)) + MathF.Sign(MathF.Sin(v * rows)));
            case 2:
                return SceneTexture(80, ref random);
            default:
                var noise = new SmoothNoise(ref random);
                return (u, v) => level + strength * noise.At((u + 3) * grain, (v + 3) * grain);
        }
    }

    /// <summary>A piece of a scene that covers two crops, at any scale from about its own to the whole of it.</summary>
    /// <param name="cropSide">Side of the crop as it will be drawn, in pixels.</param>
    private Texture SceneTexture(float cropSide, ref SplitMix random)
    {
        var scene = scenes[(int)random.Uniform(0, scenes.Count)];
        var step = (float)Math.Exp(random.Uniform(Math.Log(0.7), Math.Log(Math.Max(0.8, Math.Min(scene.Width, scene.Height) / (2.2 * cropSide)))));
        var patch = new float[64 * 64];
        var side = step * 2 * cropSide;
        var (x, y) = ((float)random.Uniform(0, Math.Max(1, scene.Width - side)), (float)random.Uniform(0, Math.Max(1, scene.Height - side)));
        FaceCrop.Resample(scene, new FaceSquare(x, y, side), new Normalisation(0, 1), patch, 64);
        return (u, v) => patch[Math.Clamp((int)((v + 1) * 32), 0, 63) * 64 + Math.Clamp((int)((u + 1) * 32), 0, 63)];
    }

    /// <summary>Something laid over a part of a face: a hand, a microphone, another's shoulder.</summary>
    private void Hide(Canvas canvas, FaceSquare crop, ref SplitMix random)
    {
        var scene = scenes[(int)random.Uniform(0, scenes.Count)];
        var side = crop.Side * (float)random.Uniform(0.15, 0.45);
        var (x, y) = (crop.X + (float)random.Uniform(0, 1) * crop.Side, crop.Y + (float)random.Uniform(0, 1) * crop.Side);
        var (sx, sy) = (random.Uniform(0, scene.Width - 2), random.Uniform(0, scene.Height - 2));
        var round = random.Uniform() < 0.5;
        for (var row = Math.Max(0, (int)(y - side / 2)); row < Math.Min(canvas.Height, y + side / 2); row++)
        {
            for (var column = Math.Max(0, (int)(x - side / 2)); column < Math.Min(canvas.Width, x + side / 2); column++)
            {
                var (u, v) = ((column - x) / side * 2, (row - y) / side * 2);
                if (!round || u * u + v * v < 1)
                {
                    canvas.Row(row)[column] = scene.Pixels[Math.Min(scene.Height - 1, (int)sy + (row & 63)) * scene.Width + Math.Min(scene.Width - 1, (int)sx + (column & 63))];
                }
            }
        }
    }

    /// <summary>Blends in what is no face: a piece of a scene, a face upside down, shuffled, or one part of it, or symmetric noise.</summary>
    private void Distract(Canvas canvas, List<(FaceSquare Box, float Roll, float Visible)> placed, ref SplitMix random)
    {
        if (FindRoom(DrawBox(ref random), mayBeCut: true, placed, ref random) is not { } box)
        {
            return;
        }

        var crop = box.ToCrop();
        var sampler = faces[(int)random.Uniform(0, faces.Count)].For(crop.Side);
        var mask = Mask.OfFace(ref random);
        Texture texture;
        switch ((int)random.Uniform(0, 8))
        {
            case 0:
                texture = (u, v) => sampler.At(u, -v);
                break;
            case 1:
                var order = random.Shuffled(9);
                if (order.Select((to, from) => to == from).Count(same => same) > 3)
                {
                    return;
                }

                texture = (u, v) =>
                {
                    var (column, row) = (Math.Clamp((int)((u + 0.5f) * 3), 0, 2), Math.Clamp((int)((v + 0.5f) * 3), 0, 2));
                    var to = order[row * 3 + column];
                    return sampler.At(u + (to % 3 - column) / 3f, v + (to / 3 - row) / 3f);
                };
                break;
            case 2:
                // One eye, a nose, a mouth, filling the whole: capped, for a part of a face that fills a large box is a large face's.
                if (box.Side > 60)
                {
                    return;
                }

                var part = faces[(int)random.Uniform(0, faces.Count)].For(crop.Side * 3);
                var (pu, pv) = ((float)random.Uniform(-0.35, 0.35), (float)random.Uniform(-0.35, 0.4));
                texture = (u, v) => part.At(pu + u * 0.33f, pv + v * 0.33f);
                break;
            case 3:
                var noise = new SmoothNoise(ref random);
                var (grain, level, strength) = ((float)random.Uniform(1.5, 8), (float)random.Uniform(20, 235), (float)random.Uniform(20, 80));
                texture = (u, v) => level + strength * noise.At(Math.Abs(u) * grain, (v + 1) * grain);
                break;
            case 4 or 5:
                texture = Wheel(crop.Side, ref random);
                var radius = (float)random.Uniform(0.4, 0.62);
                mask = new Mask(radius, radius, radius, 2, (float)random.Uniform(0.02, 0.15));
                break;
            default:
                texture = SceneTexture(crop.Side, ref random);
                break;
        }

        Paste(canvas, box, (float)(random.Uniform(-1, 1) * MaxRoll), mask, Tone.Of(options.Spoiling, ref random), texture, ref random);
        placed.Add((box, 0, 1));
    }

    /// <summary>A wheel, a dial, a flower as natural as a scene: a piece of one, the same in each of several sectors, and rings.</summary>
    /// <param name="cropSide">Side of the crop as it will be drawn, in pixels.</param>
    private Texture Wheel(float cropSide, ref SplitMix random)
    {
        var (piece, rings) = (SceneTexture(cropSide, ref random), new SmoothNoise(ref random));
        var (sector, turn) = (MathF.Tau / (int)random.Uniform(3, 17), (float)random.Uniform(0, Math.Tau));
        var (grain, strength, flatness) = ((float)random.Uniform(4, 14), random.Uniform() < 0.3 ? 0 : (float)random.Uniform(10, 90), (float)Math.Exp(random.Uniform(-0.3, 0.3)));
        return (u, v) =>
        {
            var radius = MathF.Sqrt(u * u * flatness + v * v / flatness);
            var angle = (MathF.Atan2(v, u) + MathF.PI + turn) % sector;
            var (sin, cos) = MathF.SinCos(Math.Min(angle, sector - angle));
            return piece(radius * cos, radius * sin) + strength * rings.At(radius * grain, 0);
        };
    }

    private static void Paste(Canvas canvas, FaceSquare box, float roll, Mask mask, Tone tone, Texture texture, ref SplitMix random)
    {
        var crop = box.ToCrop();
        var (boxX, boxY) = (box.X + box.Side / 2, box.Y + box.Side / 2);
        // The crop hangs below the box's centre along the face's own axis.
        var drop = FaceSquare.BoxRise * crop.Side;
        var (cos, sin) = (MathF.Cos(roll), MathF.Sin(roll));
        var (centreX, centreY) = (boxX - drop * sin, boxY + drop * cos);
        var reach = mask.Reach * crop.Side;
        var (x0, x1) = (Math.Max(0, (int)(centreX - reach)), Math.Min(canvas.Width - 1, (int)(centreX + reach)));
        var (y0, y1) = (Math.Max(0, (int)(centreY - reach)), Math.Min(canvas.Height - 1, (int)(centreY + reach)));
        if (x1 <= x0 || y1 <= y0)
        {
            return;
        }

        // Partly as bright as what was there, as faces and what is round them share their light.
        var (background, matching) = (canvas.Mean(x0, x1, y0, y1), (float)Math.Max(0, random.Uniform(-0.6, 0.7)));
        var own = 0f;
        for (var i = 0; i < 25; i++)
        {
            own += tone.Apply(texture((i % 5 - 2) * 0.2f, (i / 5 - 2) * 0.2f), 0, 0) / 25;
        }

        var shift = matching * (background - own);
        for (var y = y0; y <= y1; y++)
        {
            var row = canvas.Row(y);
            for (var x = x0; x <= x1; x++)
            {
                var (dx, dy) = ((x + 0.5f - centreX) / crop.Side, (y + 0.5f - centreY) / crop.Side);
                var (u, v) = (dx * cos + dy * sin, dy * cos - dx * sin);
                var share = mask.At(u, v);
                if (share > 0)
                {
                    row[x] += share * (Math.Clamp(tone.Apply(texture(u, v), u, v) + shift, 0, 255) - row[x]);
                }
            }
        }
    }

    private Composition Finish(Canvas canvas, List<(FaceSquare Box, float Roll, float Visible)> placed, ref SplitMix random)
    {
        var levels = canvas.Levels;
        var (width, strength) = (canvas.Width, options.Spoiling);
        if (random.Uniform() < 0.5 * strength)
        {
            CropEffects.Light(
                levels, Math.Exp(random.Uniform(-0.7, 0.7)), Math.Exp(random.Uniform(-0.9, 0.3)), random.Uniform(-60, 60), random.Uniform(-30, 30), random.Uniform(-30, 30), width);
        }

        var blur = random.Uniform() < 0.3 * strength ? random.Uniform(0.3, 1.4) : 0;
        CropEffects.Blur(levels, blur, width);

        canvas.Clamp();
        var signals = placed.ConvertAll(face => canvas.Deviation(face.Box.ToCrop()));
        var noise = random.Uniform() < 0.35 * strength ? Math.Exp(random.Uniform(Math.Log(2), Math.Log(30))) : 0;
        if (noise > 0)
        {
            CropEffects.Noise(levels, noise, ref random);
        }

        var smallestPrinted = random.Uniform() < 0.03 * strength ? Print(canvas, ref random) : 0;

        canvas.Clamp();
        var image = canvas.ToImage();
        if (random.Uniform() < 0.3 * strength)
        {
            image = CropEffects.ThroughJpeg(image, (int)random.Uniform(15, 95));
        }

        var found = new List<ComposedFace>();
        foreach (var ((box, roll, visible), signal) in placed.Zip(signals))
        {
            // Blur and noise hide what is small first: over the pixels of a large face noise averages out.
            var hidden = signal < 9 || box.Side < smallestPrinted || box.Side < 12 * blur || noise * Math.Sqrt(20 / Math.Max(8, box.Side)) > 0.8 * signal;
            found.Add(new ComposedFace(box, roll, !hidden && (visible >= 0.7 || box.Side > Math.Min(options.Width, options.Height) && visible >= 0.45)));
        }

        return new Composition(image, found);
    }

    /// <summary>As newspapers and old screens print: a few levels, or dots.</summary>
    /// <returns>Side of the smallest box that can still be seen in it, in pixels.</returns>
    private static float Print(Canvas canvas, ref SplitMix random)
    {
        var (kind, period, steps) = ((int)random.Uniform(0, 2), (float)random.Uniform(1.5, 3.5), (float)Math.Floor(random.Uniform(1, 7)));
        for (var y = 0; y < canvas.Height; y++)
        {
            var row = canvas.Row(y);
            for (var x = 0; x < row.Length; x++)
            {
                var raster = kind == 0
                    ? (MathF.Sin((x + y) * MathF.PI / period) * MathF.Sin((x - y) * MathF.PI / period) + 1) / 2
                    : (float)random.Uniform();
                row[x] = MathF.Floor(row[x] / 255 * steps + raster) / steps * 255;
            }
        }

        return (kind == 0 ? 9 * period : 18) / MathF.Sqrt(steps) + 6;
    }

    private static double Overlap(FaceSquare a, FaceSquare b) => Overlap(a, b, b.Side, b.Side);

    private static double Overlap(FaceSquare a, FaceSquare b, double width, double height) =>
        Math.Max(0, Math.Min(a.X + a.Side, b.X + width) - Math.Max(a.X, b.X)) * Math.Max(0, Math.Min(a.Y + a.Side, b.Y + height) - Math.Max(a.Y, b.Y));

    /// <summary>How far a face reaches into its surroundings: a superellipse with a soft edge, in crops from the crop's centre.</summary>
    private readonly record struct Mask(float HalfWidth, float Above, float Below, float Power, float Feather)
    {
        /// <summary>Further out there is nothing.</summary>
        public float Reach => 1.45f * (Math.Max(HalfWidth, Math.Max(Above, Below)) + Feather);

        public static Mask OfFace(ref SplitMix random)
        {
            if (random.Uniform() < 0.18)
            {
                // A photograph pasted on a page.
                return new Mask(0.7f, 0.78f, 0.6f, 40, 0.01f);
            }

            // Half of them with the whole head, the others as tight as a mask.
            var wide = random.Uniform() < 0.5;
            return new Mask(
                (float)random.Uniform(wide ? 0.6 : 0.46, 0.74), (float)random.Uniform(wide ? 0.66 : 0.5, 0.82), (float)random.Uniform(0.56, 0.9),
                (float)random.Uniform(2, 4.5), (float)random.Uniform(0.02, 0.3));
        }

        public float At(float u, float v)
        {
            var (a, b) = (Math.Abs(u) / HalfWidth, Math.Abs(v) / (v < 0 ? Above : Below));
            if (a > 1.5f || b > 1.5f)
            {
                return 0;
            }

            var radius = Power >= 40 ? Math.Max(a, b)
                : Power < 2.5f ? MathF.Sqrt(a * a + b * b)
                : MathF.Pow(MathF.Pow(a, Power) + MathF.Pow(b, Power), 1 / Power);
            return Math.Clamp((1 - radius) / Feather + 0.5f, 0, 1);
        }
    }

    /// <summary>A face's own light: gamma, contrast, brightness, and a light from one side.</summary>
    private readonly record struct Tone(float[] Table, float Across, float Down)
    {
        /// <param name="strength">How far it may be from the picture's own light, 0 not at all to 1.</param>
        public static Tone Of(double strength, ref SplitMix random)
        {
            var gamma = Math.Exp(strength * random.Uniform(-0.5, 0.5));
            var contrast = Math.Exp(strength * random.Uniform(-0.7, 0.3));
            var brightness = strength * random.Uniform(-45, 45);
            var (across, down) = random.Uniform() < 0.3 * strength ? ((float)random.Uniform(-90, 90), (float)random.Uniform(-50, 50)) : (0, 0);
            var table = new float[257];
            for (var level = 0; level < table.Length; level++)
            {
                table[level] = (float)((255 * Math.Pow(level / 255.0, gamma) - 128) * contrast + 128 + brightness);
            }

            return new Tone(table, across, down);
        }

        public float Apply(float level, float u, float v)
        {
            var at = Math.Clamp(level, 0, 255);
            var whole = (int)at;
            return Table[whole] + (Table[whole + 1] - Table[whole]) * (at - whole) + Across * u + Down * v;
        }
    }

    /// <summary>Random levels on a grid of 16 x 16, smoothly joined and repeated.</summary>
    private readonly struct SmoothNoise
    {
        private readonly float[] _levels = new float[256];

        public SmoothNoise(ref SplitMix random)
        {
            for (var i = 0; i < _levels.Length; i++)
            {
                _levels[i] = (float)random.Uniform(-1, 1);
            }
        }

        public float At(float x, float y)
        {
            var (left, top) = ((int)MathF.Floor(x), (int)MathF.Floor(y));
            var (right, below) = (x - left, y - top);
            var upper = Level(left, top) + (Level(left + 1, top) - Level(left, top)) * right;
            var lower = Level(left, top + 1) + (Level(left + 1, top + 1) - Level(left, top + 1)) * right;
            return upper + (lower - upper) * below;
        }

        private float Level(int x, int y) => _levels[(y & 15) * 16 + (x & 15)];
    }

    /// <summary>Grey levels while a picture is being painted; they may leave 0..255 until clamped.</summary>
    private sealed class Canvas(int width, int height)
    {
        public float[] Levels { get; } = new float[width * height];

        public int Width => width;

        public int Height => height;

        public Span<float> Row(int y) => Levels.AsSpan(y * width, width);

        /// <summary>Mean level of a rectangle inside, its right and lower edge included.</summary>
        public float Mean(int x0, int x1, int y0, int y1)
        {
            var sum = 0f;
            for (var y = y0; y <= y1; y++)
            {
                sum += System.Numerics.Tensors.TensorPrimitives.Sum<float>(Row(y)[x0..(x1 + 1)]);
            }

            return sum / ((x1 - x0 + 1) * (y1 - y0 + 1));
        }

        /// <summary>Standard deviation of the levels in the part of a square that lies inside; 0 where none does.</summary>
        public double Deviation(FaceSquare square)
        {
            var (sum, squares, count) = (0.0, 0.0, 0);
            for (var y = Math.Max(0, (int)square.Y); y < Math.Min(height, square.Y + square.Side); y++)
            {
                for (var x = Math.Max(0, (int)square.X); x < Math.Min(width, square.X + square.Side); x++)
                {
                    var level = Levels[y * width + x];
                    (sum, squares, count) = (sum + level, squares + level * level, count + 1);
                }
            }

            return count == 0 ? 0 : Math.Sqrt(Math.Max(0, squares / count - sum / count * (sum / count)));
        }

        public void Clamp()
        {
            foreach (ref var level in Levels.AsSpan())
            {
                level = Math.Clamp(level, 0, 255);
            }
        }

        public GreyImage ToImage()
        {
            var image = new GreyImage(width, height, 1, width, height, ImageFormat.Png);
            var pixels = image.Pixels;
            for (var i = 0; i < pixels.Length; i++)
            {
                pixels[i] = (byte)(Levels[i] + 0.5f);
            }

            return image;
        }
    }
}
