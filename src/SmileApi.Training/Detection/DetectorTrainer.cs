using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>Both stages, trained.</summary>
/// <param name="Calibration">Of the second one's confidence; a face counts from 0.5 on.</param>
/// <param name="FindWeight">How much the first one's logit counts beside that.</param>
internal sealed record Detector(StageCheckpoint Find, StageCheckpoint Check, Calibration Calibration, double FindWeight);

/// <summary>Trains a detector's two stages one after the other, in a folder where each goes on where it was stopped.</summary>
/// <param name="folder">The data folder.</param>
/// <param name="run">The folder of checkpoints.</param>
/// <param name="tell">Called with a line for people at each checkpoint.</param>
/// <param name="report">Called after each step with the stage's name.</param>
internal sealed class DetectorTrainer(FaceTrainOptions options, string folder, string run, Action<string> tell, Action<string, StageProgress> report)
{
    /// <summary>What may be mistaken for a face while the second stage learns: nearly everything that could be.</summary>
    private const float MistakesFrom = 0.03f;

    /// <summary>How many false faces a held-out picture may have at the default confidence.</summary>
    private const double FalseFacesAPicture = 0.03;

    // Between them a confidence can be told from 0 and from 1, whose logits are infinite.
    private const float LeastConfidence = 0.01f;
    private const float MostConfidence = 0.9999f;

    /// <summary>Where the first stage's checkpoint lies in a run.</summary>
    public static string FindCheckpoint(string run) => Path.Combine(run, "find.bin");

    /// <summary>The same of the second stage.</summary>
    public static string CheckCheckpoint(string run) => Path.Combine(run, "check.bin");

    /// <summary>Runs to the end, or until asked to stop.</summary>
    /// <returns>The detector; null when it was stopped.</returns>
    public Detector? Run(CancellationToken stopping)
    {
        var data = Hashes(folder);
        var (earlierFind, earlierCheck) = (Earlier(FindCheckpoint(run), FindArchitecture.Layout, data), Earlier(CheckCheckpoint(run), CheckArchitecture.Layout, data));
        var (faces, scenes) = (FacePicture.Load(folder, "train"), Scenes.Load(folder, "train"));
        var (otherFaces, otherScenes) = (FacePicture.Load(folder, "val"), Scenes.Load(folder, "val"));
        tell($"{faces.Count} faces and {scenes.Count} scenes to learn from, {otherFaces.Count} and {otherScenes.Count} to judge by; checkpoints in {run}.");
        var find = new FindTrainer(options, new FindPictures(faces, scenes, new CompositionOptions()), HeldOut(otherFaces, otherScenes), data, SaveFind, step => report("find", step)).Run(earlierFind, stopping);
        if (find.Step < options.FindSteps)
        {
            return null;
        }

        // A second stage that knows nothing stands in while candidates are collected; nobody asks it.
        var collecting = Path.Combine(run, "collecting.onnx");
        var nothing = Weights.Random(CheckArchitecture.Layout, options.Seed);
        FaceExport.Write(collecting, find, find with { Average = nothing }, Calibration.None, findWeight: 0, Licence, MistakesFrom);
        var (findModel, checkModel) = FaceExport.Load(collecting);
        using (findModel)
        using (checkModel)
        using (var networks = new DirectFaceNetworks(findModel, checkModel))
        using (var others = new DirectFaceNetworks(findModel, checkModel))
        {
            var candidates = Collect(new CandidateSource(otherFaces, otherScenes, others));
            var check = new CheckTrainer(options, new CandidateSource(faces, scenes, networks), candidates, data, SaveCheck, step => report("check", step)).Run(earlierCheck, stopping);
            if (check.Step < options.CheckSteps)
            {
                return null;
            }

            using var network = new CheckNetwork(check.Average);
            return Cautious(Calibrated(find, check, CheckTrainer.Logits(network, candidates), candidates), otherFaces, otherScenes);
        }

        void SaveFind(StageCheckpoint checkpoint)
        {
            checkpoint.Save(FindCheckpoint(run));
            if (checkpoint.History is [.., var record])
            {
                tell($"find  {record.Step,6}  loss {record.Loss:F4}  held-out faces {record.Found:P2}  false cells a picture {record.False:F3}  {record.Seconds:F0} s");
            }
        }

        void SaveCheck(StageCheckpoint checkpoint)
        {
            checkpoint.Save(CheckCheckpoint(run));
            var record = checkpoint.History[^1];
            tell($"check {record.Step,6}  loss {record.Loss:F4}  held-out faces {record.Found:P2}  false candidates {record.False:P2}  {record.Seconds:F0} s");
        }
    }

    /// <summary>What the weights may be used for.</summary>
    public const string Licence =
        "The weights were trained on pictures that allow research use only; for commercial use retrain on pictures of your own: smile train-faces.";

    private static Dictionary<string, string> Hashes(string folder) => new[] { Lfw160.ArchiveName, Scenes.ArchiveName, Faces36.ArchiveName }
        .Select(name => Path.Combine(folder, name)).Where(File.Exists).ToDictionary(path => Path.GetFileName(path), Archive.Hash);

    /// <summary>
    /// Calibrates what both stages say together. The first sees the surroundings, which the second does not, so that together
    /// they are wrong less often than either.
    /// </summary>
    private Detector Calibrated(StageCheckpoint find, StageCheckpoint check, double[] logits, IReadOnlyList<Candidate> candidates)
    {
        var named = candidates.Zip(logits).Where(pair => pair.First.Find is not null).ToArray();
        var calibration = Calibration.Fit(
            [.. named.Select(pair => pair.Second + options.FindWeight * Logit(pair.First.Find!.Value))], [.. named.Select(pair => pair.First.IsFace)]);
        return new Detector(find, check, calibration, options.FindWeight / calibration.Temperature);
    }

    private static double Logit(double probability) => Math.Log(probability / (1 - probability));

    /// <summary>
    /// Moves the confidence of everything until one half, where a face counts, is what hardly anything reaches that is none: the
    /// second stage learned from faces and others half and half, where in photographs others are by far the most.
    /// </summary>
    private Detector Cautious(Detector trained, IReadOnlyList<FacePicture> faces, IReadOnlyList<GreyImage> scenes)
    {
        var path = Path.Combine(run, "cautious.onnx");
        FaceExport.Write(path, trained.Find, trained.Check, trained.Calibration, trained.FindWeight, Licence);
        using var detector = FaceDetector.Load(path);
        var composer = new Composer(faces, scenes, new CompositionOptions { Width = 480, Height = 360, MinBox = 24, MaxBox = 200, LargeShare = 0, MaxFaces = 4, MaxDistractors = 0, Spoiling = 0.5 });
        var (pictures, mistakes) = (0, new List<float>());
        for (var i = 0; i < options.HeldOut; i++, pictures++)
        {
            var chance = new SplitMix(options.Seed, RandomPurpose.HeldOut, -1 - options.HeldOut - i);
            using var composition = composer.Compose(ref chance);
            mistakes.AddRange(detector.Faces(composition.Image, LeastConfidence).Where(face => composition.Faces.All(other => other.Box.IoU(face.Box) < 0.2f)).Select(face => face.Confidence));
        }

        foreach (var scene in scenes)
        {
            pictures++;
            mistakes.AddRange(detector.Faces(scene, LeastConfidence).Select(face => face.Confidence));
        }

        var allowed = (int)(FalseFacesAPicture * pictures);
        // With hardly a mistake at all, nothing need be moved.
        var threshold = Math.Min(mistakes.OrderDescending().Skip(allowed).FirstOrDefault(FaceExport.Threshold), MostConfidence);
        tell($"a confidence of {threshold:F4} is passed by {allowed} of {mistakes.Count} mistakes in {pictures} held-out pictures, and becomes 0.5");
        return trained with { Calibration = trained.Calibration with { Bias = trained.Calibration.Bias - Logit(threshold) } };
    }

    private StageCheckpoint? Earlier(string path, Layout layout, Dictionary<string, string> data)
    {
        var earlier = StageCheckpoint.Load(path, layout);
        return earlier is null || earlier.Data.ToHashSet().SetEquals(data)
            ? earlier
            : throw new CommandException($"The run in {run} was trained on other data than these; a resumed run would not be the same run.");
    }

    private Composition[] HeldOut(IReadOnlyList<FacePicture> faces, IReadOnlyList<GreyImage> scenes)
    {
        var pictures = new FindPictures(faces, scenes, new CompositionOptions());
        return [.. Enumerable.Range(0, options.HeldOut).Select(i =>
        {
            var chance = new SplitMix(options.Seed, RandomPurpose.HeldOut, i);
            return pictures.Next(ref chance);
        })];
    }

    private List<Candidate> Collect(CandidateSource source)
    {
        var candidates = new List<Candidate>();
        for (var i = 0; i < options.HeldOut; i++)
        {
            var chance = new SplitMix(options.Seed, RandomPurpose.HeldOut, -1 - i);
            candidates.AddRange(source.Next(ref chance));
        }

        return candidates;
    }
}
