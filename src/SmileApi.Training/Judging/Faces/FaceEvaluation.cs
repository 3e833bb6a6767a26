using System.Text.Json;
using SmileApi.Inference;

namespace SmileApi.Training;

/// <summary>A stage of the detector that was evaluated.</summary>
/// <param name="Sha256">Of the file, lower-case hexadecimal.</param>
/// <param name="Threshold">From here on a probability counts, 0..1.</param>
/// <param name="Cost">Multiply-adds of the first stage for a picture of 320x320, of the second for a candidate.</param>
internal sealed record FaceStage(string Version, string Sha256, float Threshold, ModelCost Cost)
{
    public static FaceStage Of(FaceModel model) => new(model.Metadata.Version, model.Sha256, model.Metadata.Threshold, model.Metadata.Cost);
}

/// <summary>
/// What a face detector is worth, through ONNX Runtime and the service's own search. Needs no libtorch. Printed as JSON as it is.
/// </summary>
/// <param name="Name">Of the detector.</param>
/// <param name="Smile">Version of the smile model that judged the faces found.</param>
/// <param name="Photos">Photographs with boxes; null where tests were left out.</param>
/// <param name="Test">Portraits of people set aside for tests; null where tests were left out.</param>
/// <param name="Val">Portraits of people by whom things may be chosen.</param>
/// <param name="Crops">How crops as found lie to the labelled ones in <c>val</c>; null where there are none.</param>
/// <param name="Turned">Smiles of <c>val</c> in turned pictures.</param>
/// <param name="Composites">Composed pictures of people and scenes held out.</param>
/// <param name="Scenes">The scenes alone.</param>
/// <param name="Sweep">Smiles of <c>val</c> were crops cut by another rule; null where nobody asked for it.</param>
internal sealed record FaceEvaluation(
    string Name, FaceStage Find, FaceStage Check, string Smile, PhotoScores? Photos, PortraitScores? Test, PortraitScores Val, CropFit? Crops,
    IReadOnlyList<TurnedScores> Turned, IReadOnlyList<CompositeScores> Composites, SceneScores Scenes, IReadOnlyList<CropRule>? Sweep)
{
    /// <summary>Beside the plots of a training run.</summary>
    public const string FileName = "faces.json";

    /// <summary>Evaluates a detector.</summary>
    /// <param name="folder">The data folder, or null for <c>SMILE_DATA</c>, or else <c>../shared/data</c>.</param>
    /// <param name="tests">Whether to read the test photographs and portraits, by which nothing may be chosen.</param>
    /// <param name="haar">Whether to measure the Haar cascade beside it.</param>
    /// <param name="sweep">Whether to try other rules of cropping.</param>
    /// <param name="composed">Faces to compose in all pictures with as many faces together; those of test people, or where tests are left out of <c>val</c>.</param>
    /// <exception cref="CommandException">Data are missing.</exception>
    public static FaceEvaluation Of(FaceDetector detector, SmileModel smile, string? folder, bool tests, bool haar, bool sweep, int composed)
    {
        var data = Lfw160.Open(folder);
        var photos = tests ? PhotoScores.Measure(detector, PhotosWithBoxes.Read(folder), haar) : null;
        var val = Portrait.Search(detector, data, "val");
        var scenes = Training.Scenes.Load(Lfw160.Folder(folder), tests ? "test" : "val");
        return new FaceEvaluation(
            detector.Check.Metadata.Name, FaceStage.Of(detector.Find), FaceStage.Of(detector.Check), smile.Metadata.Version, photos,
            tests ? PortraitScores.Of(Portrait.Search(detector, data, "test"), smile) : null, PortraitScores.Of(val, smile), CropFit.Of(val),
            TurnedScores.Measure(val, detector, smile), CompositeScores.Measure(detector, FacePicture.Load(Lfw160.Folder(folder), tests ? "test" : "val"), scenes, composed),
            SceneScores.Measure(detector, scenes), sweep ? CropRule.Sweep(val, smile) : null);
    }

    /// <summary>Writes the record into a folder.</summary>
    public void Save(string folder) => AtomicFile.Write(Path.Combine(folder, FileName), JsonSerializer.SerializeToUtf8Bytes(this, JsonOutput.Indented));

    /// <summary>Reads the record from a folder.</summary>
    /// <exception cref="CommandException">It is not there, or is none.</exception>
    public static FaceEvaluation Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            return JsonSerializer.Deserialize<FaceEvaluation>(File.ReadAllBytes(path), JsonOutput.Indented) ?? throw new JsonException("It is empty.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new CommandException($"{path} cannot be read: {e.Message}");
        }
    }
}
