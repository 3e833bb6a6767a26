using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using SmileApi.Admission;
using SmileApi.Classify;
using SmileApi.Operations;

namespace SmileApi.Batches;

/// <summary>The pictures of a batch, one after the other, out of a body that is read no further than asked for. Used by one reader.</summary>
internal interface IPictureSource
{
    /// <summary>What the sender calls the picture, as far as that is known yet.</summary>
    string? Name { get; }

    /// <summary>Why no further picture can be read; null while the body is as it should be.</summary>
    Problem? Broken { get; }

    /// <summary>Waits for the next picture to begin.</summary>
    /// <returns>False at the end of the body, and when it is <see cref="Broken"/>.</returns>
    ValueTask<bool> MoveNextAsync(CancellationToken aborted);

    /// <summary>Reads the picture; what is not read of it is skipped by the next move.</summary>
    /// <returns>The upload, which the caller disposes, or the problem with it.</returns>
    ValueTask<(Upload? Upload, Problem? Problem)> ReadAsync(IUploadRoom room, CancellationToken aborted);
}

/// <summary>The files of a multipart form; other fields are passed over.</summary>
internal sealed class MultipartPictures(string boundary, Stream body, UploadReader uploads) : IPictureSource
{
    private const int BufferSize = 32 << 10;

    // How long a part may be is the upload's business, which then is that picture's problem alone.
    private readonly MultipartReader _reader = new(boundary, body, BufferSize) { HeadersCountLimit = 16, HeadersLengthLimit = 8 << 10, BodyLengthLimit = null };
    private Stream _part = Stream.Null;

    public string? Name { get; private set; }

    public Problem? Broken { get; private set; }

    public async ValueTask<bool> MoveNextAsync(CancellationToken aborted)
    {
        Name = null;
        try
        {
            while (await _reader.ReadNextSectionAsync(aborted) is { } section)
            {
                if (UploadReader.IsPicture(section, out var disposition))
                {
                    var name = disposition.FileNameStar.HasValue ? disposition.FileNameStar : disposition.FileName;
                    Name = BatchResult.Shortened(HeaderUtilities.RemoveQuotes(name).Value);
                    _part = section.Body;
                    return true;
                }
            }

            return false;
        }
        catch (Exception e) when (BreakOf(e) is { } broken)
        {
            Broken = broken;
            return false;
        }
    }

    public async ValueTask<(Upload? Upload, Problem? Problem)> ReadAsync(IUploadRoom room, CancellationToken aborted)
    {
        try
        {
            return await uploads.ReadPictureAsync(_part, room, aborted);
        }
        catch (Exception e) when (BreakOf(e) is { } broken)
        {
            Broken = broken;
            return (null, broken);
        }
    }

    private static Problem? BreakOf(Exception e) => e switch
    {
        BadHttpRequestException => Problems.ProblemOf(e),
        InvalidDataException => new Problem(ProblemKind.MalformedRequest, "The headers of the next part of the multipart request are too long or not what RFC 7578 describes."),
        IOException and not Microsoft.AspNetCore.Connections.ConnectionResetException =>
            new Problem(ProblemKind.MalformedRequest, "The multipart request ends before its closing boundary."),
        _ => null,
    };
}

/// <summary>Lines of JSON, <c>{"image": "base64", "name": "a.jpg"}</c> each. A line that is wrong harms no other.</summary>
internal sealed class JsonLinePictures(Stream body, UploadReader uploads) : IPictureSource, IDisposable
{
    private readonly LineReader _lines = new(body);

    public string? Name { get; private set; }

    public Problem? Broken { get; private set; }

    public async ValueTask<bool> MoveNextAsync(CancellationToken aborted)
    {
        Name = null;
        try
        {
            return await _lines.MoveNextAsync(aborted);
        }
        catch (BadHttpRequestException e)
        {
            Broken = Problems.ProblemOf(e);
            return false;
        }
    }

    public async ValueTask<(Upload? Upload, Problem? Problem)> ReadAsync(IUploadRoom room, CancellationToken aborted)
    {
        try
        {
            var (upload, problem, name) = await uploads.ReadJsonAsync(_lines, length: null, room, aborted);
            Name = BatchResult.Shortened(name);
            return (upload, problem);
        }
        catch (BadHttpRequestException e)
        {
            Broken = Problems.ProblemOf(e);
            return (null, Broken);
        }
    }

    public void Dispose() => _lines.Dispose();
}
