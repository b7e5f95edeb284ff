using MetaOpt.Compute;

namespace MetaOpt.Domain.Tests.Compute;

public sealed class ChunkJobTests
{
    public static TheoryData<string, int> SetsAndThreads
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var set in KernelSets.Names)
                foreach (var threads in new[] { 1, 2, 5 })
                    data.Add(set, threads);
            return data;
        }
    }

    [Theory, MemberData(nameof(SetsAndThreads))]
    public void Each_chunk_runs_exactly_once(string set, int threads)
    {
        using var kernels = KernelSets.Create(set, threads);
        for (var round = 0; round < 3000; round++)
        {
            var counts = new int[round % 17];
            kernels.Run(counts.Length, new Count(counts));
            Assert.All(counts, c => Assert.Equal(1, c));
        }
    }

    [Theory, MemberData(nameof(SetsAndThreads))]
    public void An_exception_reaches_the_caller_and_the_threads_live_on(string set, int threads)
    {
        using var kernels = KernelSets.Create(set, threads);
        for (var round = 0; round < 20; round++)
        {
            Assert.Throws<InvalidTimeZoneException>(() => kernels.Run(8, new Fail()));
            var counts = new int[8];
            kernels.Run(8, new Count(counts));
            Assert.All(counts, c => Assert.Equal(1, c));
        }
    }

    [Theory, MemberData(nameof(SetsAndThreads))]
    public void A_job_within_a_chunk_runs_too(string set, int threads)
    {
        using var kernels = KernelSets.Create(set, threads);
        var counts = new int[6];
        kernels.Run(5, new Nested(kernels, counts));
        Assert.All(counts, c => Assert.Equal(5, c));
    }

    [Fact]
    public void An_unknown_kernel_set_is_refused_with_the_known_ones() =>
        Assert.Contains("simd or scalar", Assert.Throws<SpecException>(() => KernelSets.Create("cuda", 1)).Message);

    readonly struct Count(int[] counts) : IChunkJob
    {
        public void Run(int chunk) => Interlocked.Increment(ref counts[chunk]);
    }

    readonly struct Fail : IChunkJob
    {
        public void Run(int chunk)
        {
            if (chunk % 3 == 2) throw new InvalidTimeZoneException();
        }
    }

    readonly struct Nested(IKernels<float> kernels, int[] counts) : IChunkJob
    {
        public void Run(int chunk) => kernels.Run(counts.Length, new Count(counts));
    }
}
