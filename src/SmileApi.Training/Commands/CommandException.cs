namespace SmileApi.Training;

/// <summary>
/// A mistake that the person at the keyboard can mend: its message is one line for stderr, and the program ends with code 2. 1 is
/// left to commands that have done their work and found something amiss. It is thrown from
/// wherever the mistake shows, and ends in <c>Program.cs</c>.
/// </summary>
internal sealed class CommandException(string line) : Exception(line)
{
    /// <summary>What the program ends with.</summary>
    public const int ExitCode = 2;
}
