using System.Diagnostics;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace SmileApi.Training;

/// <summary>Where the training of a stage is.</summary>
/// <param name="Loss">Mean since the last checkpoint.</param>
/// <param name="Left">Until the end of the stage, at this speed.</param>
internal sealed record StageProgress(int Step, int Steps, double Loss, double PicturesPerSecond, TimeSpan Left);

/// <summary>Trains the first stage on pictures that are composed on the way; none is seen twice.</summary>
/// <param name="pictures">To learn from, all of one size.</param>
/// <param name="heldOut">Pictures to tell by how far it is; nothing is chosen by them.</param>
/// <param name="save">Called every so many steps, and before the first, with all there is to know.</param>
/// <param name="report">Called after each step.</param>
internal sealed class FindTrainer(
    FaceTrainOptions options, FindPictures pictures, IReadOnlyList<Composition> heldOut, IReadOnlyDictionary<string, string> data, Action<StageCheckpoint> save, Action<StageProgress> report)
{
    /// <summary>Grey levels subtracted before, and divided by after.</summary>
    public const byte Mean = 120, Deviation = 60;

    /// <summary>A cell counts as found or false from here on.</summary>
    private const float Told = 0.3f;

    private sealed record Batch(long Count, long Rows, long Columns, float[] Pictures, float[] Positive, float[] Negative, float[] BoxWeight, float[] Box);

    /// <summary>Runs to the end, or until asked to stop.</summary>
    /// <param name="checkpoint">To go on from; null begins anew.</param>
    /// <param name="stopping">Stops after the current step; what was learned since the last checkpoint is lost.</param>
    public StageCheckpoint Run(StageCheckpoint? checkpoint, CancellationToken stopping)
    {
        if (checkpoint is null)
        {
            checkpoint = Begin();
            save(checkpoint); // A run that is stopped at once goes on with its own options, too.
        }

        using var network = new FindNetwork(checkpoint.Current);
        using var velocity = new FindNetwork(checkpoint.Velocity);
        using var average = new FindNetwork(checkpoint.Average);
        var descent = new GradientDescent(options.Descent(), network, velocity, average);
        var (clock, loss, first) = (Stopwatch.StartNew(), 0.0, checkpoint.Step);
        var step = first;
        foreach (var batch in Prefetch.Ahead(Enumerable.Range(first, options.FindSteps - first).Select(MakeBatch)))
        {
            if (stopping.IsCancellationRequested)
            {
                return checkpoint;
            }

            using (NewDisposeScope())
            {
                var cost = Cost(network, batch);
                cost.backward();
                descent.Step(GradientDescent.RateAt(options.FindRate, options.WarmUp, step, options.FindSteps), step);
                loss += GradientDescent.Finite(cost.item<float>(), options.FindRate);
            }

            step++;
            var done = step - first;
            report(new StageProgress(
                step, options.FindSteps, loss / done, done * (double)options.FindBatch / clock.Elapsed.TotalSeconds, clock.Elapsed / done * (options.FindSteps - step)));
            if (step % options.StepsPerCheckpoint == 0 || step == options.FindSteps)
            {
                var (found, wrong) = Judge(average);
                checkpoint = checkpoint with
                {
                    Pictures = step * options.FindBatch,
                    History = [.. checkpoint.History, new StageRecord(step, loss / done, found, wrong, clock.Elapsed.TotalSeconds)],
                    Finished = DateTimeOffset.UtcNow,
                    Current = network.Read(),
                    Velocity = velocity.Read(),
                    Average = average.Read(),
                };
                save(checkpoint);
                (loss, first) = (0, step);
                clock.Restart();
            }
        }

        return checkpoint;
    }

    private StageCheckpoint Begin() => new()
    {
        Options = options,
        Data = data,
        Pictures = 0,
        History = [],
        Finished = DateTimeOffset.UtcNow,
        Current = FindArchitecture.RandomWeights(options.Seed),
        Velocity = Weights.Zero(FindArchitecture.Layout),
        Average = FindArchitecture.RandomWeights(options.Seed),
    };

    /// <summary>Focal loss of the cells (Lin et al. 2017) and absolute error of the boxes, both for a face.</summary>
    private static Tensor Cost(FindNetwork network, Batch batch)
    {
        long[] cells = [batch.Count, 1, batch.Rows, batch.Columns];
        long[] boxes = [batch.Count, 3, batch.Rows, batch.Columns];
        var (face, box) = network.Forward(Pictures(batch.Pictures, batch.Count, batch.Rows, batch.Columns), training: true);
        // Only operations without numbers among their arguments: TorchSharp would make temporary Scalars of them.
        var (yes, no) = (face.sigmoid(), face.neg().sigmoid());
        var missed = functional.logsigmoid(face).mul(no).mul(no).mul(tensor(batch.Positive, cells));
        var mistaken = functional.logsigmoid(face.neg()).mul(yes).mul(yes).mul(tensor(batch.Negative, cells));
        var off = network.Difference(box, tensor(batch.Box, boxes)).abs().mul(tensor(batch.BoxWeight, cells));
        return stack([missed.sum().neg(), mistaken.sum().neg(), off.sum()]).sum();
    }

    private static Tensor Pictures(float[] levels, long count, long rows, long columns) =>
        tensor(levels, [count, 1, rows * FindArchitecture.Stride, columns * FindArchitecture.Stride]);

    private Batch MakeBatch(int step)
    {
        var compositions = Enumerable.Range(0, options.FindBatch).Select(i =>
        {
            var chance = new SplitMix(options.Seed, RandomPurpose.Composition, step, i);
            return pictures.Next(ref chance);
        }).ToArray();
        var (columns, rows) = (compositions[0].Image.Width / FindArchitecture.Stride, compositions[0].Image.Height / FindArchitecture.Stride);
        var targets = Array.ConvertAll(compositions, composition => new FindTargets(composition.Faces, columns, rows));
        var batch = new Batch(
            compositions.Length, rows, columns, [.. compositions.SelectMany(Normalised)], Join(target => target.Positive), Join(target => target.Negative), Join(target => target.BoxWeight), Join(target => target.Box));
        Array.ForEach(compositions, composition => composition.Dispose());

        // All terms are a face, whatever the number of faces.
        var scale = 1 / Math.Max(1, batch.Positive.Sum());
        TensorPrimitives.Multiply(batch.Positive, scale, batch.Positive);
        TensorPrimitives.Multiply(batch.Negative, scale, batch.Negative);
        TensorPrimitives.Multiply(batch.BoxWeight, (float)options.BoxWeight * scale, batch.BoxWeight);
        return batch;

        float[] Join(Func<FindTargets, float[]> part) => [.. targets.SelectMany(part)];
    }

    private static float[] Normalised(Composition composition)
    {
        var levels = new float[composition.Image.Width * composition.Image.Height];
        TensorPrimitives.ConvertTruncating<byte, float>(composition.Image.Pixels, levels);
        TensorPrimitives.Subtract(levels, Mean, levels);
        TensorPrimitives.Divide(levels, Deviation, levels);
        return levels;
    }

    /// <summary>Share of held-out faces of learned sizes in or beside whose centre's cell a face is told of, and cells told of a picture where none is.</summary>
    private (double Found, double False) Judge(FindNetwork network)
    {
        using var noGradients = no_grad();
        var (faces, found, wrong) = (0, 0, 0);
        foreach (var composition in heldOut)
        {
            using var scope = NewDisposeScope();
            var (columns, rows) = (composition.Image.Width / FindArchitecture.Stride, composition.Image.Height / FindArchitecture.Stride);
            var targets = new FindTargets(composition.Faces, columns, rows);
            var told = network.Forward(Pictures(Normalised(composition), 1, rows, columns), training: false).Face.sigmoid().data<float>().ToArray();
            for (var cell = 0; cell < told.Length; cell++)
            {
                if (targets.Positive[cell] == 1)
                {
                    faces++;
                    found += Beside(cell, columns, rows).Any(near => told[near] >= Told) ? 1 : 0;
                }
                else if (targets.Negative[cell] > 0.5 && told[cell] >= Told)
                {
                    wrong++;
                }
            }
        }

        return ((double)found / Math.Max(1, faces), (double)wrong / heldOut.Count);
    }

    private static IEnumerable<int> Beside(int cell, int columns, int rows)
    {
        var (x, y) = (cell % columns, cell / columns);
        for (var row = Math.Max(0, y - 1); row <= Math.Min(rows - 1, y + 1); row++)
        {
            for (var column = Math.Max(0, x - 1); column <= Math.Min(columns - 1, x + 1); column++)
            {
                yield return row * columns + column;
            }
        }
    }
}
