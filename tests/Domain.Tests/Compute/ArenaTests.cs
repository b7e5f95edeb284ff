using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Compute;

public sealed unsafe class ArenaTests
{
    [Fact]
    public void Tensors_are_aligned_and_do_not_overlap()
    {
        using var arena = new Arena<float>(64);
        var tensors = Enumerable.Range(0, 40).Select(i => arena.Take(new Shape(i * 7))).ToList();
        for (var i = 0; i < tensors.Count; i++) tensors[i].Span.Fill(i);
        for (var i = 0; i < tensors.Count; i++)
        {
            Assert.Equal(0, (nint)tensors[i].Data % 64);
            foreach (var value in tensors[i].Span) Assert.Equal(i, value);
        }
    }

    [Fact]
    public void Memory_is_used_again_after_a_reset()
    {
        using var arena = new Arena<double>(1000);
        for (var round = 0; round < 100; round++)
        {
            arena.Reset();
            arena.Take(new Shape(900));
            arena.Take(new Shape(5000));
            arena.Zeros(new Shape(10));
        }
        Assert.InRange(arena.Capacity, 5910, 8000);
    }

    [Theory]
    [InlineData(1 << 16, 1 << 15, 1, 1)] // 2^31: as an int it is negative,
    [InlineData(1 << 16, 1 << 16, 1, 1)] // 0,
    [InlineData(101, 1024, 41527, 1)] // or small
    [InlineData(3, 1 << 30, 1 << 30, 1 << 30)]
    public void What_no_index_reaches_is_not_taken(int d0, int d1, int d2, int d3)
    {
        using var arena = new Arena<float>();
        Assert.ThrowsAny<SystemException>(() => { arena.Take(new Shape(d0, d1, d2, d3)); });
        Assert.Equal(0, arena.Capacity);
        Assert.Throws<OverflowException>(() => Layout.Flat(d0, d1).Count + Layout.Flat(int.MaxValue, d0).Count);
    }

    [Fact]
    public void A_range_ends_where_its_tensor_ends()
    {
        using var arena = new Arena<float>();
        var tensor = arena.Take(new Shape(10));
        Assert.Equal(0, tensor.Range(10, 0).Count);
        foreach (var (start, count) in ((int, int)[])[(9, 2), (-1, 2), (1, -1), (5, int.MaxValue)])
            Assert.Throws<ArgumentException>(() => { tensor.Range(start, count); });
    }

    [Fact]
    public void Zeros_are_zero_in_used_memory()
    {
        using var arena = new Arena<float>();
        arena.Take(new Shape(100)).Span.Fill(1);
        arena.Reset();
        Assert.All(arena.Zeros(new Shape(100)).Span.ToArray(), x => Assert.Equal(0, x));
    }
}
