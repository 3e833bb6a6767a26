namespace SmileApi.Tests;

/// <summary>Files of the checkout that the tests run from.</summary>
internal static class Repository
{
    /// <summary>The folder that holds <c>SmileApi.sln</c>.</summary>
    public static string Root { get; } = Find();

    public static byte[] Sample(string name) => File.ReadAllBytes(Path.Combine(Root, "samples", name));

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "SmileApi.sln")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("The tests must run from inside a checkout.");
        }

        return folder.FullName;
    }
}
