namespace SmileApi.Training;

/// <summary>
/// A small random generator (SplitMix64, Steele, Lea and Flood 2014) whose numbers depend on its key alone, not on the
/// runtime, the thread or what was drawn before for other keys.
/// </summary>
internal struct SplitMix
{
    private ulong _state;

    /// <param name="key">What the numbers are for: seed, purpose, epoch, index.</param>
    public SplitMix(params ReadOnlySpan<int> key)
    {
        foreach (var part in key)
        {
            _state = Next() ^ unchecked((ulong)part * 0xD1342543DE82EF95);
        }
    }

    /// <summary>64 random bits.</summary>
    public ulong Next()
    {
        var bits = _state += 0x9E3779B97F4A7C15;
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
        return bits ^ (bits >> 31);
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double Uniform() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [from, to).</summary>
    public double Uniform(double from, double to) => from + (to - from) * Uniform();

    /// <summary>Normal with mean 0 and deviation 1 (Box and Muller).</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(1 - Uniform())) * Math.Cos(2 * Math.PI * Uniform());

    /// <summary>The numbers 0 to <paramref name="count"/> - 1 in random order (Fisher and Yates).</summary>
    public int[] Shuffled(int count)
    {
        var order = Enumerable.Range(0, count).ToArray();
        for (var i = count - 1; i > 0; i--)
        {
            var j = (int)(Next() % (ulong)(i + 1));
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }
}
