using System.Buffers;
using Microsoft.AspNetCore.Connections;

namespace SmileApi.Operations;

/// <summary>
/// The memory that the server receives into. The framework's own blocks are 4 KiB, so that a photograph of some megabytes comes
/// in by hundreds of calls of the system; in these it takes an eighth of them. A connection holds a block only while bytes are there.
/// </summary>
internal sealed class ReceiveMemory : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    public const int BlockSize = 32 << 10;

    public override int MaxBufferSize => Shared.MaxBufferSize;

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => Shared.Rent(Math.Max(minBufferSize, BlockSize));

    protected override void Dispose(bool disposing)
    {
        // The blocks are the shared pool's.
    }
}
