using SmileApi.Inference;

namespace SmileApi.Training.Tests;

/// <summary>Both stages learn drawn faces.</summary>
public sealed class StageTrainerTests
{
    private static readonly Dictionary<string, string> Data = new() { ["drawn"] = "00" };

    private static readonly FaceTrainOptions Short = new() { Seed = 5, FindSteps = 8, FindBatch = 4, CheckSteps = 8, CheckBatch = 16, StepsPerCheckpoint = 3 };

    public static TheoryData<string> Kinds => ["find", "check"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_same_seed_gives_the_same_losses_and_weights_bit_for_bit_and_another_seed_others(string kind)
    {
        Needs.LibTorch();
        var (first, losses) = Train(kind, Short);
        var (second, again) = Train(kind, Short);
        Assert.Equal(8, losses.Count);
        Assert.Equal(losses, again);
        Stages.Same(first, second);
        Assert.Equal([3, 6, 8], first.History.Select(record => record.Step));
        Assert.NotEqual(losses, Train(kind, Short with { Seed = 6 }).Losses);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_stage_that_is_stopped_goes_on_to_the_uninterrupted_result(string kind)
    {
        Needs.LibTorch();
        using var run = new TemporaryFolder();
        var (whole, _) = Train(kind, Short);
        using var stopping = new CancellationTokenSource();
        var (stopped, _) = Train(kind, Short, eachStep: step =>
        {
            if (step == 5)
            {
                stopping.Cancel();
            }
        }, save: checkpoint => checkpoint.Save(run["stage.bin"]), stopping: stopping.Token);
        Assert.Equal(3, stopped.Step);

        var loaded = StageCheckpoint.Load(run["stage.bin"], stopped.Current.Layout)!;
        Stages.Same(stopped, loaded);
        var (resumed, _) = Train(kind, loaded.Options, loaded, save: checkpoint => checkpoint.Save(run["stage.bin"]));
        Stages.Same(whole, resumed);
        Stages.Same(whole, StageCheckpoint.Load(run["stage.bin"], stopped.Current.Layout)!);

        // One that has come to its end stays as it is.
        var (ended, losses) = Train(kind, Short, resumed);
        Assert.Empty(losses);
        Assert.Same(resumed, ended);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Forced_garbage_collections_change_no_loss(string kind)
    {
        Needs.LibTorch();
        var few = Short with { FindSteps = 4, CheckSteps = 4 };
        var (_, quiet) = Train(kind, few);
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
            var (_, stressed) = Train(kind, few, eachStep: _ => GC.Collect());
            Assert.Equal(quiet, stressed);
        }
        finally
        {
            enough.Cancel();
            collector.Join();
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_few_dozen_steps_lower_the_loss(string kind)
    {
        Needs.LibTorch();
        var (checkpoint, _) = Train(kind, Short with { FindSteps = 48, CheckSteps = 36, StepsPerCheckpoint = 6 });
        var losses = checkpoint.History.Select(record => record.Loss).ToArray();
        TestContext.Current.SendDiagnosticMessage($"{kind}: {string.Join(' ', checkpoint.History.Select(record => $"{record.Loss:F3} ({record.Found:P0}, {record.False:F2})"))}");
        Assert.True(losses[^1] < 0.8 * losses[0], $"The loss went from {losses[0]:F4} to {losses[^1]:F4}.");
    }

    [Fact]
    public void The_first_stage_is_saved_before_its_first_step_with_its_options()
    {
        Needs.LibTorch();
        var saved = new List<StageCheckpoint>();
        using var stopping = new CancellationTokenSource();
        stopping.Cancel();
        var (stopped, losses) = Train("find", Short, save: saved.Add, stopping: stopping.Token);
        Assert.Empty(losses);
        Assert.Same(stopped, Assert.Single(saved));
        Assert.Equal((0, Short), (stopped.Step, stopped.Options));
    }

    [Fact]
    public void A_second_stage_begins_as_a_coin_toss()
    {
        Needs.LibTorch();
        var (checkpoint, losses) = Train("check", Short with { CheckSteps = 1, BoxWeight = 1e-6 });
        Assert.Equal(Math.Log(2), losses[0], 1e-3);
        Assert.InRange(checkpoint.Pictures, 16, 100); // One batch, and as many more as the last photograph had.
    }

    [Fact]
    public void A_first_stage_that_names_nothing_ends_the_second_with_a_reason()
    {
        Needs.LibTorch();
        using var folder = new TemporaryFolder();
        var nothing = Stages.Checkpoint(FindArchitecture.RandomWeights(1));
        FaceExport.Write(folder["faces.onnx"], nothing, Stages.Checkpoint(Weights.Zero(CheckArchitecture.Layout)), Calibration.None, findWeight: 0, "For tests.");
        using var detector = new Detectors(folder["faces.onnx"]);
        var trainer = new CheckTrainer(Short with { CheckBatch = 4 }, Source(detector.Networks), [], Data, _ => { }, _ => { });
        Assert.Contains("train it longer", Assert.Throws<CommandException>(() => trainer.Run(null, CancellationToken.None)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Candidates_show_what_they_say_they_show()
    {
        using var folder = new TemporaryFolder();
        DrawnDetector.Write(folder.Path);
        using var detector = new Detectors(folder["faces.onnx"]);
        var candidates = Candidates(Source(detector.Networks), 20);
        var faces = candidates.Where(candidate => candidate.IsFace).ToArray();
        Assert.InRange(faces.Length, 10, candidates.Count - 10);
        Assert.All(candidates, candidate =>
        {
            Assert.Equal(CheckArchitecture.Length, candidate.Levels.Length);
            Assert.All(candidate.Levels, level => Assert.InRange(level, -1, 256));
        });
        // Two squares that have nearly half of their area in common are not far apart.
        Assert.All(faces, face =>
        {
            Assert.InRange(face.Dx, -0.5f, 0.5f);
            Assert.InRange(face.Dy, -0.5f, 0.5f);
            Assert.InRange(face.LogScale, -0.45f, 0.45f);
            Assert.InRange(face.Roll, -0.7f, 0.7f);
        });
        Assert.All(candidates.Except(faces), other => Assert.Equal((0, 0, 0, 0), (other.Dx, other.Dy, other.LogScale, other.Roll)));

        var again = Candidates(Source(detector.Networks), 20);
        Assert.Equal(candidates.SelectMany(candidate => candidate.Levels), again.SelectMany(candidate => candidate.Levels));
    }

    private static (StageCheckpoint Checkpoint, List<double> Losses) Train(
        string kind, FaceTrainOptions options, StageCheckpoint? from = null, Action<int>? eachStep = null, Action<StageCheckpoint>? save = null, CancellationToken stopping = default)
    {
        var losses = new List<double>();
        if (kind == "find")
        {
            var composition = new CompositionOptions { Width = 128, Height = 96, MaxBox = 40, LargestBox = 70, MinFaces = 1, MaxFaces = 3, MaxDistractors = 2 };
            var pictures = new FindPictures(DrawnFaces.Pictures(1, 12), DrawnFaces.Scenes(1, 6), composition);
            var random = new SplitMix(options.Seed, RandomPurpose.HeldOut);
            Composition[] heldOut = [pictures.Next(ref random), pictures.Next(ref random)];
            return (new FindTrainer(options, pictures, heldOut, Data, save ?? (_ => { }), Report).Run(from, stopping), losses);
        }

        using var folder = new TemporaryFolder();
        DrawnDetector.Write(folder.Path);
        using var detector = new Detectors(folder["faces.onnx"]);
        using var others = new Detectors(folder["faces.onnx"]);
        return (new CheckTrainer(options, Source(detector.Networks), Candidates(Source(others.Networks), 3), Data, save ?? (_ => { }), Report).Run(from, stopping), losses);

        void Report(StageProgress progress)
        {
            losses.Add(progress.Loss);
            eachStep?.Invoke(progress.Step);
        }
    }

    private static CandidateSource Source(IFaceNetworks networks) => new(DrawnFaces.Pictures(1, 12), DrawnFaces.Scenes(1, 6), networks);

    private static List<Candidate> Candidates(CandidateSource source, int photographs)
    {
        var random = new SplitMix(3);
        return [.. Enumerable.Range(0, photographs).SelectMany(_ => source.Next(ref random))];
    }

    /// <summary>A detector's networks, run by hand.</summary>
    private sealed class Detectors : IDisposable
    {
        private readonly FaceModel _find;
        private readonly FaceModel _check;

        public Detectors(string path)
        {
            (_find, _check) = FaceExport.Load(path);
            Networks = new DirectFaceNetworks(_find, _check);
        }

        public DirectFaceNetworks Networks { get; }

        public void Dispose()
        {
            Networks.Dispose();
            _find.Dispose();
            _check.Dispose();
        }
    }
}
