using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>From two finished stages to the two files of a detector.</summary>
internal static class FaceExport
{
    public const string Version = "1.1.0";

    /// <summary>
    /// The first stage names what it gives this probability and more; the second decides. Much lower costs time for candidates that
    /// are hardly ever faces; much higher loses faces.
    /// </summary>
    private const float CandidateThreshold = 0.2f;

    /// <summary>From this confidence on something is a face, unless a caller says otherwise.</summary>
    public const float Threshold = 0.5f;

    /// <summary>Where the second stage's file lies: beside the first's.</summary>
    public static string CheckPathBeside(string find) =>
        Path.Combine(Path.GetDirectoryName(find) ?? "", $"{Path.GetFileNameWithoutExtension(find)}-check{Path.GetExtension(find)}");

    /// <summary>Writes both files.</summary>
    /// <param name="find">Path of the first stage's.</param>
    /// <param name="calibration">Of the second stage.</param>
    /// <param name="findWeight">How much the first stage's logit counts beside the second one's calibrated one.</param>
    /// <param name="candidateThreshold">Other than the usual one, to collect mistakes with.</param>
    public static void Write(
        string find, StageCheckpoint finder, StageCheckpoint checker, Calibration calibration, double findWeight, string licence, float candidateThreshold = CandidateThreshold)
    {
        AtomicFile.Write(find, FaceOnnxWriter.WriteFind(finder.Average, Describe(finder, licence) with
        {
            Stage = FaceModelMetadata.FindStage,
            Mean = FindTrainer.Mean,
            Deviation = FindTrainer.Deviation,
            Stride = FindArchitecture.Stride,
            ReferenceSide = FindArchitecture.ReferenceSide,
            MinBox = FindArchitecture.MinBox,
            MaxBox = FindArchitecture.MaxBox,
            Threshold = candidateThreshold,
            Cost = new ModelCost(FindArchitecture.Layers, FindArchitecture.Layout.Parameters, FindArchitecture.MultiplyAdds),
        }));
        AtomicFile.Write(CheckPathBeside(find), FaceOnnxWriter.WriteCheck(checker.Average, Describe(checker, licence) with
        {
            Stage = FaceModelMetadata.CheckStage,
            Side = CheckArchitecture.Side,
            Margin = CheckArchitecture.Margin,
            DeviationFloor = CheckArchitecture.DeviationFloor,
            FindWeight = (float)findWeight,
            Cost = new ModelCost(CheckArchitecture.Layers, CheckArchitecture.Layout.Parameters, CheckArchitecture.MultiplyAdds),
        }, calibration));
    }

    /// <summary>Loads both files of a detector.</summary>
    /// <exception cref="CommandException">One is missing or is no such file.</exception>
    public static (FaceModel Find, FaceModel Check) Load(string find, string? check = null) =>
        (LoadStage(find, FaceModelMetadata.FindStage), LoadStage(check ?? CheckPathBeside(find), FaceModelMetadata.CheckStage));

    private static FaceModel LoadStage(string path, string stage) =>
        FaceModel.TryLoad(path, stage, out var model, out var reason) ? model : throw new CommandException(reason);

    private static FaceModelMetadata Describe(StageCheckpoint stage, string licence) => new()
    {
        Format = FaceModelMetadata.CurrentFormat,
        Name = "smile-faces",
        Version = Version,
        Stage = "",
        Threshold = Threshold,
        Cost = new ModelCost(0, 0, 0),
        Training = new ModelTraining(stage.Options.Seed, 1, stage.Pictures, stage.Finished, stage.Data),
        Licence = licence,
    };
}
