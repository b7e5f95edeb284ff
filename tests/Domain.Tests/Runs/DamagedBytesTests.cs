using MetaOpt.Compute;
using MetaOpt.Evaluation;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;
using static MetaOpt.Domain.Tests.Training.Execution;

namespace MetaOpt.Domain.Tests.Runs;

/// <summary>
/// Stored bytes that were changed at random: they are used or refused with a reason, and never take more memory than they are
/// worth.
/// </summary>
public class DamagedBytesTests
{
    const long MostAllocated = 16 << 20;

    static readonly TrainingSpec s_training = new()
    {
        Seed = 7,
        Task = new QuadraticTask.Options { Dimensions = 3 },
        Optimizer = new CoordinatewiseLstm.Options { Layers = [3, 2] },
        Training = new TrainingOptions
        {
            Horizon = 8,
            Unroll = 4,
            MetaBatch = 2,
            MetaEpochs = 2,
            Validation = new ValidationOptions { Every = 1, Instances = 4 },
        },
    };

    static readonly Lazy<byte[]> s_checkpoint = new(() => Final(Run(s_training)));

    [Fact]
    public void A_changed_checkpoint_is_read_or_refused_with_a_reason_and_takes_little_memory()
    {
        for (var seed = 0UL; seed < 4000; seed++)
        {
            var bytes = Change(s_checkpoint.Value, seed);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                LearnedOptimizerCheckpoint.Read(bytes, "/start");
            }
            catch (SpecException refused)
            {
                Assert.StartsWith("/start: cannot be used: ", refused.Message);
            }
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
        }
    }

    public static TheoryData<string> Kinds => ["meta-training", "evaluation", "meta-gradient-diagnosis"];

    [Theory, MemberData(nameof(Kinds))]
    public void A_changed_resume_point_is_continued_from_or_refused_with_a_reason(string kind)
    {
        RunSpec spec = kind switch
        {
            "meta-training" => s_training,
            "evaluation" => new EvaluationSpec
            {
                Task = s_training.Task,
                Horizon = 5,
                Instances = 3,
                Tuning = new() { Instances = 2, Rungs = 1 },
                Contestants = [new() { Optimizer = new Sgd.Options { LearningRate = 0.01 } },
                    new() { Optimizer = new Momentum.Options() }],
            },
            _ => new DiagnosisSpec
            {
                Task = s_training.Task,
                Optimizer = s_training.Optimizer,
                Horizon = 4,
                Unroll = 2,
                Instances = 2,
                Estimates = 8,
                Pairs = 2,
                ReferencePairs = 8
            },
        };
        var (_, points) = RunWithPoints(spec);
        if (kind == "meta-gradient-diagnosis")
        {
            // It writes few: this one is that of a run that was cancelled before its first estimate.
            using var cancelled = new CancellationTokenSource();
            cancelled.Cancel();
            points = [(0, ResumePointOf(spec, cancelled.Token))];
        }
        Assert.NotEmpty(points);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        using var kernels = KernelSets.Create("auto", 1);
        for (var seed = 0UL; seed < 400; seed++)
        {
            var point = points[(int)(seed % (ulong)points.Count)].Bytes;
            try
            {
                foreach (var _ in spec.Execute(Inputs(kernels, Change(point, seed)), stop.Token)) { }
            }
            catch (OperationCanceledException)
            {
            }
            catch (SpecException refused)
            {
                Assert.True(refused.Errors[0].Pointer is "/resumePoint" or "/allowOtherKernels", refused.Message);
            }
        }
    }

    static byte[] ResumePointOf(RunSpec spec, CancellationToken cancelled)
    {
        using var kernels = KernelSets.Create("auto", 1);
        byte[] bytes = [];
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (var runEvent in spec.Execute(Inputs(kernels), cancelled))
                if (runEvent is RunEvent.ResumePoint point) bytes = point.Bytes();
        });
        return bytes;
    }

    [Fact]
    public void A_resume_point_with_another_training_s_tensors_is_refused()
    {
        var points = RunWithPoints(s_training).Points;
        var other = s_training with { Optimizer = new CoordinatewiseLstm.Options { Layers = [4] } };
        var refused = Assert.Throws<SpecException>(() => Run(other, points[0].Bytes));
        Assert.Contains("'phi' has", refused.Message);
        Assert.Contains("Fork the run", refused.Message);
    }

    /// <summary>
    /// One to three changes: digits of the header become other digits, bytes anything; or the end is missing, or something
    /// follows it.
    /// </summary>
    static byte[] Change(byte[] valid, ulong seed)
    {
        var random = new RandomStream(seed, Split.Test, Purpose.Instance);
        var changed = valid.ToArray();
        int[] digits = [.. Enumerable.Range(0, valid.Length).Where(i => valid[i] is >= (byte)'0' and <= (byte)'9').Take(400)];
        for (uint i = 0; i <= random.Index(0, 3); i++)
            if (random.Index(10 + i, 2) == 0)
                changed[digits[random.Index(20 + i, digits.Length)]] = (byte)('0' + random.Index(30 + i, 10));
            else changed[random.Index(20 + i, changed.Length)] = (byte)random.Bits(30 + i);
        return random.Index(1, 8) switch
        {
            0 => changed[..random.Index(2, changed.Length)],
            1 => [.. changed, .. new byte[1 + random.Index(2, 8)]],
            _ => changed,
        };
    }
}
