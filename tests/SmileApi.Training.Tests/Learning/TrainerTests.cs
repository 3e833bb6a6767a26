namespace SmileApi.Training.Tests;

public sealed class TrainerTests
{
    private static readonly TrainOptions Short = new() { Epochs = 2, BatchSize = 8, LearningRate = 0.02, TrainSample = 40, Seed = 5 };

    [Fact]
    public void A_run_starts_at_a_coin_toss_and_learns_drawn_smiles()
    {
        Needs.LibTorch();
        var (checkpoint, _) = Train(Short with { Epochs = 10, MinScale = 0.9, MaxScale = 1.1, RollDegrees = 5 }, DrawnFaces.Data(256));
        var start = checkpoint.History[0];
        Assert.Null(start.Loss);
        Assert.Equal(Math.Log(2), start.Val.LogLoss, 0.03);
        Assert.Equal(0.5, start.Val.BalancedAccuracy, 0.05);
        Assert.Equal(11, checkpoint.History.Count);
        Assert.True(checkpoint.Val.BalancedAccuracy > 0.9, $"Balanced accuracy is {checkpoint.Val.BalancedAccuracy:P1}.");
    }

    [Fact]
    public void The_same_seed_gives_the_same_losses_and_weights_bit_for_bit_and_another_seed_others()
    {
        Needs.LibTorch();
        var (first, losses) = Train(Short, DrawnFaces.Data());
        var (second, again) = Train(Short, DrawnFaces.Data());
        Assert.Equal(losses, again);
        SameWeights(first, second);
        Assert.NotEqual(losses, Train(Short with { Seed = 6, Epochs = 1 }, DrawnFaces.Data()).Losses);
    }

    [Fact]
    public void Forced_garbage_collections_change_no_loss()
    {
        Needs.LibTorch();
        var (_, quiet) = Train(Short, DrawnFaces.Data());
        using var enough = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!enough.IsCancellationRequested)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        });
        collector.Start();
        try
        {
            var (_, stressed) = Train(Short, DrawnFaces.Data(), GC.Collect);
            Assert.Equal(quiet, stressed);
        }
        finally
        {
            enough.Cancel();
            collector.Join();
        }
    }

    [Fact]
    public void A_run_stopped_within_an_epoch_goes_on_to_the_uninterrupted_result()
    {
        Needs.LibTorch();
        using var run = new TemporaryFolder();
        var (whole, _) = Train(Short with { Epochs = 3 }, DrawnFaces.Data());
        using var stopping = new CancellationTokenSource();
        var stopped = new Trainer(Short with { Epochs = 3 }, DrawnFaces.Data(), checkpoint => checkpoint.Save(run.Path), progress =>
        {
            if (progress is { Epoch: 2, Batch: 3 })
            {
                stopping.Cancel();
            }
        }).Run(null, stopping.Token);
        Assert.Equal(1, stopped.Epoch);

        var loaded = Checkpoint.Load(run.Path);
        var resumed = new Trainer(loaded.Options, DrawnFaces.Data(), checkpoint => checkpoint.Save(run.Path), _ => { }).Run(loaded, CancellationToken.None);
        SameWeights(whole, resumed);
        SameWeights(whole, Checkpoint.Load(run.Path));
    }

    [Fact]
    public void The_filters_of_every_epoch_are_kept_from_the_random_ones_to_those_that_are_exported()
    {
        Needs.LibTorch();
        var (checkpoint, _) = Train(Short, DrawnFaces.Data());
        var filters = checkpoint.Filters!;
        Assert.Equal(Short.Epochs + 1, filters.Count);
        Assert.All(filters, epoch => Assert.Equal((16, 25), (epoch.Count, Assert.Single(epoch.Select(filter => filter.Kernel.Count).Distinct()))));
        Assert.All(filters.Zip(filters.Skip(1)), pair => Assert.NotEqual(Numbers(pair.First), Numbers(pair.Second)));

        // With nothing learned yet, normalisation divides by the root of 1 + e.
        var random = Weights.Random(Architecture.Served.Layout, Short.Seed)["stem.weight"];
        Assert.All(random.Zip(Numbers(filters[0])), pair => Assert.Equal(pair.First, pair.Second, 1e-3 * Math.Abs(pair.First)));
        var exported = checkpoint.Best.Folded(Architecture.Served.Stem).Weight;
        Assert.All(exported.Zip(Numbers(filters[checkpoint.BestEpoch])), pair => Assert.Equal(pair.First, pair.Second, 1e-3 * Math.Abs(pair.First)));
    }

    [Fact]
    public void A_run_begun_before_filters_were_kept_goes_on_to_the_same_network_without_them()
    {
        Needs.LibTorch();
        using var run = new TemporaryFolder();
        var (whole, _) = Train(Short, DrawnFaces.Data());
        Checkpoint? first = null;
        new Trainer(Short, DrawnFaces.Data(), checkpoint => first ??= checkpoint.Epoch == 1 ? checkpoint : null, _ => { }).Run(null, CancellationToken.None);
        (first! with { Filters = null }).Save(run.Path);

        var old = Checkpoint.Load(run.Path);
        var resumed = new Trainer(old.Options, DrawnFaces.Data(), _ => { }, _ => { }).Run(old, CancellationToken.None);
        SameNumbers(whole, resumed);
        Assert.Null(resumed.Filters);
        Assert.Null(RunHistory.Of(resumed, ExportCommand.Describe(resumed)).Filters);
    }

    [Fact]
    public void Epochs_are_told_by_faces_of_certain_label_and_by_that_label_whatever_is_learned_instead()
    {
        Needs.LibTorch();
        var drawn = DrawnFaces.Data(256);
        // As after teachers: no target is certain, some are wrong, and half of the faces have no label.
        var soft = drawn with { Train = [.. drawn.Train.Select((face, i) => face with { Target = i < 16 ? 1 - face.Target : face.Target * 0.8f + 0.1f, Label = i < 128 ? face.Target == 1 : null })] };
        var (checkpoint, _) = Train(Short with { Epochs = 10, MinScale = 0.9, MaxScale = 1.1, RollDegrees = 5, TrainSample = 1000 }, soft);
        Assert.All(checkpoint.History, record => Assert.Equal(128, record.Train.Count));
        Assert.True(checkpoint.History[^1].Train.Accuracy > 0.9, $"Accuracy by label is {checkpoint.History[^1].Train.Accuracy:P1}."); // By target at most 112 of 128.

        // A sample that would hold one class only has one of the other, too: without it there is no balanced accuracy.
        Assert.Equal(2, Train(Short with { Epochs = 1, TrainSample = 1 }, drawn).Checkpoint.History[0].Train.Count);
    }

    [Fact]
    public void The_rate_warms_up_and_then_falls_to_nothing()
    {
        var options = new TrainOptions();
        double[] rates = [.. Enumerable.Range(0, 1000).Select(step => options.RateAt(step, 1000))];
        Assert.InRange(rates[0], 0.0001, 0.001);
        Assert.Equal(options.LearningRate, rates[200], 12);
        Assert.Equal(200, Array.IndexOf(rates, rates.Max()));
        Assert.InRange(rates[^1], 0, 1e-5);
        Assert.All(rates[201..].Zip(rates[200..]), pair => Assert.True(pair.First < pair.Second));
    }

    [Fact]
    public void Every_order_holds_every_face_once()
    {
        Assert.Equal(Enumerable.Range(0, 100), new SplitMix(1, 2).Shuffled(100).Order());
        Assert.NotEqual(new SplitMix(1, 2).Shuffled(100), new SplitMix(1, 3).Shuffled(100));
    }

    private static (Checkpoint Checkpoint, List<double> Losses) Train(TrainOptions options, TrainingData data, Action? eachStep = null)
    {
        var losses = new List<double>();
        var checkpoint = new Trainer(options, data, _ => { }, progress =>
        {
            losses.Add(progress.Loss);
            eachStep?.Invoke();
        }).Run(null, CancellationToken.None);
        return (checkpoint, losses);
    }

    private static IEnumerable<float> Numbers(IEnumerable<Filter> filters) => filters.SelectMany(filter => filter.Kernel);

    internal static void SameWeights(Checkpoint expected, Checkpoint actual)
    {
        SameNumbers(expected, actual);
        Assert.Equal(expected.Filters!.Select(Numbers), actual.Filters!.Select(Numbers));
    }

    private static void SameNumbers(Checkpoint expected, Checkpoint actual)
    {
        Assert.Equal(expected.History.Select(record => record with { Seconds = 0 }), actual.History.Select(record => record with { Seconds = 0 }));
        Assert.Equal(expected.Calibration, actual.Calibration);
        foreach (var part in new Func<Checkpoint, Weights>[] { run => run.Current, run => run.Velocity, run => run.Average, run => run.Best })
        {
            Assert.All(Architecture.Served.Layout.Tensors, tensor => Assert.Equal(part(expected)[tensor.Name], part(actual)[tensor.Name]));
        }
    }
}
