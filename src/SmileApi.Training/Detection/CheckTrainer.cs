using System.Diagnostics;
using SmileApi.Inference;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace SmileApi.Training;

/// <summary>Trains the second stage on candidates that are collected on the way; none is seen twice.</summary>
/// <param name="source">Of candidates to learn from.</param>
/// <param name="heldOut">Candidates to tell by how far it is.</param>
/// <param name="save">Called every so many steps with all there is to know.</param>
/// <param name="report">Called after each step.</param>
internal sealed class CheckTrainer(
    FaceTrainOptions options, CandidateSource source, IReadOnlyList<Candidate> heldOut, IReadOnlyDictionary<string, string> data, Action<StageCheckpoint> save, Action<StageProgress> report)
{
    private sealed record Batch(int Count, float[] Candidates, float[] Faces, float[] Weights, float[] Boxes, float[] BoxWeights);

    /// <summary>Photographs for each candidate of a batch; a first stage that names fewer in so many leaves nothing to learn.</summary>
    private const int MostPhotographs = 4;

    /// <inheritdoc cref="FindTrainer.Run"/>
    /// <exception cref="CommandException">The first stage names no candidates of one kind.</exception>
    public StageCheckpoint Run(StageCheckpoint? checkpoint, CancellationToken stopping)
    {
        checkpoint ??= Begin();
        using var network = new CheckNetwork(checkpoint.Current);
        using var velocity = new CheckNetwork(checkpoint.Velocity);
        using var average = new CheckNetwork(checkpoint.Average);
        var descent = new GradientDescent(options.Descent(), network, velocity, average);
        var (clock, loss, seen, first) = (Stopwatch.StartNew(), 0.0, 0, checkpoint.Step);
        var step = first;
        foreach (var batch in Prefetch.Ahead(Enumerable.Range(first, options.CheckSteps - first).Select(MakeBatch)))
        {
            if (stopping.IsCancellationRequested)
            {
                return checkpoint;
            }

            using (NewDisposeScope())
            {
                manual_seed((long)(new SplitMix(options.Seed, RandomPurpose.Dropout, step).Next() >> 1));
                var cost = Cost(network, batch);
                cost.backward();
                descent.Step(GradientDescent.RateAt(options.CheckRate, options.WarmUp, step, options.CheckSteps), step);
                loss += GradientDescent.Finite(cost.item<float>(), options.CheckRate);
            }

            (step, seen) = (step + 1, seen + batch.Count);
            var done = step - first;
            report(new StageProgress(step, options.CheckSteps, loss / done, seen / clock.Elapsed.TotalSeconds, clock.Elapsed / done * (options.CheckSteps - step)));
            if (step % options.StepsPerCheckpoint == 0 || step == options.CheckSteps)
            {
                var (found, wrong) = Judge(average);
                checkpoint = checkpoint with
                {
                    Pictures = checkpoint.Pictures + seen,
                    History = [.. checkpoint.History, new StageRecord(step, loss / done, found, wrong, clock.Elapsed.TotalSeconds)],
                    Finished = DateTimeOffset.UtcNow,
                    Current = network.Read(),
                    Velocity = velocity.Read(),
                    Average = average.Read(),
                };
                save(checkpoint);
                (loss, seen, first) = (0, 0, step);
                clock.Restart();
            }
        }

        return checkpoint;
    }

    /// <summary>Logits of being a face, by the running statistics, without dropout: means of two looks, as the service takes them.</summary>
    public static double[] Logits(CheckNetwork network, IReadOnlyList<Candidate> candidates)
    {
        using var noGradients = no_grad();
        var logits = new List<double>();
        foreach (var chunk in candidates.Chunk(128))
        {
            var (looks, mirrored) = (Look(chunk, mirrored: false), Look(chunk, mirrored: true));
            logits.AddRange(Enumerable.Range(0, chunk.Length).Select(i => (looks[i * CheckArchitecture.Outputs] + (double)mirrored[i * CheckArchitecture.Outputs]) / 2));
        }

        return [.. logits];

        float[] Look(Candidate[] chunk, bool mirrored)
        {
            using var scope = NewDisposeScope();
            return network.Forward(Images([.. chunk.SelectMany(candidate => Normalised(candidate, mirrored))]), training: false).data<float>().ToArray();
        }
    }

    private StageCheckpoint Begin() => new()
    {
        Options = options,
        Data = data,
        Pictures = 0,
        History = [],
        Finished = DateTimeOffset.UtcNow,
        Current = Weights.Random(CheckArchitecture.Layout, options.Seed),
        Velocity = Weights.Zero(CheckArchitecture.Layout),
        Average = Weights.Random(CheckArchitecture.Layout, options.Seed),
    };

    /// <summary>Binary cross-entropy, in which faces and others weigh alike, and absolute error of a face's box.</summary>
    private Tensor Cost(CheckNetwork network, Batch batch)
    {
        var answers = network.Forward(Images(batch.Candidates), training: true, options.Dropout);
        var parts = answers.split([1, CheckArchitecture.Outputs - 1], dim: 1);
        var (face, box) = (parts[0].squeeze(1), parts[1]);
        // log(1 + e^x) - x t, by operations without numbers among their arguments: TorchSharp would make temporary Scalars of them.
        var entropy = network.Difference(functional.logsigmoid(face.neg()).neg(), face.mul(tensor(batch.Faces))).mul(tensor(batch.Weights));
        var off = network.Difference(box, tensor(batch.Boxes, [batch.Count, CheckArchitecture.Outputs - 1])).abs().mul(tensor(batch.BoxWeights, [batch.Count, CheckArchitecture.Outputs - 1]));
        return stack([entropy.sum(), off.sum()]).sum();
    }

    private static Tensor Images(float[] levels) => tensor(levels, [levels.Length / CheckArchitecture.Length, 1, CheckArchitecture.Side, CheckArchitecture.Side]);

    private static float[] Normalised(Candidate candidate, bool mirrored)
    {
        var levels = candidate.Levels.ToArray();
        for (var y = 0; mirrored && y < CheckArchitecture.Side; y++)
        {
            levels.AsSpan(y * CheckArchitecture.Side, CheckArchitecture.Side).Reverse();
        }

        FaceSearch.Normalise(levels, CheckArchitecture.DeviationFloor);
        return levels;
    }

    private Batch MakeBatch(int step)
    {
        var random = new SplitMix(options.Seed, RandomPurpose.Candidates, step);
        var candidates = new List<Candidate>();
        var photographs = 0;
        while (candidates.Count < options.CheckBatch || candidates.TrueForAll(candidate => !candidate.IsFace) || candidates.TrueForAll(candidate => candidate.IsFace))
        {
            candidates.AddRange(source.Next(ref random));
            if (++photographs > MostPhotographs * options.CheckBatch)
            {
                throw new CommandException($"In {photographs} photographs the first stage takes faces alone for faces, or nothing; train it longer.");
            }
        }

        var faces = candidates.Count(candidate => candidate.IsFace);
        var (faceWeight, otherWeight) = (0.5f / faces, 0.5f / (candidates.Count - faces));
        var batch = new Batch(
            candidates.Count, new float[candidates.Count * CheckArchitecture.Length], new float[candidates.Count], new float[candidates.Count],
            new float[candidates.Count * (CheckArchitecture.Outputs - 1)], new float[candidates.Count * (CheckArchitecture.Outputs - 1)]);
        foreach (var (i, candidate) in candidates.Index())
        {
            var mirrored = random.Uniform() < 0.5;
            Normalised(candidate, mirrored).CopyTo(batch.Candidates, i * CheckArchitecture.Length);
            batch.Weights[i] = candidate.IsFace ? faceWeight : otherWeight;
            if (candidate.IsFace)
            {
                batch.Faces[i] = 1;
                var sign = mirrored ? -1 : 1;
                float[] box = [sign * candidate.Dx, candidate.Dy, candidate.LogScale, sign * candidate.Roll];
                box.CopyTo(batch.Boxes, i * box.Length);
                batch.BoxWeights.AsSpan(i * box.Length, box.Length).Fill((float)options.BoxWeight / faces);
            }
        }

        return batch;
    }

    /// <summary>Share of held-out faces, and of other candidates, that are taken for faces.</summary>
    private (double Found, double False) Judge(CheckNetwork network)
    {
        var logits = Logits(network, heldOut);
        return (Share(isFace: true), Share(isFace: false));

        double Share(bool isFace) => logits.Zip(heldOut).Where(pair => pair.Second.IsFace == isFace).Select(pair => pair.First >= 0 ? 1.0 : 0).DefaultIfEmpty().Average();
    }
}
