using System.Diagnostics;
using SmileApi.Imaging;
using SmileApi.Inference;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace SmileApi.Training;

/// <summary>The faces of a run.</summary>
/// <param name="Train">To learn from.</param>
/// <param name="Val">To choose the epoch and the calibration by.</param>
/// <param name="Hashes">SHA-256 of each data file by name.</param>
/// <param name="Licence">What the trained weights may be used for, in a sentence.</param>
internal sealed record TrainingData(
    IReadOnlyList<Face> Train, IReadOnlyList<Face> Val, IReadOnlyDictionary<string, string> Hashes, string Licence);

/// <summary>Where a run is.</summary>
/// <param name="Loss">Mean over the epoch so far, in nats.</param>
/// <param name="Accuracy">The same, 0..1, on augmented crops.</param>
/// <param name="ImagesPerSecond">Over this epoch.</param>
/// <param name="Left">Until the end of the run, at this speed.</param>
internal sealed record TrainingProgress(int Epoch, int Batch, int Batches, double Loss, double Accuracy, double ImagesPerSecond, TimeSpan Left);

/// <summary>Trains a network from random weights, or on from a checkpoint.</summary>
/// <param name="save">Called after each epoch, epoch 0 included, with all there is to know.</param>
/// <param name="report">Called after each step.</param>
internal sealed class Trainer(TrainOptions options, TrainingData data, Action<Checkpoint> save, Action<TrainingProgress> report)
{
    private sealed record Batch(float[] Crops, float[] Targets);

    /// <summary>The training faces by which each epoch is told; the same in each.</summary>
    private readonly IReadOnlyList<Face> _sample = Sample(data.Train, options);

    /// <summary>Runs to the end, or until asked to stop.</summary>
    /// <param name="checkpoint">To go on from; null begins anew.</param>
    /// <param name="stopping">Stops after the current step; what the epoch has learned by then is lost.</param>
    /// <returns>The last checkpoint.</returns>
    public Checkpoint Run(Checkpoint? checkpoint, CancellationToken stopping)
    {
        var architecture = Architecture.All[options.Network];
        checkpoint ??= Begin(architecture);
        var normalisation = checkpoint.Normalisation;
        var augmentation = new Augmentation(options, normalisation);
        var batches = data.Train.Count / Math.Min(options.BatchSize, data.Train.Count);
        using var network = new Network(architecture, checkpoint.Current);
        using var velocity = new Network(architecture, checkpoint.Velocity);
        using var average = new Network(architecture, checkpoint.Average);
        var descent = new GradientDescent(new DescentOptions(options.Momentum, options.WeightDecay, options.AverageDecay), network, velocity, average);
        while (checkpoint.Epoch < options.Epochs)
        {
            var epoch = checkpoint.Epoch + 1;
            var (clock, loss, hits, seen, step) = (Stopwatch.StartNew(), 0.0, 0, 0, 0);
            manual_seed((long)(new SplitMix(options.Seed, RandomPurpose.Dropout, epoch).Next() >> 1));
            foreach (var batch in Prefetch.Ahead(MakeBatches(epoch, augmentation)))
            {
                if (stopping.IsCancellationRequested)
                {
                    return checkpoint;
                }

                using var scope = NewDisposeScope();
                var logits = network.Forward(Faces(batch.Crops), training: true, options.Dropout);
                var cost = functional.binary_cross_entropy_with_logits(logits, tensor(batch.Targets));
                cost.backward();
                descent.Step(options.RateAt((epoch - 1) * batches + step, options.Epochs * batches), (epoch - 1) * batches + step);

                loss += GradientDescent.Finite(cost.item<float>(), options.LearningRate) * batch.Targets.Length;
                hits += logits.detach().data<float>().ToArray().Zip(batch.Targets).Count(pair => pair.First >= 0 == pair.Second >= 0.5f);
                (seen, step) = (seen + batch.Targets.Length, step + 1);
                var left = clock.Elapsed / step * ((options.Epochs - epoch + 1) * batches - step);
                report(new TrainingProgress(epoch, step, batches, loss / seen, (double)hits / seen, seen / clock.Elapsed.TotalSeconds, left));
            }

            checkpoint = Judge(average, loss / seen, clock, checkpoint with
            {
                Current = network.Read(),
                Velocity = velocity.Read(),
                Average = average.Read(),
            });
            save(checkpoint);
        }

        return checkpoint;
    }

    /// <summary>Logits of faces as the served network sees them, by the running statistics, without dropout.</summary>
    public static double[] Logits(Network network, IReadOnlyList<float[]> crops)
    {
        using var noGradients = no_grad();
        var logits = new List<double>();
        foreach (var chunk in crops.Chunk(64))
        {
            using var scope = NewDisposeScope();
            logits.AddRange(network.Forward(Faces([.. chunk.SelectMany(crop => crop)]), training: false).data<float>().ToArray().Select(logit => (double)logit));
        }

        return [.. logits];
    }

    private static Tensor Faces(float[] crops) => tensor(crops, [crops.Length / FaceCrop.Length, 1, FaceCrop.Side, FaceCrop.Side]);

    /// <summary>Epoch 0: random weights, and what they know, which is nothing.</summary>
    private Checkpoint Begin(Architecture architecture)
    {
        var clock = Stopwatch.StartNew();
        var normalisation = Measure(data.Train);
        var weights = Weights.Random(architecture.Layout, options.Seed);
        using var network = new Network(architecture, weights);
        var checkpoint = Judge(network, loss: null, clock, new Checkpoint
        {
            Options = options,
            Data = data.Hashes,
            Licence = data.Licence,
            Pictures = data.Train.Count,
            Mean = normalisation.Mean,
            Deviation = normalisation.Deviation,
            History = [],
            Filters = [],
            BestEpoch = 0,
            Calibration = Calibration.None,
            Val = null!, // Judged below.
            Finished = DateTimeOffset.UtcNow,
            Current = weights,
            Velocity = Weights.Zero(architecture.Layout),
            Average = weights,
            Best = weights,
        });
        save(checkpoint);
        return checkpoint;
    }

    /// <summary>Scores the averaged weights and keeps them as the options say.</summary>
    private Checkpoint Judge(Network average, double? loss, Stopwatch clock, Checkpoint checkpoint)
    {
        var (_, train) = Score(average, _sample, checkpoint.Normalisation);
        var (logits, val) = Score(average, data.Val, checkpoint.Normalisation);
        var isKept = !options.ChooseEpoch || checkpoint.History.Count == 0 || val.LogLoss < checkpoint.History.Min(record => record.Val.LogLoss);
        checkpoint = checkpoint with
        {
            History = [.. checkpoint.History, new EpochRecord(checkpoint.History.Count, loss, train, val, clock.Elapsed.TotalSeconds)],
            Filters = checkpoint.Filters is { } filters ? [.. filters, Filter.Of(checkpoint.Architecture, checkpoint.Average)] : null,
            Finished = DateTimeOffset.UtcNow,
        };
        if (!isKept)
        {
            return checkpoint;
        }

        var calibration = Calibration.Fit(logits, Smiles(data.Val));
        return checkpoint with
        {
            Best = checkpoint.Average,
            BestEpoch = checkpoint.Epoch,
            Calibration = calibration,
            Val = Calibrated(logits, data.Val, calibration),
        };
    }

    private static (double[] Logits, ModelScore Score) Score(Network network, IReadOnlyList<Face> faces, Normalisation normalisation)
    {
        var logits = Logits(network, [.. faces.Select(face => face.Crop(normalisation))]);
        return (logits, Calibrated(logits, faces, Calibration.None));
    }

    private static ModelScore Calibrated(double[] logits, IReadOnlyList<Face> faces, Calibration calibration) =>
        Metrics.Score([.. logits.Select(calibration.Probability)], Smiles(faces));

    private static bool[] Smiles(IReadOnlyList<Face> faces) => [.. faces.Select(IsSmile)];

    private static bool IsSmile(Face face) => face.Label ?? face.IsSmile;

    /// <summary>Some of the training faces whose label is certain, or of all where none is; of each class one at least.</summary>
    private static IReadOnlyList<Face> Sample(IReadOnlyList<Face> all, TrainOptions options)
    {
        Face[] faces = [.. all.Where(face => face.Label is not null)];
        faces = faces.Length > 0 ? faces : [.. all];
        Face[] shuffled = [.. new SplitMix(options.Seed, RandomPurpose.Order, 0).Shuffled(faces.Length).Select(i => faces[i])];
        Face[] sample = [.. shuffled.Take(options.TrainSample)];
        return [.. sample, .. shuffled.DistinctBy(IsSmile).Where(face => sample.All(other => IsSmile(other) != IsSmile(face)))];
    }

    /// <summary>Mean and deviation of the grey levels of all training crops.</summary>
    private static Normalisation Measure(IReadOnlyList<Face> faces)
    {
        var (sum, squares) = (0.0, 0.0);
        foreach (var face in faces)
        {
            var crop = face.Crop(new Normalisation(0, 1));
            sum += TensorPrimitives.Sum(crop) / crop.Length;
            squares += TensorPrimitives.SumOfSquares(crop) / crop.Length;
        }

        var mean = sum / faces.Count;
        return new Normalisation((float)mean, (float)Math.Sqrt(squares / faces.Count - mean * mean));
    }

    /// <summary>The batches of an epoch; faces left over when all batches are full sit this one out.</summary>
    private IEnumerable<Batch> MakeBatches(int epoch, Augmentation augmentation)
    {
        var order = new SplitMix(options.Seed, RandomPurpose.Order, epoch).Shuffled(data.Train.Count);
        foreach (var indices in order.Chunk(Math.Min(options.BatchSize, order.Length)).Where(chunk => chunk.Length == Math.Min(options.BatchSize, order.Length)))
        {
            var batch = new Batch(new float[indices.Length * FaceCrop.Length], [.. indices.Select(i => data.Train[i].Target)]);
            foreach (var (place, index) in indices.Index())
            {
                var chance = new SplitMix(options.Seed, RandomPurpose.Augmentation, epoch, index);
                augmentation.Apply(data.Train[index], ref chance, batch.Crops.AsSpan(place * FaceCrop.Length, FaceCrop.Length));
            }

            yield return batch;
        }
    }
}
