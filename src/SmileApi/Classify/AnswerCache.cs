using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using SmileApi.Models;
using SmileApi.Operations;

namespace SmileApi.Classify;

/// <summary>Section <c>Cache</c>: answers to pictures that are sent again.</summary>
internal sealed class CacheOptions
{
    public const string Section = "Cache";

    /// <summary>
    /// Most bytes of memory that kept answers take; 0 (the default) keeps none. An answer with one face takes a little
    /// more than a kilobyte. Range 0 to 1 GiB. It counts towards <see cref="Admission.MemoryOptions.MaxBytes"/> as memory at rest.
    /// </summary>
    [Range(0, 1 << 30)]
    public long MaxBytes { get; set; }

    /// <summary>How long an answer is kept at most, in seconds. Range 1 to 604,800 (a week), default 3,600.</summary>
    [Range(1, 604_800)]
    public int MaxAgeSeconds { get; set; } = 3600;
}

[OptionsValidator]
internal sealed partial class ValidateCacheOptions : IValidateOptions<CacheOptions>;

/// <summary>
/// Verdicts by the SHA-256 of the uploaded bytes, the models that judged and the caller's options: the same picture, asked the same
/// of the same models, has the same answer, and need not be decoded again. No picture is kept. Safe for concurrent use.
/// </summary>
internal sealed class AnswerCache : IDisposable
{
    // Rounded up from 760 and 80 measured: what the cache itself needs for an entry, the key, and the records of an answer; then each face.
    private const int BytesOfAnswer = 1100;
    private const int BytesOfFace = 120;

    private readonly MemoryCache? _answers;
    private readonly TimeSpan _maxAge;
    private readonly SmileMetrics _metrics;

    public AnswerCache(IOptions<CacheOptions> options, SmileMetrics metrics)
    {
        _metrics = metrics;
        _maxAge = TimeSpan.FromSeconds(options.Value.MaxAgeSeconds);
        if (options.Value.MaxBytes > 0)
        {
            _answers = new MemoryCache(new MemoryCacheOptions { SizeLimit = options.Value.MaxBytes, CompactionPercentage = 0.1 });
        }
    }

    /// <returns>By what the answer to this upload is found; null when none is kept.</returns>
    public Key? KeyOf(ReadOnlySpan<byte> upload, ClassifyQuery query, ModelSet models) =>
        _answers is null ? null : new Key(
            Convert.ToBase64String(SHA256.HashData(upload)), query, models.Smile.Sha256, models.Faces.Find.Sha256, models.Faces.Check.Sha256);

    /// <returns>An earlier verdict, with the timings and the name of the request that it was made for; null when there is none.</returns>
    public Verdict? Find(Key? key)
    {
        if (key is null)
        {
            return null;
        }

        var found = _answers!.Get<Verdict>(key);
        _metrics.CacheAsked(found is not null);
        return found;
    }

    /// <summary>Keeps a verdict, if any are kept; the oldest go when there is no room.</summary>
    public void Keep(Key? key, Verdict verdict)
    {
        if (key is not null)
        {
            _answers!.Set(key, verdict, new MemoryCacheEntryOptions
            {
                Size = BytesOfAnswer + (long)BytesOfFace * verdict.Faces.Count,
                AbsoluteExpirationRelativeToNow = _maxAge,
            });
        }
    }

    public void Dispose() => _answers?.Dispose();

    /// <summary>All that an answer depends on.</summary>
    internal sealed record Key(string Upload, ClassifyQuery Query, string Smile, string Find, string Check);
}
