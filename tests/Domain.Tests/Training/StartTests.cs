using MetaOpt.Learned;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;
using static MetaOpt.Domain.Tests.Training.Execution;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>A training that begins with a checkpoint's phi.</summary>
public class StartTests
{
    static readonly Guid s_start = Guid.Parse("0198c0de-0000-7000-8000-000000000002");

    static readonly TrainingSpec s_first = new()
    {
        Seed = 7,
        Task = new QuadraticTask.Options { Dimensions = 4 },
        Optimizer = new CoordinatewiseLstm.Options { Layers = [3] },
        Training = new() { Horizon = 10, Unroll = 5, MetaBatch = 4, MetaEpochs = 3, Validation = new() { Every = 0 } },
    };

    static byte[] Train(TrainingSpec spec, byte[]? start = null) =>
        Final(Run(spec, checkpoints: start is null ? null : new Dictionary<Guid, byte[]> { [s_start] = start }));

    [Fact]
    public void It_begins_where_the_checkpoint_ended_whatever_its_own_seed()
    {
        var first = Train(s_first);
        // At this rate phi hardly moves: where it ends is where it began.
        var still = s_first with
        {
            Seed = 8,
            Start = s_start,
            Training = s_first.Training with { MetaEpochs = 1, MetaOptimizer = new() { LearningRate = 1e-8 } },
        };
        Assert.Equal([new("/start", s_start, Artifacts.LearnedOptimizer, InputSource.Checkpoint)], still.FindInputs());
        var (before, after) = (LearnedOptimizerCheckpoint.Read(first).Phi,
            LearnedOptimizerCheckpoint.Read(Train(still, first)).Phi);
        Assert.InRange(before.Zip(after, (a, b) => Math.Abs(a - b)).Max(), 0, 1e-6);
        Assert.NotEqual(first, Train(s_first with { Start = s_start }, first));
    }

    [Fact]
    public void A_checkpoint_of_another_optimizer_or_shape_is_refused()
    {
        var first = Train(s_first);
        foreach (var optimizer in (LearnedOptimizerOptions[])[new LearnableSgd.Options(),
            new CoordinatewiseLstm.Options { Layers = [4] }])
        {
            var error = Assert.Throws<SpecException>(() => Train(s_first with { Start = s_start, Optimizer = optimizer }, first));
            Assert.Equal("/start", Assert.Single(error.Errors).Pointer);
        }
        Assert.Throws<SpecException>(() => Train(s_first with { Start = s_start }, [1, 2, 3]));
    }
}
