namespace SmileApi.Training;

/// <summary>
/// A mistake that the person at the keyboard can mend: its message is one line for stderr, and the program ends with a
/// non-zero code. It is caught in one place, <c>Program.cs</c>, and thrown from wherever the mistake shows.
/// </summary>
internal sealed class CommandException(string line) : Exception(line);
