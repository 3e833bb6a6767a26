namespace SmileApi.Tests.Pictures;

/// <summary>One component of a JPEG: its level 0..255 at every pixel of the picture, and its sampling factors 1..4.</summary>
internal sealed record JpegComponent(Func<int, int, double> Level, int Horizontal = 1, int Vertical = 1);

/// <summary>
/// A slow, obvious JPEG encoder (ITU T.81) for the kinds that no encoder at hand writes: CMYK, RGB, odd samplings, one
/// component a scan, any split into progressive scans. It quantises by 1, so what comes back is what went in, within rounding.
/// </summary>
internal sealed record JpegWriter(int Width, int Height, params JpegComponent[] Components)
{
    /// <summary>Frame marker SOF2 instead of SOF0, and the coefficients in the scans of <see cref="Bands"/>.</summary>
    public bool Progressive { get; init; }

    /// <summary>First and last coefficient of each scan after the first one, for every component in turn.</summary>
    public (int First, int Last)[] Bands { get; init; } = [(1, 5), (6, 63)];

    /// <summary>False to code a baseline picture's components one after the other, a scan each.</summary>
    public bool Interleaved { get; init; } = true;

    /// <summary>The transform of the Adobe segment (0 as stored, 1 YCbCr, 2 YCCK); none written when null.</summary>
    public int? AdobeTransform { get; init; }

    /// <summary>Restart markers every so many units; 0 for none.</summary>
    public int RestartInterval { get; init; }

    // Every symbol of a table gets a code of one length, its index: four bits for DC, eight for AC. Legal, if wasteful.
    private static readonly byte[] s_acSymbols =
        [0x00, 0xF0, .. Enumerable.Range(0, 16).SelectMany(run => Enumerable.Range(1, 10).Select(size => (byte)(run << 4 | size)))];

    private static readonly int[] s_zigzag =
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ];

    public byte[] Encode()
    {
        var output = new List<byte> { 0xFF, 0xD8 };
        if (AdobeTransform is { } transform)
        {
            Segment(output, 0xEE, [.. "Adobe"u8, 0, 100, 0, 0, 0, 0, (byte)transform]);
        }

        Segment(output, 0xDB, [0, .. Enumerable.Repeat((byte)1, 64)]);
        Segment(output, (byte)(Progressive ? 0xC2 : 0xC0),
        [
            8, (byte)(Height >> 8), (byte)Height, (byte)(Width >> 8), (byte)Width, (byte)Components.Length,
            .. Components.SelectMany((c, i) => new byte[] { (byte)(i + 1), (byte)(c.Horizontal << 4 | c.Vertical), 0 }),
        ]);
        Segment(output, 0xC4, [0x00, 0, 0, 0, 12, .. new byte[12], .. Enumerable.Range(0, 12).Select(i => (byte)i)]);
        Segment(output, 0xC4, [0x10, 0, 0, 0, 0, 0, 0, 0, (byte)s_acSymbols.Length, .. new byte[8], .. s_acSymbols]);
        if (RestartInterval > 0)
        {
            Segment(output, 0xDD, [(byte)(RestartInterval >> 8), (byte)RestartInterval]);
        }

        var planes = Components.Select(Transform).ToArray();
        var all = Enumerable.Range(0, Components.Length).ToArray();
        if (Progressive)
        {
            Scan(output, planes, all, 0, 0);
            foreach (var component in all)
            {
                foreach (var (first, last) in Bands)
                {
                    Scan(output, planes, [component], first, last);
                }
            }
        }
        else if (Interleaved)
        {
            Scan(output, planes, all, 0, 63);
        }
        else
        {
            foreach (var component in all)
            {
                Scan(output, planes, [component], 0, 63);
            }
        }

        output.AddRange([0xFF, 0xD9]);
        return [.. output];
    }

    private int MostHorizontal => Components.Max(c => c.Horizontal);

    private int MostVertical => Components.Max(c => c.Vertical);

    private int UnitsAcross => Ceiling(Width, 8 * MostHorizontal);

    private int UnitsDown => Ceiling(Height, 8 * MostVertical);

    private static int Ceiling(int value, int divisor) => (value + divisor - 1) / divisor;

    private static void Segment(List<byte> output, byte marker, byte[] payload)
    {
        output.AddRange([0xFF, marker, (byte)((payload.Length + 2) >> 8), (byte)(payload.Length + 2)]);
        output.AddRange(payload);
    }

    /// <summary>The coefficients of every block of a component, in zigzag order, padded to whole units.</summary>
    private int[,][] Transform(JpegComponent component)
    {
        var (across, down) = (UnitsAcross * component.Horizontal, UnitsDown * component.Vertical);
        var (stepX, stepY) = ((double)MostHorizontal / component.Horizontal, (double)MostVertical / component.Vertical);
        var blocks = new int[down, across][];
        var samples = new double[8, 8];
        for (var by = 0; by < down; by++)
        {
            for (var bx = 0; bx < across; bx++)
            {
                for (var y = 0; y < 8; y++)
                {
                    for (var x = 0; x < 8; x++)
                    {
                        samples[y, x] = Average(component.Level, (bx * 8 + x) * stepX, (by * 8 + y) * stepY, stepX, stepY) - 128;
                    }
                }

                blocks[by, bx] = Cosines(samples);
            }
        }

        return blocks;
    }

    private double Average(Func<int, int, double> level, double left, double top, double width, double height)
    {
        var (sum, count) = (0.0, 0);
        for (var y = (int)top; y < Math.Max((int)top + 1, top + height); y++)
        {
            for (var x = (int)left; x < Math.Max((int)left + 1, left + width); x++)
            {
                sum += level(Math.Min(x, Width - 1), Math.Min(y, Height - 1));
                count++;
            }
        }

        return sum / count;
    }

    private static readonly double[,] s_cosines = Cosine();

    private static double[,] Cosine()
    {
        var cosines = new double[8, 8];
        for (var u = 0; u < 8; u++)
        {
            for (var x = 0; x < 8; x++)
            {
                cosines[u, x] = (u == 0 ? Math.Sqrt(0.125) : 0.5) * Math.Cos((2 * x + 1) * u * Math.PI / 16);
            }
        }

        return cosines;
    }

    private static int[] Cosines(double[,] samples)
    {
        var half = new double[8, 8];
        for (var y = 0; y < 8; y++)
        {
            for (var u = 0; u < 8; u++)
            {
                for (var x = 0; x < 8; x++)
                {
                    half[y, u] += samples[y, x] * s_cosines[u, x];
                }
            }
        }

        var block = new int[64];
        for (var i = 0; i < 64; i++)
        {
            var (v, u) = (s_zigzag[i] / 8, s_zigzag[i] % 8);
            var sum = 0.0;
            for (var y = 0; y < 8; y++)
            {
                sum += half[y, u] * s_cosines[v, y];
            }

            block[i] = Math.Clamp((int)Math.Round(sum), -1023, 1023);
        }

        return block;
    }

    private void Scan(List<byte> output, int[][,][] planes, int[] components, int first, int last)
    {
        Segment(output, 0xDA,
        [
            (byte)components.Length, .. components.SelectMany(c => new byte[] { (byte)(c + 1), 0x00 }), (byte)first, (byte)last, 0,
        ]);
        var bits = new BitWriter(output);
        var previous = new int[Components.Length];
        var units = 0;
        foreach (var unit in Units(components))
        {
            if (RestartInterval > 0 && units > 0 && units % RestartInterval == 0)
            {
                bits.Flush();
                output.AddRange([0xFF, (byte)(0xD0 + (units / RestartInterval - 1) % 8)]);
                Array.Clear(previous);
            }

            units++;
            foreach (var (component, y, x) in unit)
            {
                Block(bits, planes[component][y, x], ref previous[component], first, last);
            }
        }

        bits.Flush();
    }

    /// <summary>The blocks of each unit: those of all components together, or single ones when a component has its own scan.</summary>
    private IEnumerable<IEnumerable<(int Component, int Y, int X)>> Units(int[] components)
    {
        if (components is [var only])
        {
            var (across, down) = (
                Ceiling(Ceiling(Width * Components[only].Horizontal, MostHorizontal), 8),
                Ceiling(Ceiling(Height * Components[only].Vertical, MostVertical), 8));
            return from y in Enumerable.Range(0, down)
                   from x in Enumerable.Range(0, across)
                   select new[] { (only, y, x) }.AsEnumerable();
        }

        return from unitY in Enumerable.Range(0, UnitsDown)
               from unitX in Enumerable.Range(0, UnitsAcross)
               select from c in components
                      from y in Enumerable.Range(0, Components[c].Vertical)
                      from x in Enumerable.Range(0, Components[c].Horizontal)
                      select (c, unitY * Components[c].Vertical + y, unitX * Components[c].Horizontal + x);
    }

    private static void Block(BitWriter bits, int[] block, ref int previous, int first, int last)
    {
        if (first == 0)
        {
            var difference = block[0] - previous;
            previous = block[0];
            var size = Size(difference);
            bits.Write(size, 4);
            bits.WriteSigned(difference, size);
        }

        var run = 0;
        for (var i = Math.Max(first, 1); i <= last; i++)
        {
            if (block[i] == 0)
            {
                run++;
                continue;
            }

            for (; run > 15; run -= 16)
            {
                bits.Write(Array.IndexOf(s_acSymbols, (byte)0xF0), 8);
            }

            var size = Size(block[i]);
            bits.Write(Array.IndexOf(s_acSymbols, (byte)(run << 4 | size)), 8);
            bits.WriteSigned(block[i], size);
            run = 0;
        }

        if (run > 0)
        {
            bits.Write(Array.IndexOf(s_acSymbols, (byte)0x00), 8);
        }
    }

    private static int Size(int value) => value == 0 ? 0 : 32 - int.LeadingZeroCount(Math.Abs(value));

    private sealed class BitWriter(List<byte> output)
    {
        private int _byte;
        private int _count;

        public void Write(int value, int length)
        {
            for (var i = length - 1; i >= 0; i--)
            {
                _byte = _byte << 1 | (value >> i & 1);
                if (++_count == 8)
                {
                    output.Add((byte)_byte);
                    if (_byte == 0xFF)
                    {
                        output.Add(0x00);
                    }

                    (_byte, _count) = (0, 0);
                }
            }
        }

        public void WriteSigned(int value, int size) => Write(value < 0 ? value + (1 << size) - 1 : value, size);

        public void Flush()
        {
            while (_count != 0)
            {
                Write(1, 1);
            }
        }
    }
}
