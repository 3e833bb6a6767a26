using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;
using Microsoft.ML.OnnxRuntime;
using SmileApi.Classify;
using SmileApi.Faces;
using SmileApi.Inference;
using SmileApi.Operations;

namespace SmileApi.Models;

/// <summary>Body of <c>POST /admin/model</c>: names of files in the models folder.</summary>
/// <param name="File">The smile network; without it, that which is served stays.</param>
/// <param name="Find">The face detector's first stage; only together with <paramref name="Check"/>.</param>
/// <param name="Check">Its second stage.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ReloadRequest(string? File = null, string? Find = null, string? Check = null);

/// <summary>
/// Serves other models without a pause: they are loaded, checked, warmed and tried on two pictures beside those that are served,
/// and take over with the next picture. Whatever goes wrong before leaves everything as it is.
/// </summary>
internal sealed partial class ModelReload(ModelStore store, IOptions<ModelOptions> options, SmileMetrics metrics, ILogger<ModelReload> logger) : IDisposable
{
    private readonly SemaphoreSlim _oneAtATime = new(1);

    /// <summary>Serves files of the models folder.</summary>
    /// <returns>What is served now, or why it has not changed.</returns>
    public async Task<(ModelSet? Models, Problem? Problem)> ReloadAsync(ReloadRequest request)
    {
        if (request is { File: null, Find: null } or { Find: null, Check: not null } or { Find: not null, Check: null })
        {
            return (null, new Problem(
                ProblemKind.MalformedRequest, "Name a file of the models folder as 'file' (the smile network), or two as 'find' and 'check' (the face detector), or all three."));
        }

        var paths = new List<string?>();
        foreach (var name in new[] { request.File, request.Find, request.Check })
        {
            string? path = null;
            if (name is not null && !ModelFolder.TryFind(options.Value.FullFolder, name, out path, out var problem))
            {
                return (null, problem);
            }

            paths.Add(path);
        }

        if (!await _oneAtATime.WaitAsync(TimeSpan.Zero))
        {
            return (null, new Problem(ProblemKind.ReloadInProgress, "Other models are being loaded. Try again when that is done.", TimeSpan.FromSeconds(1)));
        }

        return await LoadInTurnAsync(paths[0], paths[1], paths[2]);
    }

    /// <summary>Serves the file of <c>Model:Path</c> anew, after another reload if one is going on.</summary>
    public async Task ReloadConfiguredAsync(CancellationToken stoppingToken)
    {
        await _oneAtATime.WaitAsync(stoppingToken);
        await LoadInTurnAsync(options.Value.FullPath, find: null, check: null);
    }

    public void Dispose() => _oneAtATime.Dispose();

    /// <summary>Has the turn, and gives it back.</summary>
    private async Task<(ModelSet? Models, Problem? Problem)> LoadInTurnAsync(string? smile, string? find, string? check)
    {
        try
        {
            // Some tenths of a second of loading and running, on a thread of its own for as long.
            var (models, wrong) = await Task.Factory.StartNew(
                () => LoadAsync(smile, find, check), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();
            metrics.ModelsReloaded(served: models is not null);
            if (models is null)
            {
                LogRefused(logger, wrong!);
                return (null, new Problem(ProblemKind.ModelRefused, $"{wrong} What was served before still is."));
            }

            var before = store.Current.Smile;
            store.Serve(models);

            // The files, and the buffers of runners, are large and old: left to itself the collector would keep those of several reloads.
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            LogServed(
                logger, models.Smile.Metadata.Name, models.Smile.Metadata.Version, models.Smile.Sha256, before.Metadata.Name, before.Metadata.Version, before.Sha256);
            return (models, null);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    private async Task<(ModelSet? Models, string? Wrong)> LoadAsync(string? smilePath, string? findPath, string? checkPath)
    {
        ModelSet? models = null;
        var works = false;
        try
        {
            if (!TryOpen(smilePath, findPath, checkPath, out var smile, out var faces, out var wrong))
            {
                return (null, wrong);
            }

            models = store.Make(smile, faces);
            wrong = await GoldenCheck.WhatIsWrongAsync(smile, faces, CancellationToken.None);
            if (wrong is not null)
            {
                return (null, wrong);
            }

            await store.WarmAsync(models, CancellationToken.None);
            works = true;
            return (models, null);
        }
        catch (OnnxRuntimeException e)
        {
            return (null, $"The models cannot be run: {e.Message.Split('\n', 2)[0].Trim()}");
        }
        finally
        {
            if (!works)
            {
                models?.Release();
            }
        }
    }

    /// <summary>Opens what is named, and once more what is served of the rest.</summary>
    private bool TryOpen(
        string? smilePath, string? findPath, string? checkPath,
        [NotNullWhen(true)] out SmileModel? smile, [NotNullWhen(true)] out FaceDetector? faces, [NotNullWhen(false)] out string? wrong)
    {
        (wrong, faces) = (null, null);
        smile = smilePath is null ? store.Current.Smile.Reopen() : null;
        if (smile is null && !SmileModel.TryLoad(smilePath!, store.Current.Smile.Device, out smile, out wrong))
        {
            return false;
        }

        faces = findPath is null ? store.Current.Faces.Reopen() : null;
        if (faces is null && !FaceDetector.TryLoad(findPath!, checkPath!, store.Current.Smile.Device, out faces, out wrong))
        {
            smile.Dispose();
            return false;
        }

        return true;
    }

    [LoggerMessage(EventId = 3002, Level = LogLevel.Information, Message = "{Name} {Version} ({Sha256}) is served from now on, after {OldName} {OldVersion} ({OldSha256})")]
    private static partial void LogServed(ILogger logger, string name, string version, string sha256, string oldName, string oldVersion, string oldSha256);

    [LoggerMessage(EventId = 3003, Level = LogLevel.Warning, Message = "Other models are not served: {Reason}")]
    private static partial void LogRefused(ILogger logger, string reason);
}
