using System.CommandLine;
using SmileApi.Benchmarks;

// Measures what the service costs; nothing here passes or fails. Figures are only worth something on a machine that does
// nothing else.
Option<int> rounds = new("--rounds") { Description = "How often all is measured; figures are medians. Default 7.", DefaultValueFactory = _ => 7 };
Option<double> seconds = new("--seconds") { Description = "Of one measurement. Default 1.5.", DefaultValueFactory = _ => 1.5 };
Option<DirectoryInfo?> output = new("--out") { Description = "A folder for the figures (service.json) and the plot (callers.png)." };

var service = new Command("service", "The service beside its floor and beside what one writes in an afternoon, at 1 to 128 callers.") { rounds, seconds, output };
service.SetAction(parsed => EndToEnd.RunAsync(parsed.GetValue(rounds), parsed.GetValue(seconds), parsed.GetValue(output)?.FullName));
var faces = new Command("faces", "What finding faces costs.");
faces.SetAction(_ => FaceCosts.RunAsync());
return await new RootCommand("Measures what the service costs.") { service, faces, Accelerator.Throughput(), Accelerator.Memory() }.Parse(args).InvokeAsync();
