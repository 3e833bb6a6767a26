using System.Runtime.InteropServices;
using TorchSharp;

namespace SmileApi.Training;

/// <summary>Whether libtorch can be loaded here; only training and the golden outputs need it.</summary>
internal static class LibTorch
{
    // Asked before TorchSharp itself, which would print pages and copy half a gigabyte about before it gave up.
    private static readonly bool Loads = NativeLibrary.TryLoad("LibTorchSharp", typeof(torch).Assembly, searchPath: null, out _);

    /// <summary>Null where libtorch works, else one line that says why not and what does.</summary>
    public static string? WhyNot()
    {
        if (!Loads)
        {
            return "libtorch does not load on this system, mostly because its C++ library is older than libtorch needs; use the container: "
                + "docker build --target training -t smile-training . && "
                + "docker run --rm -v \"$PWD\":/work -v \"$SMILE_DATA\":/data:ro smile-training train";
        }

        // One thread: sums are then always added in the same order, and the second core prepares the pictures.
        torch.set_num_threads(1);
        return null;
    }

    /// <exception cref="CommandException">libtorch does not load.</exception>
    public static void Require()
    {
        if (WhyNot() is { } reason)
        {
            throw new CommandException(reason);
        }
    }
}
