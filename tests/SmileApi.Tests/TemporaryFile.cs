namespace SmileApi.Tests;

/// <summary>A file outside the checkout that is gone when disposed.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public TemporaryFile(ReadOnlySpan<byte> content) => File.WriteAllBytes(Path, content);

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"smile-test-{Guid.NewGuid():N}.onnx");

    public void Dispose() => File.Delete(Path);
}
