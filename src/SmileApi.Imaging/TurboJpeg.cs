using System.Runtime.InteropServices;

namespace SmileApi.Imaging;

/// <summary>
/// The system's libturbojpeg, when it has one: decodes a JPEG straight to reduced grey, without computing colour.
/// Uses the TurboJPEG 2.x calls, which later versions keep (https://libjpeg-turbo.org/Documentation/Documentation).
/// </summary>
internal static unsafe partial class TurboJpeg
{
    private const int PixelFormatGrey = 6;
    private const int StopOnWarning = 8192;
    private const int LimitScans = 32768;
    private const int ErrorIsWarning = 0;
    private const string Library = "turbojpeg";

    private static readonly nint s_library = Load();

    /// <summary>True when the system has the library.</summary>
    public static bool IsAvailable => s_library != 0;

    /// <summary>True for JPEG of one or three components; CMYK is left to SkiaSharp.</summary>
    public static bool CanRead(in ImageHeader header) => header is { Format: ImageFormat.Jpeg, Components: 1 or 3 };

    /// <param name="worthASecondTry">True when only a more tolerant decoder can tell whether the picture is readable.</param>
    public static ImageRejection? Decode(
        ReadOnlySpan<byte> bytes, in ImageHeader header, int reduction, out GreyImage? image, out bool worthASecondTry)
    {
        image = null;
        worthASecondTry = false;
        var stored = new GreyImage(
            ImageDecoder.Reduced(header.Width, reduction), ImageDecoder.Reduced(header.Height, reduction),
            reduction, header.Width, header.Height, ImageFormat.Jpeg);

        // A new one for each picture, which costs less than a microsecond: a used one still has the tables of the picture before and
        // lends them to one that lacks its own, and after a failure it must not be used at all.
        var handle = InitDecompress();
        try
        {
            if (handle == 0)
            {
                throw new InsufficientMemoryException("libturbojpeg could not make a decompressor.");
            }

            fixed (byte* source = bytes)
            fixed (byte* target = stored.Pixels)
            {
                var failed = DecompressHeader(handle, source, new CULong((uint)bytes.Length), out var width, out var height, out _, out _) != 0;
                if (!failed && (width != header.Width || height != header.Height))
                {
                    return ImageHeader.Corrupt(ImageFormat.Jpeg, "it declares two different sizes");
                }

                if (!failed)
                {
                    failed = Decompress(
                        handle, source, new CULong((uint)bytes.Length), target, stored.Width, stored.Width, stored.Height,
                        PixelFormatGrey, StopOnWarning | LimitScans) != 0;
                }

                if (failed)
                {
                    var message = Marshal.PtrToStringUTF8(GetErrorString(handle)) ?? "";
                    if (message.Contains("Premature end", StringComparison.Ordinal))
                    {
                        return ImageHeader.Truncated(ImageFormat.Jpeg);
                    }

                    // Stray bytes between segments harm no pixel, and cameras do write them; and a sampling or a colour
                    // conversion that this library lacks another may have. Anything else is damage.
                    worthASecondTry = (GetErrorCode(handle) == ErrorIsWarning && message.Contains("extraneous bytes", StringComparison.Ordinal))
                        || message.Contains("Unsupported color conversion", StringComparison.Ordinal)
                        || message.Contains("Could not determine subsampling", StringComparison.Ordinal);
                    return ImageHeader.Corrupt(ImageFormat.Jpeg, "its picture data cannot be decoded");
                }
            }

            image = GreyImage.TurnUpright(stored, header.Orientation);
            return null;
        }
        finally
        {
            _ = Destroy(handle);
            if (image is null)
            {
                stored.Dispose();
            }
        }
    }

    private static nint Load()
    {
        // Debian and Ubuntu, macOS (Homebrew), Windows (vcpkg).
        string[] names = ["libturbojpeg.so.0", "libturbojpeg.dylib", "/opt/homebrew/lib/libturbojpeg.dylib", "turbojpeg.dll"];
        foreach (var name in names)
        {
            if (NativeLibrary.TryLoad(name, out var library))
            {
                NativeLibrary.SetDllImportResolver(typeof(TurboJpeg).Assembly, (asked, _, _) => asked == Library ? library : 0);
                return library;
            }
        }

        return 0;
    }

    [LibraryImport(Library, EntryPoint = "tjInitDecompress")]
    private static partial nint InitDecompress();

    [LibraryImport(Library, EntryPoint = "tjDestroy")]
    private static partial int Destroy(nint handle);

    [LibraryImport(Library, EntryPoint = "tjGetErrorStr2")]
    private static partial nint GetErrorString(nint handle);

    [LibraryImport(Library, EntryPoint = "tjGetErrorCode")]
    private static partial int GetErrorCode(nint handle);

    [LibraryImport(Library, EntryPoint = "tjDecompressHeader3")]
    private static partial int DecompressHeader(
        nint handle, byte* source, CULong size, out int width, out int height, out int subsampling, out int colourSpace);

    [LibraryImport(Library, EntryPoint = "tjDecompress2")]
    private static partial int Decompress(
        nint handle, byte* source, CULong size, byte* target, int width, int pitch, int height, int pixelFormat, int flags);
}
