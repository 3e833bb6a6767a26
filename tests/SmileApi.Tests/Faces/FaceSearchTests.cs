using CsCheck;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Tests.Faces;

/// <summary>The search over networks that see what is easy to see: white squares on black.</summary>
public sealed class FaceSearchTests
{
    [Fact]
    public void Both_stages_are_heard_in_logits()
    {
        foreach (var (check, find, weight) in new[] { (0.7f, 0.2f, 0.5f), (0.01f, 0.99f, 1f), (0.999f, 0.1f, 0f), (0.5f, 0.6f, 2f) })
        {
            var logit = Math.Log(check / (1.0 - check)) + weight * Math.Log(find / (1.0 - find));
            Assert.Equal(1 / (1 + Math.Exp(-logit)), FaceSearch.Confidence(check, find, weight), 6);
        }

        Assert.Equal(0.3f, FaceSearch.Confidence(0.3f, 0.9f, findWeight: 0), 6);
        Assert.Equal(1, FaceSearch.Confidence(1, 0.5f, 1));
        Assert.Equal(0, FaceSearch.Confidence(0, 0.5f, 1));
        Assert.False(FaceSearch.Confidence(float.NaN, 0.5f, 1) >= 0);
    }

    [Fact]
    public void White_squares_of_any_size_anywhere_are_found_where_they_are() =>
        Gen.Select(Gen.Int[64, 1500], Gen.Int[64, 900], Gen.Int[17, 60], Gen.Double[0, 1], Gen.Double[0, 1], Gen.Double[0, 1]).Sample(
            (width, height, minFace, size, x, y) =>
            {
                var side = (int)(minFace + size * (Math.Min(width, height) - minFace));
                var square = new FaceSquare((int)(x * (width - side)), (int)(y * (height - side)), side);
                using var image = Drawn(width, height, square);

                var found = Assert.Single(Search(image, minFace, new WhiteSquares()));

                // A few pixels of the level it was found at, which is such that the square has at most 40.
                var tolerance = 3.0 * Math.Max(1, side / 16.0);
                Assert.Equal(square.X + side / 2.0, found.Box.X + found.Box.Side / 2.0, tolerance);
                Assert.Equal(square.Y + side / 2.0, found.Box.Y + found.Box.Side / 2.0, tolerance);
                Assert.InRange(found.Box.Side, side * 0.8 - 2, side * 1.2 + 2);
            }, iter: 60, threads: 1);

    [Fact]
    public void Faces_come_largest_first()
    {
        using var image = Drawn(500, 300, new(20, 20, 30), new(100, 50, 100), new(300, 100, 60));

        var sides = Search(image, 20, new WhiteSquares()).Select(face => face.Box.Side).ToArray();

        Assert.Equal(3, sides.Length);
        Assert.Equal(sides.OrderDescending(), sides);
    }

    [Fact]
    public void Faces_far_smaller_than_asked_for_are_left_out()
    {
        using var image = Drawn(300, 300, new(50, 50, 30), new(150, 150, 80));

        Assert.Equal(2, Search(image, 25, new WhiteSquares()).Count);
        Assert.Equal(80, Assert.Single(Search(image, 60, new WhiteSquares())).Box.Side, 12.0);
    }

    [Fact]
    public void The_second_stage_moves_and_sizes_the_box_and_says_how_sure_it_is_and_how_far_the_face_is_turned()
    {
        using var image = Drawn(200, 200, new FaceSquare(80, 80, 40));
        var first = Assert.Single(Search(image, 20, new WhiteSquares()));

        var face = Assert.Single(Search(image, 20, new WhiteSquares { Answer = new(0.75f, 0.25f, -0.5f, MathF.Log(1.5f), 0.125f) }));

        Assert.Equal(0.75f, face.Confidence, 6);
        Assert.Equal(0.125f, face.Roll);
        Assert.Equal(first.Box.Side * 1.5f, face.Box.Side, 0.01);
        Assert.Equal(Centre(first.Box).X + 0.25f * first.Box.Side, Centre(face.Box).X, 0.01);
        Assert.Equal(Centre(first.Box).Y - 0.5f * first.Box.Side, Centre(face.Box).Y, 0.01);

        static (float X, float Y) Centre(FaceSquare box) => (box.X + box.Side / 2, box.Y + box.Side / 2);
    }

    [Fact]
    public void Each_candidate_is_looked_at_again_mirrored_and_both_looks_weigh_alike()
    {
        using var image = Drawn(200, 200, new FaceSquare(80, 80, 40));
        Pictures.Make.Noise(40, 3).CopyTo(image.Pixels.Slice(100 * 200 + 80)); // Not the same from the left and from the right.
        var first = Assert.Single(Search(image, 20, new WhiteSquares())).Box;
        var networks = new WhiteSquares { Answer = new(0.9f, 0.25f, 0.1f, MathF.Log(1.2f), 0.3f), Mirrored = new(0.6f, -0.15f, 0.3f, MathF.Log(1.1f), -0.1f) };

        var face = Assert.Single(Search(image, 20, networks));

        Assert.Equal(2, networks.Seen.Count);
        Assert.NotEqual(networks.Seen[0], networks.Seen[1]);
        Assert.Equal(networks.Seen[0].Chunk(40).SelectMany(row => row.Reverse()), networks.Seen[1]);
        var logit = (Math.Log(0.9 / 0.1) + Math.Log(0.6 / 0.4)) / 2;
        Assert.Equal(1 / (1 + Math.Exp(-logit)), face.Confidence, 5);
        Assert.Equal(0.2f, face.Roll, 5);
        Assert.Equal(first.Side * MathF.Sqrt(1.2f * 1.1f), face.Box.Side, 0.01);
        Assert.Equal(first.X + first.Side / 2 + 0.2f * first.Side, face.Box.X + face.Box.Side / 2, 0.01);
        Assert.Equal(first.Y + first.Side / 2 + 0.2f * first.Side, face.Box.Y + face.Box.Side / 2, 0.01);
    }

    [Theory]
    [InlineData(0.001f, 0.5f, 1)]
    [InlineData(0.01f, 0.5f, 2)]
    [InlineData(0.001f, 0.01f, 2)]
    public void What_is_far_from_the_confidence_asked_for_is_not_looked_at_again(float first, float confidence, int looks)
    {
        using var image = Drawn(200, 200, new FaceSquare(80, 80, 40));
        var networks = new WhiteSquares { Answer = new(first, 0, 0, 0, 0) };

        Assert.Empty(Search(image, 20, networks, confidence));

        Assert.Equal(looks, networks.Seen.Count);
    }

    [Theory]
    [InlineData(0.6f, 1)]
    [InlineData(0.61f, 0)]
    public void The_confidence_asked_for_is_the_least(float confidence, int faces)
    {
        using var image = Drawn(200, 200, new FaceSquare(80, 80, 40));

        Assert.Equal(faces, Search(image, 20, new WhiteSquares { Answer = new(0.6f, 0, 0, 0, 0) }, confidence).Count);
    }

    [Fact]
    public void A_box_whose_centre_the_second_stage_moves_out_of_the_picture_is_dropped()
    {
        using var image = Drawn(200, 200, new FaceSquare(80, 80, 40));

        Assert.Empty(Search(image, 20, new WhiteSquares { Answer = new(1, 3, 0, 0, 0) }));
        Assert.Empty(Search(image, 20, new WhiteSquares { Answer = new(1, float.NaN, 0, 0, 0) }));
        Assert.Empty(Search(image, 20, new WhiteSquares { Answer = new(1, 0, 0, 50, 0) }));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 5000)]
    [InlineData(8000, 20)]
    [InlineData(3000, 3000)]
    public void Whatever_the_first_stage_says_of_a_picture_the_second_has_bounded_work(int width, int height)
    {
        using var image = Drawn(width, height);
        var networks = new WhiteSquares { SeesFacesEverywhere = true };

        Search(image, 20, networks);

        Assert.InRange(networks.Checked, 0, FaceSearch.MaxLooks * FaceSearch.MaxCandidates);
        Assert.All(networks.Tiles, tile => Assert.True(
            tile.Width % 16 == 0 && tile.Height % 16 == 0 && tile.Width is > 0 and <= 640 && tile.Height is > 0 and <= 640, $"{tile}"));
    }

    [Fact]
    public void A_picture_larger_than_the_smallest_face_wanted_is_shrunk_so_that_portraits_cost_less()
    {
        using var image = Drawn(640, 480);

        Assert.Equal([(512, 384), (256, 192), (128, 96), (64, 48), (32, 32)], Tiles(20));
        Assert.Equal([(128, 96), (64, 48), (32, 32)], Tiles(80));
        Assert.Equal((640, 480), ImagePyramid.SizeAt(640, 480, 1));
        Assert.Equal(640 * 480, FaceSearch.LargestLevel(640, 480, 1, WhiteSquares.FindMetadata));
        Assert.Equal(512 * 384, FaceSearch.LargestLevel(640, 480, 20, WhiteSquares.FindMetadata));

        List<(int, int)> Tiles(float minFace)
        {
            var networks = new WhiteSquares();
            Search(image, minFace, networks);
            return networks.Tiles;
        }
    }

    [Fact]
    public void What_lies_beyond_the_picture_is_a_normalised_zero_to_the_first_stage()
    {
        using var image = Drawn(100, 70);
        image.Pixels.Fill(180);
        var tile = Assert.Single(Tile.Cover(100, 70));

        var levels = tile.Cut(image, WhiteSquares.FindMetadata);

        Assert.Equal((112, 80), (tile.Width, tile.Height));
        for (var i = 0; i < 112 * 80; i++)
        {
            Assert.Equal(i % 112 < 100 && i / 112 < 70 ? (180 - 120) / 60f : 0, levels[i]);
        }
    }

    [Fact]
    public void Tiles_own_every_cell_of_a_level_exactly_once() =>
        Gen.Select(Gen.Int[1, 2500], Gen.Int[1, 700]).Sample((width, height) =>
        {
            var owners = new Dictionary<(int, int), int>();
            foreach (var tile in Tile.Cover(width, height))
            {
                Assert.True(tile.X >= 0 && tile.Y >= 0 && tile.X < width && tile.Y < height);
                Assert.True(tile is { Left: >= 0, Top: >= 0 } && tile.Right <= tile.Width && tile.Bottom <= tile.Height);
                for (var y = tile.Top; y < tile.Bottom; y += 8)
                {
                    for (var x = tile.Left; x < tile.Right; x += 8)
                    {
                        Assert.True(owners.TryAdd((tile.X + x, tile.Y + y), 1), $"({tile.X + x}, {tile.Y + y}) of {width} x {height} belongs to two tiles");
                    }
                }
            }

            for (var y = 0; y < height; y += 8)
            {
                for (var x = 0; x < width; x += 8)
                {
                    Assert.True(owners.ContainsKey((x, y)), $"({x}, {y}) of {width} x {height} belongs to no tile");
                }
            }
        }, iter: 60, threads: 1);

    [Fact]
    public void A_candidate_is_cut_with_its_margin_and_brought_to_its_own_mean_and_deviation()
    {
        using var image = Drawn(200, 200);
        Pictures.Make.Noise(200 * 200, 3).CopyTo(image.Pixels);
        var box = new FaceSquare(50, 60, 80);
        var levels = Imaging.Obvious.Resample(image.Pixels.ToArray(), 200, 200, new FaceSquare(42, 52, 96), 40);
        var mean = levels.Average();
        var deviation = Math.Sqrt(levels.Average(level => (level - mean) * (level - mean)));

        var candidate = new float[1600];
        FaceSearch.Cut(image, box, WhiteSquares.CheckMetadata, candidate);

        Assert.All(levels.Zip(candidate), pair => Assert.Equal((pair.First - mean) / (deviation + 8), pair.Second, 1e-3));
    }

    private static IReadOnlyList<DetectedFace> Search(GreyImage image, float minFace, WhiteSquares networks, float confidence = 0.5f) =>
        FaceSearch.FindAsync(image, new(minFace, confidence), networks, CancellationToken.None).Result; // These networks answer at once.

    private static GreyImage Drawn(int width, int height, params FaceSquare[] squares)
    {
        var image = new GreyImage(width, height, 1, width, height, ImageFormat.Png);
        image.Pixels.Clear();
        foreach (var square in squares)
        {
            for (var y = (int)square.Y; y < square.Y + square.Side; y++)
            {
                image.Pixels.Slice(y * width + (int)square.X, (int)square.Side).Fill(255);
            }
        }

        return image;
    }

    /// <summary>
    /// A first stage that finds white squares of 14 to 42 pixels on black, each in the cell that holds its centre, and a
    /// second stage that says of each candidate the same.
    /// </summary>
    private sealed class WhiteSquares : IFaceNetworks
    {
        public static readonly FaceModelMetadata FindMetadata = new()
        {
            Format = 1, Name = "white-squares", Version = "1.0.0", Stage = FaceModelMetadata.FindStage, Threshold = 0.5f,
            Mean = 120, Deviation = 60, Stride = 8, ReferenceSide = 24, MinBox = 16, MaxBox = 40,
            Cost = new(0, 0, 0), Training = new(0, 0, 0, default, new Dictionary<string, string>()), Licence = "",
        };

        public static readonly FaceModelMetadata CheckMetadata = FindMetadata with { Stage = FaceModelMetadata.CheckStage, Side = 40, Margin = 1.2f, DeviationFloor = 8 };

        public FaceCheck Answer { get; init; } = new(1, 0, 0, 0, 0);

        /// <summary>What the second look says; null when it says the same of the mirrored candidate.</summary>
        public FaceCheck? Mirrored { get; init; }

        public List<float[]> Seen { get; } = [];

        public bool SeesFacesEverywhere { get; init; }

        public List<(int Width, int Height)> Tiles { get; } = [];

        public int Checked { get; private set; }

        public FaceModelMetadata Find => FindMetadata;

        public FaceModelMetadata Check => CheckMetadata;

        public Task<float[]> FindAsync(float[] tile, int width, int height, CancellationToken aborted)
        {
            Tiles.Add((width, height));
            var (columns, cells) = (width / 8, width / 8 * (height / 8));
            var map = Arrays.Rent<float>(4 * cells);
            map.AsSpan().Clear();
            map.AsSpan(0, SeesFacesEverywhere ? cells : 0).Fill(0.9f);
            var white = tile.AsSpan(0, width * height).ToArray().Select(level => level > 0.5f).ToArray();
            for (var i = 0; i < white.Length; i++)
            {
                // The upper left corner of a square: its sides are the runs to the right and down from here.
                if (white[i] && (i % width == 0 || !white[i - 1]) && (i < width || !white[i - width]))
                {
                    var right = Enumerable.Range(0, width - i % width).TakeWhile(n => white[i + n]).Count();
                    var down = Enumerable.Range(0, height - i / width).TakeWhile(n => white[i + n * width]).Count();
                    var (x, y) = (i % width + right / 2f, i / width + down / 2f);
                    if (Math.Abs(right - down) <= 2 && right is >= 14 and <= 42)
                    {
                        var cell = (int)(y / 8) * columns + (int)(x / 8);
                        map[cell] = 0.9f;
                        map[cells + cell] = x / 8 - (int)(x / 8) - 0.5f;
                        map[2 * cells + cell] = y / 8 - (int)(y / 8) - 0.5f;
                        map[3 * cells + cell] = MathF.Log(right / 24f);
                    }
                }
            }

            Arrays.Return(tile);
            return Task.FromResult(map);
        }

        public Task<FaceCheck> CheckAsync(float[] candidate, CancellationToken aborted)
        {
            // Each candidate is looked at as it is, and then mirrored.
            var answer = Checked++ % 2 == 0 ? Answer : Mirrored ?? Answer with { Dx = -Answer.Dx, Roll = -Answer.Roll };
            Seen.Add(candidate.AsSpan(0, 1600).ToArray());
            Arrays.Return(candidate);
            return Task.FromResult(answer);
        }
    }
}
