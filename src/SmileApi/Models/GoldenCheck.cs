using SmileApi.Faces;
using SmileApi.Imaging;
using SmileApi.Inference;

namespace SmileApi.Models;

/// <summary>
/// Whether models that are loaded and fit also judge: of two mean faces, which show nobody, the detector must find each, and the
/// smile network must give the smiling one the higher probability.
/// </summary>
internal static class GoldenCheck
{
    /// <returns>What is wrong, in a sentence, or null.</returns>
    public static async Task<string?> WhatIsWrongAsync(SmileModel smile, FaceDetector faces, CancellationToken stoppingToken)
    {
        var (smiling, wrong) = await JudgeAsync("mean-smile.png", smile, faces, stoppingToken);
        if (wrong is not null)
        {
            return wrong;
        }

        (var neutral, wrong) = await JudgeAsync("mean-neutral.png", smile, faces, stoppingToken);
        return wrong ?? (smiling > neutral ? null : $"The probability of a smile is {smiling} for a face that smiles and {neutral} for one that does not.");
    }

    private static async Task<(float Probability, string? Wrong)> JudgeAsync(string sample, SmileModel smile, FaceDetector faces, CancellationToken stoppingToken)
    {
        using var photo = Decode(sample);
        using var networks = new DirectFaceNetworks(faces.Find, faces.Check);
        var search = new FaceSearchOptions(FaceRules.DefaultMinFace(photo.Width, photo.Height), faces.Check.Metadata.Threshold);
        var found = await FaceSearch.FindAsync(photo, search, networks, stoppingToken);
        if (found.Count == 0)
        {
            return (0, $"The detector finds no face in {sample}.");
        }

        var face = new float[FaceCrop.Length];
        FaceCrop.Resample(photo, FaceSquare.Centred(photo.Width, photo.Height), smile.Metadata.Input.Normalisation, face);
        using var runner = smile.CreateRunner(1);
        var probability = new float[1];
        runner.Run([face], probability);
        return (probability[0], probability[0] is >= 0 and <= 1 ? null : $"The answer for {sample} is {probability[0]}, which is no probability.");
    }

    private static GreyImage Decode(string sample)
    {
        using var stream = typeof(GoldenCheck).Assembly.GetManifestResourceStream(sample)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return new ImageDecoder(new ImageLimits()).TryDecode(bytes, FaceCrop.Side, out var photo, out var rejection)
            ? photo
            : throw new InvalidOperationException($"{sample}: {rejection.Detail}");
    }
}
