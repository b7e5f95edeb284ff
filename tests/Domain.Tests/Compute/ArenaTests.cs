using MetaOpt.Compute;

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

    [Fact]
    public void Zeros_are_zero_in_used_memory()
    {
        using var arena = new Arena<float>();
        arena.Take(new Shape(100)).Span.Fill(1);
        arena.Reset();
        Assert.All(arena.Zeros(new Shape(100)).Span.ToArray(), x => Assert.Equal(0, x));
    }
}
