using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>
/// The number of coordinate chunks depends on the number of coordinates alone, so sums do not depend on the threads.
/// </summary>
static class Chunks
{
    const int Most = 256;
    const int FewestBlocks = 2; // adding up a chunk's gradients costs as much as a few coordinates

    public static int Count(int blocks) => Math.Min((blocks + FewestBlocks - 1) / FewestBlocks, Most);

    /// <summary>Blocks from .. to (exclusive) of a chunk.</summary>
    public static (int From, int To) Of(int chunk, int blocks) =>
        ((int)((long)chunk * blocks / Count(blocks)), (int)((long)(chunk + 1) * blocks / Count(blocks)));
}

/// <summary>Memory that a thread keeps between chunks.</summary>
static class Scratch<E> where E : unmanaged, IBinaryFloatingPointIeee754<E>
{
    [ThreadStatic]
    static Arena<E>? t_arena;

    /// <summary>This thread's arena, empty.</summary>
    public static Arena<E> Start()
    {
        var arena = t_arena ??= new Arena<E>();
        arena.Reset();
        return arena;
    }
}
