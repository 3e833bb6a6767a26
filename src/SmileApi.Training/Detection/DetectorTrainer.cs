using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>Trains a detector's two stages one after the other, in a folder where each goes on where it was stopped.</summary>
/// <param name="folder">The data folder.</param>
/// <param name="run">The folder of checkpoints.</param>
/// <param name="tell">Called with a line for people at each checkpoint.</param>
/// <param name="report">Called after each step with the stage's name.</param>
internal sealed class DetectorTrainer(FaceTrainOptions options, string folder, string run, Action<string> tell, Action<string, StageProgress> report)
{
    /// <summary>What may be mistaken for a face while the second stage learns: nearly everything that could be.</summary>
    private const float MistakesFrom = 0.03f;

    private const int HeldOutPictures = 300;
    private const int HeldOutPhotographs = 400;

    /// <summary>Where the first stage's checkpoint lies in a run.</summary>
    public static string FindCheckpoint(string run) => Path.Combine(run, "find.bin");

    private string CheckCheckpoint => Path.Combine(run, "check.bin");

    /// <summary>Runs to the end, or until asked to stop.</summary>
    /// <returns>Both stages, the second one's calibration and the default threshold; null when it was stopped.</returns>
    public (StageCheckpoint Find, StageCheckpoint Check, Calibration Calibration, float Threshold)? Run(CancellationToken stopping)
    {
        var data = Hashes(folder);
        var (earlierFind, earlierCheck) = (Earlier(FindCheckpoint(run), FindArchitecture.Layout, data), Earlier(CheckCheckpoint, CheckArchitecture.Layout, data));
        var (faces, scenes) = (FacePicture.Load(folder, "train"), Scenes.Load(folder, heldOut: false));
        var (otherFaces, otherScenes) = (FacePicture.Load(folder, "val"), Scenes.Load(folder, heldOut: true));
        var find = new FindTrainer(options, new Composer(faces, scenes, new CompositionOptions()), HeldOut(otherFaces, otherScenes), data, Save, step => report("find", step)).Run(earlierFind, stopping);
        if (find.Step < options.FindSteps)
        {
            return null;
        }

        // A second stage that knows nothing stands in while candidates are collected; nobody asks it.
        var collecting = Path.Combine(run, "collecting.onnx");
        var nothing = Weights.Random(CheckArchitecture.Layout, options.Seed);
        FaceExport.Write(collecting, find, find with { Average = nothing }, Calibration.None, 0.5f, Licence, MistakesFrom);
        var (findModel, checkModel) = FaceExport.Load(collecting);
        using (findModel)
        using (checkModel)
        using (var networks = new DirectFaceNetworks(findModel, checkModel))
        using (var others = new DirectFaceNetworks(findModel, checkModel))
        {
            var candidates = Collect(new CandidateSource(otherFaces, otherScenes, others));
            var check = new CheckTrainer(options, new CandidateSource(faces, scenes, networks), candidates, data, Save2, step => report("check", step)).Run(earlierCheck, stopping);
            if (check.Step < options.CheckSteps)
            {
                return null;
            }

            using var network = new CheckNetwork(check.Average);
            var calibration = Calibration.Fit(CheckTrainer.Logits(network, candidates), [.. candidates.Select(candidate => candidate.IsFace)]);
            return (find, check, calibration, 0.5f);
        }

        void Save(StageCheckpoint checkpoint)
        {
            checkpoint.Save(FindCheckpoint(run));
            var record = checkpoint.History[^1];
            tell($"find  {record.Step,6}  loss {record.Loss:F4}  held-out faces {record.Found:P2}  false cells a picture {record.False:F3}  {record.Seconds:F0} s");
        }

        void Save2(StageCheckpoint checkpoint)
        {
            checkpoint.Save(CheckCheckpoint);
            var record = checkpoint.History[^1];
            tell($"check {record.Step,6}  loss {record.Loss:F4}  held-out faces {record.Found:P2}  false candidates {record.False:P2}  {record.Seconds:F0} s");
        }
    }

    /// <summary>What the weights may be used for.</summary>
    public const string Licence =
        "The weights were trained on pictures that allow research use only; for commercial use retrain on pictures of your own: smile train-faces.";

    private static Dictionary<string, string> Hashes(string folder) => new[] { Lfw160.ArchiveName, Scenes.ArchiveName, Faces36.ArchiveName }
        .Select(name => Path.Combine(folder, name)).Where(File.Exists).ToDictionary(path => Path.GetFileName(path), Archive.Hash);

    private StageCheckpoint? Earlier(string path, Layout layout, Dictionary<string, string> data)
    {
        var earlier = StageCheckpoint.Load(path, layout);
        return earlier is null || earlier.Data.ToHashSet().SetEquals(data)
            ? earlier
            : throw new CommandException($"The run in {run} was trained on other data than these; a resumed run would not be the same run.");
    }

    private Composition[] HeldOut(IReadOnlyList<FacePicture> faces, IReadOnlyList<GreyImage> scenes)
    {
        var composer = new Composer(faces, scenes, new CompositionOptions());
        return [.. Enumerable.Range(0, HeldOutPictures).Select(i =>
        {
            var chance = new SplitMix(options.Seed, RandomPurpose.HeldOut, i);
            return composer.Compose(ref chance);
        })];
    }

    private List<Candidate> Collect(CandidateSource source)
    {
        var candidates = new List<Candidate>();
        for (var i = 0; i < HeldOutPhotographs; i++)
        {
            var chance = new SplitMix(options.Seed, RandomPurpose.HeldOut, -1 - i);
            candidates.AddRange(source.Next(ref chance));
        }

        return candidates;
    }
}
