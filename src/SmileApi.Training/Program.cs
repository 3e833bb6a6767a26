using System.CommandLine;
using System.CommandLine.Invocation;
using SmileApi.Training;
using Spectre.Console;

var root = new RootCommand("Trains, evaluates and applies networks that see smiles.")
{
    TrainCommand.Make(),
    TrainFacesCommand.Make(),
    RecipeCommand.Make(),
    EvaluateCommand.Make(),
    EvaluateFacesCommand.Make(),
    PredictCommand.Make(),
    TimeCommand.Make(),
    ExportCommand.Make(),
    QuantizeCommand.Make(),
    CleanCommand.Make(),
    TeachCommand.Make(),
    CardCommand.Make(),
    GoldenCommand.Make(),
    MeanFacesCommand.Make(),
    StoryCommand.Make(),
};

if (Console.IsOutputRedirected)
{
    AnsiConsole.Profile.Width = 250; // A file has no right margin to break lines at.
}

try
{
    // Training stops itself, between two steps; the library would end the process while a step runs.
    var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
    var parsed = root.Parse(args);
    return parsed.Action is ParseErrorAction
        ? throw new CommandException($"{string.Join(' ', parsed.Errors.Select(error => error.Message.ReplaceLineEndings(" ").Trim()))} Help: smile --help")
        : await parsed.InvokeAsync(invocation);
}
catch (CommandException mistake)
{
    Console.Error.WriteLine(mistake.Message);
    return CommandException.ExitCode;
}
