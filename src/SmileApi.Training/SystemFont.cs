namespace SmileApi.Training;

/// <summary>A font to write with: SkiaSharp brings none of its own here.</summary>
internal static class SystemFont
{
    private static readonly (string Regular, string Bold)[] Known =
    [
        ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"), // Debian, Ubuntu
        ("/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf", "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf"), // Fedora
        ("/usr/share/fonts/TTF/DejaVuSans.ttf", "/usr/share/fonts/TTF/DejaVuSans-Bold.ttf"), // Arch
        ("/System/Library/Fonts/Supplemental/Arial.ttf", "/System/Library/Fonts/Supplemental/Arial Bold.ttf"),
        (@"C:\Windows\Fonts\arial.ttf", @"C:\Windows\Fonts\arialbd.ttf"),
    ];

    /// <summary>Paths of the two files, or null where the system has neither DejaVu Sans nor Arial.</summary>
    public static (string Regular, string Bold)? Find()
    {
        var found = Array.Find(Known, font => File.Exists(font.Regular) && File.Exists(font.Bold));
        return found == default ? null : found;
    }
}
