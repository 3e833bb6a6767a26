using CsCheck;
using SmileApi.Fuzz;

namespace SmileApi.Tests.Fuzzing;

/// <summary>What the fuzzer asks of our own parsers holds for what it starts from, and for what is near to that.</summary>
public sealed class FuzzTargetTests
{
    [Theory]
    [InlineData("picture", 80)]
    [InlineData("upload", 12)]
    public void It_holds_for_every_seed_and_its_neighbours(string name, int fewest)
    {
        var (target, seeds) = (Targets.Named(name), Seeds.Of(name));
        Assert.InRange(seeds.Count, fewest, 1000);
        Assert.All(seeds, seed => target(seed));
        Gen.Select(Gen.Int[0, seeds.Count - 1], Gen.Select(Gen.Double[0, 1], Gen.Byte).Array[1, 6], Gen.Double[0.5, 1.5]).Sample((seed, changes, length) =>
        {
            byte[] bytes = [.. seeds[seed]];
            foreach (var (where, value) in changes)
            {
                bytes[Math.Min((int)(where * bytes.Length), bytes.Length - 1)] = value;
            }

            target(bytes[..Math.Min((int)(length * bytes.Length), bytes.Length)]);
        }, iter: 4000, threads: 1);
    }
}
