using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using SmileApi.Batching;
using SmileApi.Classify;
using SmileApi.Imaging;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Faces;

/// <summary>How a picture is to be read and searched.</summary>
/// <param name="Reduction">How many pixels of a side become one when it is decoded: 1, 2, 4 or 8.</param>
/// <param name="MinFace">Side of the smallest box to find, in pixels of the upright original; null when the picture is one face.</param>
internal readonly record struct FacePlan(int Reduction, float? MinFace);

/// <summary>A face that is to be judged.</summary>
/// <param name="Crop">What the smile network sees of it, in pixels of the decoded picture.</param>
/// <param name="Roll">Radians clockwise by which the crop is to be turned.</param>
/// <param name="Box">What the caller sees of it.</param>
/// <param name="Confidence">How sure the detector is, 0..1; null when the caller said that it is a face.</param>
internal readonly record struct FoundFace(FaceSquare Crop, float Roll, Box Box, float? Confidence);

/// <summary>Finds the faces of a picture, or takes the caller's word that it is one.</summary>
internal sealed class FaceFinder(
    DynamicBatcher batcher, IOptions<FacesOptions> options, SmileMetrics metrics, TimeProvider time)
{
    /// <summary>How many pixels decoding leaves at least of the side of the smallest face's box.</summary>
    private const int DecodedMinFace = 28;

    /// <summary>Decides how to read and search a picture, before a pixel of it is decoded.</summary>
    /// <param name="detector">What will search it.</param>
    /// <param name="problem">When the result is false: the caller wants faces so small that the search would cost too much.</param>
    public bool TryPlan(FaceDetector detector, in ImageHeader header, ClassifyQuery query, out FacePlan plan, [NotNullWhen(false)] out Problem? problem)
    {
        problem = null;
        var (width, height) = (header.UprightWidth, header.UprightHeight);
        if (!query.Detect)
        {
            plan = new FacePlan(ImageDecoder.ReductionFor(Math.Min(width, height), FaceCrop.Side), MinFace: null);
            return true;
        }

        var minFace = query.MinFace ?? FaceRules.DefaultMinFace(width, height);
        plan = PlanFor(minFace);
        if (!IsAffordable(detector, width, height, plan))
        {
            while (!IsAffordable(detector, width, height, PlanFor(minFace)))
            {
                minFace++;
            }

            problem = ClassifyQuery.Invalid(
                "minFace", $"{query.MinFace}", $"at least {minFace} for a picture of {width} x {height} pixels, or the picture smaller");
        }

        return problem is null;
    }

    /// <summary>Finds the faces.</summary>
    /// <param name="detector">Of the models that <paramref name="place"/> is for.</param>
    /// <param name="photo">Decoded as planned. It must outlive the task.</param>
    /// <param name="place">The photograph's place in the queue.</param>
    /// <param name="aborted">The answer is no longer wanted.</param>
    /// <returns>The faces, largest first; and how long it took, waiting included.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<(IReadOnlyList<FoundFace> Faces, TimeSpan Took)> FindAsync(
        FaceDetector detector, GreyImage photo, FacePlan plan, ClassifyQuery query, WorkQueue.Place place, CancellationToken aborted)
    {
        if (plan.MinFace is not { } minFace)
        {
            var whole = new Box(0, 0, photo.OriginalWidth, photo.OriginalHeight);
            FoundFace[] one = [new(FaceSquare.Centred(photo.Width, photo.Height), Roll: 0, whole, Confidence: null)];
            return (one, TimeSpan.Zero);
        }

        using var stage = Stages.Detect();
        var started = time.GetTimestamp();
        var networks = new BatchedFaceNetworks(batcher, place, detector);
        var search = new FaceSearchOptions(minFace / photo.Reduction, query.Confidence ?? detector.Check.Metadata.Threshold);
        var faces = await FaceSearch.FindAsync(photo, search, networks, aborted);
        var took = time.GetElapsedTime(started);
        metrics.PictureSearched(took, faces.Count, networks.Looks);
        stage?.SetTag("smileapi.faces", faces.Count).SetTag("smileapi.looks", networks.Looks);
        return ([.. faces.Take(query.Limit).Select(face => Found(face, photo))], took);
    }

    private static FacePlan PlanFor(int minFace) => new(ImageDecoder.ReductionFor(minFace, DecodedMinFace), minFace);

    private bool IsAffordable(FaceDetector detector, int width, int height, FacePlan plan)
    {
        var (decodedWidth, decodedHeight) = (ImageDecoder.Reduced(width, plan.Reduction), ImageDecoder.Reduced(height, plan.Reduction));
        return FaceSearch.LargestLevel(decodedWidth, decodedHeight, plan.MinFace!.Value / plan.Reduction, detector.Find.Metadata) <= options.Value.MaxPixels;
    }

    private static FoundFace Found(DetectedFace face, GreyImage photo)
    {
        var (crop, roll) = FaceRules.CropOf(face);
        return new FoundFace(crop, roll, BoxOf(face.Box.Scaled(photo.Reduction), photo), face.Confidence);
    }

    /// <summary>The part of a square that lies in the picture, in whole pixels; its centre does, and so there is one.</summary>
    private static Box BoxOf(FaceSquare square, GreyImage photo)
    {
        var (left, right) = Clip(square.X, square.Side, photo.OriginalWidth);
        var (top, bottom) = Clip(square.Y, square.Side, photo.OriginalHeight);
        return new Box(left, top, right - left, bottom - top);

        static (int From, int To) Clip(float start, float side, int length)
        {
            var from = Math.Clamp((int)MathF.Round(start), 0, length - 1);
            return (from, Math.Clamp((int)MathF.Round(start + side), from + 1, length));
        }
    }
}
