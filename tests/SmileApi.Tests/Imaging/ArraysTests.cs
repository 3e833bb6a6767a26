using SmileApi.Imaging;

namespace SmileApi.Tests.Imaging;

public sealed class ArraysTests
{
    // A length that nothing else in the tests rents, so that no array is anybody else's.
    private const int Length = 1 << 17;

    [Fact]
    public void Of_large_arrays_16_MiB_of_a_length_are_kept_whoever_gives_them_back()
    {
        const int Kept = (16 << 20) / (Length * sizeof(double));
        double[][] rented = [.. Enumerable.Range(0, 3 * Kept).Select(_ => Arrays.Rent<double>(Length))];
        Assert.All(rented, array => Assert.Equal(Length, array.Length));
        Assert.Equal(3 * Kept, rented.Distinct().Count());

        // Each on a thread of its own: the shared pool would keep one for each of them.
        foreach (var array in rented)
        {
            var thread = new Thread(() => Arrays.Return(array));
            thread.Start();
            thread.Join();
        }

        double[][] again = [.. Enumerable.Range(0, 3 * Kept).Select(_ => Arrays.Rent<double>(Length))];
        Assert.Equal(Kept, again.Intersect(rented).Count());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_536)] // The longest of the shared pool,
    [InlineData(65_537)] // and the shortest that is not.
    [InlineData(20_000_000)]
    public void An_array_is_long_enough_and_the_next_one_is_the_same(int length)
    {
        var first = Arrays.Rent<sbyte>(length);
        Assert.True(first.Length >= length);
        Arrays.Return(first);
        var second = Arrays.Rent<sbyte>(length);
        Assert.Same(first, second);
        Arrays.Return(second);
    }
}
