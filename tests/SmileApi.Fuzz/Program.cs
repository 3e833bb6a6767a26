using System.Globalization;
using SharpFuzz;
using SmileApi.Fuzz;

// seeds TARGET DIR          writes what the fuzzer starts from
// fuzz TARGET               is run by afl-fuzz; see fuzz.sh
// replay TARGET FILE...     runs files that the fuzzer has found
// mutate [COUNT [FIRST]]    sends mutated files to the real service, 4 at a time
switch (args)
{
    case ["seeds", var target, var folder]:
        Directory.CreateDirectory(folder);
        foreach (var (number, seed) in Seeds.Of(target).Index())
        {
            File.WriteAllBytes(Path.Combine(folder, $"{number:000}"), seed);
        }

        return 0;

    case ["fuzz", var target]:
        var run = Targets.Named(target);
        Fuzzer.OutOfProcess.Run(stream => run(All(stream)));
        return 0;

    case ["replay", var target, .. var files]:
        foreach (var file in files)
        {
            Targets.Named(target)(File.ReadAllBytes(file));
        }

        Console.WriteLine($"{files.Length} files, no finding.");
        return 0;

    case ["mutate", .. var numbers] when numbers.Length <= 2:
        var counts = Array.ConvertAll(numbers, number => int.Parse(number, CultureInfo.InvariantCulture));
        return await MutationRun.RunAsync(counts.ElementAtOrDefault(0) is > 0 and var count ? count : 100_000, counts.ElementAtOrDefault(1));

    default:
        Console.Error.WriteLine("seeds TARGET DIR | fuzz TARGET | replay TARGET FILE... | mutate [COUNT [FIRST]]");
        return 2;
}

static byte[] All(Stream stream)
{
    using var memory = new MemoryStream();
    stream.CopyTo(memory);
    return memory.ToArray();
}
