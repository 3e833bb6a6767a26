using System.ComponentModel;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using SmileApi.Imaging;

namespace SmileApi.Training;

/// <summary>What a Haar cascade finds in all photographs.</summary>
/// <param name="Boxes">Of each photograph. They are the cascade's own squares: enlarged by up to 1.4 they find as many labelled faces.</param>
/// <param name="Seconds">CPU time of finding them, on one thread.</param>
internal sealed record HaarRun(IReadOnlyList<Box[]> Boxes, double Seconds);

/// <summary>
/// The face detector that is everywhere, to compare with: Haar cascade <c>alt2</c> of OpenCV, in a Python process of its own.
/// </summary>
internal sealed class HaarCascade : IDisposable
{
    private const string Cascade = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_alt2.xml"; // Debian's and Ubuntu's opencv-data.

    // The system's first: it is the one that Debian's python3-opencv belongs to.
    private static readonly string[] Interpreters = ["/usr/bin/python3", "python3"];

    private readonly Process _process;
    private string _complaint = "it says nothing";

    private HaarCascade(Process process)
    {
        _process = process;
        _process.ErrorDataReceived += (_, line) => _complaint = string.IsNullOrWhiteSpace(line.Data) ? _complaint : line.Data;
        _process.BeginErrorReadLine();
    }

    /// <summary>Of OpenCV.</summary>
    public string Version { get; private set; } = "";

    /// <summary>Starts Python and hands the photographs over.</summary>
    /// <param name="photos">Not kept after the call.</param>
    /// <param name="reason">When the result is false: one line that says what is missing.</param>
    public static bool TryStart(IReadOnlyList<GreyImage> photos, [NotNullWhen(true)] out HaarCascade? haar, [NotNullWhen(false)] out string? reason)
    {
        haar = null;
        reason = "no Python here has cv2 (Debian and Ubuntu: apt install python3-opencv opencv-data)";
        if (!File.Exists(Cascade))
        {
            reason = $"there is no {Cascade} (Debian and Ubuntu: apt install python3-opencv opencv-data)";
            return false;
        }

        foreach (var interpreter in Interpreters)
        {
            if (Start(interpreter) is not { } process)
            {
                continue;
            }

            haar = new HaarCascade(process);
            if (process.StandardOutput.ReadLine() is { } version and not "missing")
            {
                haar.Version = version;
                haar.Send(photos);
                reason = null;
                return true;
            }

            haar.Dispose();
            haar = null;
        }

        return false;
    }

    /// <summary>Looks for faces in all photographs: scale factor 1.1, squares of at least 16 pixels.</summary>
    /// <param name="minNeighbors">How many raw hits must agree on a face.</param>
    /// <exception cref="CommandException">Python has stopped.</exception>
    public HaarRun Run(int minNeighbors)
    {
        try
        {
            _process.StandardInput.WriteLine(minNeighbors.ToString(CultureInfo.InvariantCulture));
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
            // It has stopped, which its silence tells below.
        }

        using var answer = JsonDocument.Parse(_process.StandardOutput.ReadLine() ?? throw Stopped());
        return new HaarRun(
            [.. answer.RootElement.GetProperty("squares").EnumerateArray().Select(photo => photo.EnumerateArray().Select(Square).ToArray())],
            answer.RootElement.GetProperty("seconds").GetDouble());

        static Box Square(JsonElement numbers) => new(numbers[0].GetSingle(), numbers[1].GetSingle(), numbers[2].GetSingle(), numbers[3].GetSingle());
    }

    /// <summary>Stops Python.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private static Process? Start(string interpreter)
    {
        using var script = new StreamReader(typeof(HaarCascade).Assembly.GetManifestResourceStream("haar.py")!);
        try
        {
            return Process.Start(new ProcessStartInfo(interpreter, ["-c", script.ReadToEnd(), Cascade])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            });
        }
        catch (Win32Exception)
        {
            return null; // There is no such interpreter.
        }
    }

    private void Send(IReadOnlyList<GreyImage> photos)
    {
        try
        {
            var pipe = _process.StandardInput.BaseStream;
            pipe.Write(Encoding.ASCII.GetBytes($"{photos.Count}\n"));
            foreach (var photo in photos)
            {
                pipe.Write(Encoding.ASCII.GetBytes($"{photo.Width} {photo.Height}\n"));
                pipe.Write(photo.Pixels);
            }

            pipe.Flush();
        }
        catch (IOException)
        {
            throw Stopped();
        }
    }

    private CommandException Stopped()
    {
        _process.WaitForExit(); // For the last of its complaints.
        return new CommandException($"Python, which runs the Haar cascade, has stopped: {_complaint}; --haar off leaves it out.");
    }
}
