using System.Buffers;
using System.Numerics;
using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;

namespace SmileApi.Inference;

/// <summary>
/// Runs one stage of the face detector on batches of pictures of one size, through memory allocated once. Runners of one
/// network share its weights; each is used by one thread at a time.
/// </summary>
public sealed class FaceRunner : IDisposable
{
    private static readonly string[] s_inputs = [FaceModel.InputName];
    private static readonly string[] s_outputs = [FaceModel.FaceName, FaceModel.BoxName];

    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();
    private readonly string _stage;
    private readonly int _boxValues;
    private readonly bool _fixedShapes;

    // Pinned for good, so that ONNX Runtime reads and writes them in place.
    private readonly float[] _images;
    private readonly float[] _faces;
    private readonly float[] _boxes;

    internal FaceRunner(InferenceSession session, string stage, int maxPixels, bool fixedShapes)
    {
        _session = session;
        _stage = stage;
        _fixedShapes = fixedShapes;
        _boxValues = BoxValues(stage);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxPixels, PixelsPerAnswer(stage));
        var answers = maxPixels / PixelsPerAnswer(stage);
        MaxPixels = maxPixels;
        if (fixedShapes && stage == FaceModelMetadata.CheckStage)
        {
            answers = FixedShapes.Batch(answers);
            maxPixels = answers * PixelsPerAnswer(stage);
        }

        _images = GC.AllocateArray<float>(maxPixels, pinned: true);
        _faces = GC.AllocateArray<float>(answers, pinned: true);
        _boxes = GC.AllocateArray<float>(_boxValues * answers, pinned: true);
    }

    /// <summary>Most pixels of all pictures of one run together.</summary>
    public int MaxPixels { get; }

    /// <summary>Runs the network.</summary>
    /// <param name="images">Normalised pictures, each of at least <c>height * width</c> values (rented arrays may be longer), shape <c>[height, width]</c>.</param>
    /// <param name="width">First stage: a multiple of 8; second stage: 40.</param>
    /// <param name="height">First stage: a multiple of 8; second stage: 40.</param>
    /// <param name="answers">
    /// As many arrays, rented from <see cref="ArrayPool{T}.Shared"/>; the caller returns them. First stage: shape
    /// <c>[4, height/8, width/8]</c>, a plane each of probability, dx, dy and log side. Second stage: probability, dx, dy,
    /// log scale, roll.
    /// </param>
    /// <exception cref="OnnxRuntimeException">The run failed; nothing is known about any picture.</exception>
    public void Run(ReadOnlySpan<float[]> images, int width, int height, Span<float[]> answers)
    {
        var (count, pixels) = (images.Length, width * height);
        ArgumentOutOfRangeException.ThrowIfZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)count * pixels, MaxPixels);
        ArgumentOutOfRangeException.ThrowIfNotEqual(pixels % PixelsPerAnswer(_stage), 0);
        if (_fixedShapes)
        {
            RunPadded(images, width, height, answers);
            return;
        }

        for (var i = 0; i < count; i++)
        {
            images[i].AsSpan(0, pixels).CopyTo(_images.AsSpan(i * pixels));
        }

        RunFilled(count, width, height);
        var each = pixels / PixelsPerAnswer(_stage);
        for (var i = 0; i < count; i++)
        {
            answers[i] = ArrayPool<float>.Shared.Rent((1 + _boxValues) * each);
            _faces.AsSpan(i * each, each).CopyTo(answers[i]);
            _boxes.AsSpan(i * each * _boxValues, each * _boxValues).CopyTo(answers[i].AsSpan(each));
        }
    }

    /// <summary>Runs the network on what has been filled in.</summary>
    private void RunFilled(int count, int width, int height)
    {
        var pixels = width * height;
        var each = pixels / PixelsPerAnswer(_stage);
        var find = _stage == FaceModelMetadata.FindStage;
        var cells = new long[] { height / FaceModelMetadata.CellSide, width / FaceModelMetadata.CellSide };
        using var input = Tensor(_images, count * pixels, [count, 1, height, width]);
        using var face = Tensor(_faces, count * each, find ? [count, 1, .. cells] : [count, 1]);
        using var box = Tensor(_boxes, count * each * _boxValues, find ? [count, _boxValues, .. cells] : [count, _boxValues]);
        _session.Run(_options, s_inputs, [input], s_outputs, [face, box]);
    }

    /// <summary>Runs the network on fixed shapes: pictures padded with the mean to the right and below, batches with what was there before.</summary>
    private void RunPadded(ReadOnlySpan<float[]> images, int width, int height, Span<float[]> answers)
    {
        var find = _stage == FaceModelMetadata.FindStage;
        var (paddedWidth, paddedHeight) = find ? (FixedShapes.Side(width), FixedShapes.Side(height)) : (width, height);
        var padded = paddedWidth * paddedHeight;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(padded, _images.Length, nameof(width));
        var most = 1 << BitOperations.Log2((uint)(_images.Length / padded));
        for (var start = 0; start < images.Length; start += most)
        {
            var count = Math.Min(most, images.Length - start);
            for (var i = 0; i < count; i++)
            {
                Pad(images[start + i], width, height, _images.AsSpan(i * padded, padded), paddedWidth);
            }

            RunFilled(FixedShapes.Batch(count), paddedWidth, paddedHeight);
            for (var i = 0; i < count; i++)
            {
                answers[start + i] = find ? CutMap(i, width, height, paddedWidth, paddedHeight) : Values(i);
            }
        }
    }

    private static void Pad(float[] image, int width, int height, Span<float> padded, int paddedWidth)
    {
        for (var y = 0; y < height; y++)
        {
            var row = padded.Slice(y * paddedWidth, paddedWidth);
            image.AsSpan(y * width, width).CopyTo(row);
            row[width..].Clear();
        }

        padded[(height * paddedWidth)..].Clear();
    }

    /// <summary>The second stage's answer on a candidate of the run.</summary>
    private float[] Values(int i)
    {
        var answer = ArrayPool<float>.Shared.Rent(1 + _boxValues);
        answer[0] = _faces[i];
        _boxes.AsSpan(i * _boxValues, _boxValues).CopyTo(answer.AsSpan(1));
        return answer;
    }

    /// <summary>The first stage's answer on a tile of the run, without what it says of the padding.</summary>
    private float[] CutMap(int i, int width, int height, int paddedWidth, int paddedHeight)
    {
        const int Cell = FaceModelMetadata.CellSide;
        var (columns, rows) = (width / Cell, height / Cell);
        var (paddedColumns, paddedCells) = (paddedWidth / Cell, paddedWidth / Cell * (paddedHeight / Cell));
        var answer = ArrayPool<float>.Shared.Rent((1 + _boxValues) * columns * rows);
        for (var plane = 0; plane <= _boxValues; plane++)
        {
            var values = plane == 0 ? _faces.AsSpan(i * paddedCells) : _boxes.AsSpan((i * _boxValues + plane - 1) * paddedCells);
            for (var row = 0; row < rows; row++)
            {
                values.Slice(row * paddedColumns, columns).CopyTo(answer.AsSpan((plane * rows + row) * columns));
            }
        }

        return answer;
    }

    /// <summary>Whether an answer consists of probabilities from 0 to 1 and finite numbers.</summary>
    /// <param name="answer">What <see cref="Run"/> of this stage gave for a picture of this size.</param>
    public static bool IsSound(ReadOnlySpan<float> answer, string stage, int width, int height)
    {
        var each = width * height / PixelsPerAnswer(stage);
        var faces = answer[..each];
        var boxes = answer.Slice(each, each * BoxValues(stage));
        return TensorPrimitives.Min(faces) >= 0 && TensorPrimitives.Max(faces) <= 1 && TensorPrimitives.IsFiniteAll(boxes); // NaN is neither.
    }

    /// <summary>Frees native memory.</summary>
    public void Dispose() => _options.Dispose();

    private static int BoxValues(string stage) => stage == FaceModelMetadata.FindStage ? FaceModel.FindBoxValues : FaceModel.CheckBoxValues;

    private static int PixelsPerAnswer(string stage) => stage == FaceModelMetadata.FindStage
        ? FaceModelMetadata.CellSide * FaceModelMetadata.CellSide
        : FaceModelMetadata.CandidateSide * FaceModelMetadata.CandidateSide;

    private static OrtValue Tensor(float[] memory, int length, long[] shape) =>
        OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, memory.AsMemory(0, length), shape);
}
