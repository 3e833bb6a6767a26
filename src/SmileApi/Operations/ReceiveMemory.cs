using System.Buffers;
using Microsoft.AspNetCore.Connections;

namespace SmileApi.Operations;

/// <summary>
/// The memory that the server receives into. The framework's own blocks are 4 KiB, so that a photograph of some megabytes comes
/// in by hundreds of calls of the system; in these it takes an eighth of them. A connection holds a block only while bytes are there.
/// The shared pool would not do: it keeps 32 arrays for each processor, and many uploads at a time need more.
/// </summary>
internal sealed class ReceiveMemory : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    public const int BlockSize = 32 << 10;

    private readonly Lock _lock = new();
    private readonly Stack<Block> _free = []; // Whose block was used last may still be in the processor's cache.
    private int _spare; // So many have been free all the time since the last Trim.

    public override int MaxBufferSize => Shared.MaxBufferSize;

    /// <summary>Blocks that are kept and not in use.</summary>
    public int Free
    {
        get
        {
            lock (_lock)
            {
                return _free.Count;
            }
        }
    }

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        if (minBufferSize > BlockSize)
        {
            return Shared.Rent(minBufferSize);
        }

        Block? block;
        lock (_lock)
        {
            _ = _free.TryPop(out block);
            _spare = Math.Min(_spare, _free.Count);
        }

        block ??= new Block(this);
        block.Begin();
        return block;
    }

    /// <summary>Lets go of what nobody has needed since the last time.</summary>
    public void Trim()
    {
        lock (_lock)
        {
            for (; _spare > 0; _spare--)
            {
                _free.Pop();
            }

            _spare = _free.Count;
        }
    }

    protected override void Dispose(bool disposing)
    {
        // The server's pool is this one for as long as the process lives.
    }

    private void Return(Block block)
    {
        lock (_lock)
        {
            _free.Push(block);
        }
    }

    private sealed class Block(ReceiveMemory pool) : IMemoryOwner<byte>
    {
        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BlockSize);
        private int _inUse;

        public Memory<byte> Memory => _bytes;

        public void Begin() => Volatile.Write(ref _inUse, 1);

        public void Dispose()
        {
            // Given back twice, it would be two connections' at a time.
            if (Interlocked.Exchange(ref _inUse, 0) == 1)
            {
                pool.Return(this);
            }
        }
    }
}
