using System.CommandLine;
using SmileApi.Benchmarks;
using SmileApi.Load;

// Loads the real service, which it starts in a process of its own on this machine (steady: one that runs there already), and says how
// it bore that. Exit code 1 says that something did not hold. Figures are only worth something on a machine that does nothing else.
Option<string[]> set = new("--set")
{
    Description = "A setting of the service, as Section__Name=value; may be given several times.",
    DefaultValueFactory = _ => [],
};
Option<int> seconds = new("--seconds") { Description = "How long the load lasts. Default 120.", DefaultValueFactory = _ => 120 };
Option<double> factor = new("--factor") { Description = "Offered rate over the measured capacity. Default 10.", DefaultValueFactory = _ => 10 };
Option<int> clients = new("--clients") { Description = "How many abort, and how many do not. Default 1000.", DefaultValueFactory = _ => 1000 };
Option<double> minutes = new("--minutes") { Description = "How long. Default 30.", DefaultValueFactory = _ => 30 };
Option<int> workers = new("--workers") { Description = "Callers at a time. Default 4.", DefaultValueFactory = _ => 4 };
Option<int> pictures = new("--pictures") { Description = "How many of each batch. Default 10000.", DefaultValueFactory = _ => 10_000 };
Bound(pictures, 100, 1_000_000);
Option<Uri?> address = new("--address")
{
    Description = "A service that runs on this machine, such as http://localhost:8080.",
    Required = true,
    CustomParser = result =>
    {
        if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var parsed) && parsed.IsLoopback)
        {
            return parsed;
        }

        result.AddError("--address must be one of this machine, such as http://localhost:8080.");
        return null;
    },
};
Option<double> rate = new("--rate") { Description = "Requests a second. Default 20.", DefaultValueFactory = _ => 20 };
Bound(rate, 0.1, 1000);
Bound(seconds, 1, 3600);
Bound(factor, 1, 100);
Bound(clients, 1, 5000);
Bound(minutes, 0.1, 600);
Bound(workers, 1, 256);

var root = new RootCommand("Loads the service on this machine and says how it bore that.")
{
    Mode("overload", "Offers more than the service can do, at a fixed rate whatever it answers.", [seconds, factor], parsed =>
        service => Overload.RunAsync(service, TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(factor))),
    Mode("aborts", "Clients that hang up at random moments, among as many that do not.", [clients], parsed =>
        service => Aborts.RunAsync(service, parsed.GetValue(clients))),
    Mode("soak", "Mixed pictures and errors for long; memory, threads and handles must not grow.", [minutes, workers], parsed =>
        service => Soak.RunAsync(service, TimeSpan.FromMinutes(parsed.GetValue(minutes)), parsed.GetValue(workers))),
    Mode("batch", "Many pictures in one request, as a form and as lines, with a broken one in the middle; memory must stay flat on both sides.", [pictures], parsed =>
        service => Batch.RunAsync(service, parsed.GetValue(pictures))),
    SteadyMode(),
};
// A load that is interrupted waits for the answers to what it has sent.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(40) });

Command Mode(string name, string description, Option[] options, Func<ParseResult, Func<Service, Task<bool>>> run)
{
    var command = new Command(name, description);
    Array.ForEach([.. options, set], command.Options.Add);
    command.SetAction(async (parsed, _) =>
    {
        var settings = parsed.GetValue(set)!.Select(setting => setting.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[^1]);
        await using var service = await Service.StartAsync(settings);
        return await run(parsed)(service) ? 0 : 1;
    });
    return command;
}

Command SteadyMode()
{
    var command = new Command("steady", "Asks a service that runs already at a fixed rate, until the time is over or it is interrupted, and counts the answers.") { address, rate, seconds };
    command.SetAction(async (parsed, stopping) =>
        await Steady.RunAsync(parsed.GetValue(address)!, parsed.GetValue(rate), TimeSpan.FromSeconds(parsed.GetValue(seconds)), stopping) ? 0 : 1);
    return command;
}

static void Bound<T>(Option<T> option, T least, T most)
    where T : IComparable<T>
    => option.Validators.Add(result =>
    {
        if (result.GetValue(option) is { } value && (value.CompareTo(least) < 0 || value.CompareTo(most) > 0))
        {
            result.AddError($"{option.Name} must be {least} to {most}.");
        }
    });
