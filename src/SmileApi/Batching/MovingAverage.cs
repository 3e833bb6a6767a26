namespace SmileApi.Batching;

/// <summary>An exponentially weighted mean, in which each new value counts a tenth. Safe for concurrent use.</summary>
internal sealed class MovingAverage(double initial)
{
    private double _value = initial;

    public double Value => Volatile.Read(ref _value);

    public void Add(double value)
    {
        double old;
        do
        {
            old = Value;
        }
        while (Interlocked.CompareExchange(ref _value, old + (value - old) / 10, old) != old);
    }
}
