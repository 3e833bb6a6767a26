using SmileApi.Operations;

namespace SmileApi.Tests.Operations;

/// <summary>The blocks that the server receives into.</summary>
public sealed class ReceiveMemoryTests : IDisposable
{
    private readonly ReceiveMemory _memory = new();

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void A_block_that_was_given_back_is_the_next_ones()
    {
        var first = _memory.Rent();
        var bytes = first.Memory;
        first.Dispose();

        using var second = _memory.Rent(100);
        Assert.Equal(bytes, second.Memory);
        Assert.Equal(ReceiveMemory.BlockSize, second.Memory.Length);
        Assert.Equal(0, _memory.Free);
    }

    [Fact]
    public void A_block_that_is_given_back_twice_is_never_two_connections_at_a_time()
    {
        var block = _memory.Rent();
        block.Dispose();
        block.Dispose();
        Assert.Equal(1, _memory.Free);

        using var one = _memory.Rent();
        using var other = _memory.Rent();
        Assert.NotEqual(one.Memory, other.Memory);
    }

    [Fact]
    public void More_than_a_block_is_had_as_well_and_not_kept()
    {
        var large = _memory.Rent(ReceiveMemory.BlockSize + 1);
        Assert.True(large.Memory.Length > ReceiveMemory.BlockSize);
        large.Dispose();
        Assert.Equal(0, _memory.Free);
    }

    [Fact]
    public void Blocks_that_nobody_has_needed_for_a_while_are_let_go()
    {
        var burst = Enumerable.Range(0, 100).Select(_ => _memory.Rent()).ToArray();
        Array.ForEach(burst, block => block.Dispose());
        _memory.Trim(); // They were in use since the last time.
        Assert.Equal(100, _memory.Free);

        var few = Enumerable.Range(0, 3).Select(_ => _memory.Rent()).ToArray();
        Array.ForEach(few, block => block.Dispose());
        _memory.Trim();
        Assert.Equal(3, _memory.Free);

        _memory.Trim();
        Assert.Equal(0, _memory.Free);
    }
}
