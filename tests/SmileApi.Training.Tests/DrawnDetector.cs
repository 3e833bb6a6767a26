using System.Formats.Tar;
using System.Text;
using SkiaSharp;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training.Tests;

/// <summary>
/// A face detector that nobody has trained: the first stage takes every bright place for a face, the second compares with a
/// drawn one. It finds <see cref="DrawnFaces"/>.
/// </summary>
internal static class DrawnDetector
{
    private const int Side = FaceModelMetadata.CandidateSide;
    private const int FaceSide = 120; // As DrawnFaces draws them; a cell of the third level of the pyramid is a third of it.
    private const float BoxSide = 0.8f * FaceSide * FaceSquare.BoxScale;
    private const float FoundSide = 100;
    private static readonly Weights NoWeights = Weights.Zero(new Layout([], []));

    /// <summary>Writes both stages as <c>faces.onnx</c> and <c>faces-check.onnx</c>.</summary>
    public static void Write(string folder)
    {
        AtomicFile.Write(Path.Combine(folder, "faces.onnx"), Find());
        AtomicFile.Write(Path.Combine(folder, "faces-check.onnx"), Check());
    }

    /// <summary>Writes photographs with the boxes of the faces drawn in them, the last of which shows none, and scenes without faces.</summary>
    public static void WriteData(string folder, int photos)
    {
        using var archive = new TarWriter(File.Create(Path.Combine(folder, PhotosWithBoxes.ArchiveName)));
        var boxes = new StringBuilder("file,x,y,w,h\n");
        for (var i = 0; i < photos; i++)
        {
            var last = i == photos - 1;
            using var photo = Photo(320, 240, 80 + 40 * i, 40, last ? 0 : FaceSide);
            Add(archive, $"photos-with-boxes/images/{i}.png", GreyPng.Encode(photo.Pixels, photo.Width, photo.Height));
            var box = new FaceSquare(80 + 40 * i + 12, 40 + 12, 96).ToBox();
            boxes.Append(last ? "" : $"{i}.png,{box.X},{box.Y},{box.Side},{box.Side}\n");
        }

        Add(archive, "photos-with-boxes/boxes.csv", Encoding.UTF8.GetBytes(boxes.ToString()));
        using var scenes = new TarWriter(File.Create(Path.Combine(folder, Scenes.ArchiveName)));
        for (var i = 0; i < 40; i++) // So many that each split has some.
        {
            using var scene = Photo(400, 300, 0, 0, 0);
            using var bitmap = GreyPng.Bitmap(scene.Pixels, scene.Width, scene.Height);
            using var jpeg = bitmap.Encode(SKEncodedImageFormat.Jpeg, 95);
            Add(scenes, $"scenes-without-faces/{i}.jpg", jpeg.ToArray());
        }
    }

    private static byte[] Find()
    {
        var cell = new Convolution("face", In: 1, Out: 1, Kernel: 1, Stride: 1, 8);
        var graph = new OnnxGraph("find", NoWeights);
        var mean = graph.Node("AveragePool", "mean", [graph.Input("image", 1, "H", "W")], ("kernel_shape", [8, 8]), ("strides", [8, 8]));
        graph.Output(graph.Node("Sigmoid", "face", [graph.Convolve(mean, cell, [20], [-2])]), 1, "rows", "columns");
        graph.Output(graph.Node("Identity", "box", [graph.Convolve(mean, cell with { Name = "box", Out = 3 }, [0, 0, 0], [0, 0, 0])]), 3, "rows", "columns");
        return graph.ToFile("0.1.0", (FaceModelMetadata.Key, (Metadata(FaceModelMetadata.FindStage) with
        {
            Mean = 100,
            Deviation = 60,
            Stride = FaceModelMetadata.CellSide,
            ReferenceSide = FoundSide / 5,
            MinBox = 16,
            MaxBox = 40,
        }).ToJson()));
    }

    private static byte[] Check()
    {
        var metadata = Metadata(FaceModelMetadata.CheckStage) with { Side = Side, Margin = 1.2f, DeviationFloor = 8 };
        using var face = Photo(2 * FaceSide, 2 * FaceSide, FaceSide / 2, FaceSide / 2, FaceSide);
        var template = new float[Side * Side];
        FaceSearch.Cut(face, new FaceSquare(FaceSide - FoundSide / 2, FaceSide - FoundSide / 2, FoundSide), metadata, template);
        var graph = new OnnxGraph("check", NoWeights);
        var flat = graph.Node("Flatten", "flat", [graph.Input("image", 1, Side, Side)]);
        // Their correlation is at most 1; from 0.3 on it is a face.
        graph.Output(graph.Node("Sigmoid", "face", [graph.Linear(flat, "face", "logit", [.. template.Select(level => 20 * level / template.Length)], [-6])]), 1);
        float[] box = [0, -FaceSquare.BoxRise * 0.8f * FaceSide / FoundSide, MathF.Log(BoxSide / FoundSide), 0];
        graph.Output(graph.Linear(flat, "offset", "box", new float[Side * Side * 4], box), 4);
        return graph.ToFile("0.1.0", (FaceModelMetadata.Key, metadata.ToJson()));
    }

    private static FaceModelMetadata Metadata(string stage) => new()
    {
        Format = FaceModelMetadata.CurrentFormat,
        Name = "drawn-faces",
        Version = "0.1.0",
        Stage = stage,
        Threshold = 0.5f,
        Cost = new ModelCost(1, 4, 64),
        Training = new ModelTraining(1, 0, 0, DateTimeOffset.UnixEpoch, new Dictionary<string, string>()),
        Licence = "For anything.",
    };

    /// <summary>A dark picture with a drawn face in it.</summary>
    private static GreyImage Photo(int width, int height, int x, int y, int side)
    {
        var photo = new GreyImage(width, height, 1, width, height, ImageFormat.Png);
        photo.Pixels.Fill(60);
        var face = GoldenPictures.DrawFace("", Math.Max(1, side), Math.Max(1, side), mouthCurve: 0);
        for (var row = 0; row < side; row++)
        {
            face.Pixels.AsSpan(row * side, side).CopyTo(photo.Pixels[((y + row) * width + x)..]);
        }

        return photo;
    }

    private static void Add(TarWriter archive, string name, byte[] bytes) =>
        archive.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });
}
