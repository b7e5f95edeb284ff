using MetaOpt.Compute;

namespace MetaOpt.Domain.Tests.Compute;

public sealed class RandomStreamTests
{
    [Fact]
    public void The_generator_gives_the_known_answers_of_Random123()
    {
        Assert.Equal((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u), new RandomStream(0, 0, 0).Block(0));
        Assert.Equal((0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu),
            new RandomStream(ulong.MaxValue, 0, (Purpose)(-1), uint.MaxValue, uint.MaxValue).Block(uint.MaxValue));
    }

    [Fact]
    public void Every_part_of_an_address_changes_the_numbers()
    {
        var stream = new RandomStream(1, Split.Train, Purpose.Instance, 2, 3);
        RandomStream[] others =
        [
            stream with { Seed = 2 }, stream with { Seed = 1UL << 40 }, stream with { Instance = 3 }, stream with { Step = 2 },
            stream with { Instance = 3, Step = 2 },
            .. Enum.GetValues<Split>().Where(s => s != stream.Split).Select(s => stream with { Split = s }),
            .. Enum.GetValues<Purpose>().Where(p => p != stream.Purpose).Select(p => stream with { Purpose = p }),
        ];
        var blocks = others.Prepend(stream).Select(s => s.Block(0)).ToList();
        Assert.Equal(blocks.Count, blocks.Distinct().Count());
    }

    [Fact]
    public void A_shorter_fill_is_the_beginning_of_a_longer_one()
    {
        var stream = new RandomStream(5, Split.Test, Purpose.InitialTheta, 7);
        var whole = new double[103];
        stream.FillNormal(whole.AsSpan(), 2);
        foreach (var length in new[] { 0, 1, 2, 3, 4, 5, 50 })
        {
            var part = new float[length];
            stream.FillNormal(part.AsSpan(), 2);
            Assert.Equal([.. whole.Take(length).Select(x => (float)x)], part);
        }
    }

    [Fact]
    public void Draws_have_the_moments_of_their_distributions()
    {
        var values = new double[200_000];
        new RandomStream(1, Split.Train, Purpose.Instance).FillNormal(values.AsSpan(), 3);
        Assert.InRange(values.Average(), -0.03, 0.03);
        Assert.InRange(values.Average(x => x * x), 8.85, 9.15);
        Assert.InRange(values.Average(x => x * x * x * x) / 81, 2.9, 3.1);
        new RandomStream(1, Split.Train, Purpose.MiniBatch).FillUniform(values.AsSpan(), -1, 3);
        Assert.InRange(values.Average(), 0.98, 1.02);
        Assert.All(values, x => Assert.InRange(x, -1, 3));
    }

    [Fact]
    public void Indices_cover_their_range_evenly()
    {
        var stream = new RandomStream(1, Split.Train, Purpose.MiniBatch);
        var counts = new int[10];
        for (var i = 0u; i < 100_000; i++) counts[stream.Index(i, 10)]++;
        Assert.All(counts, c => Assert.InRange(c, 9_600, 10_400));
    }
}
