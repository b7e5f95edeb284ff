using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Domain.Tests.Training;
using MetaOpt.Evaluation;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt.Domain.Tests.Runs;

/// <summary>
/// Small runs of every estimator, schedule and kind whose bits were recorded: a change of the code must leave them alone, or say
/// that it does not. <c>METAOPT_RECORD=folder</c> writes what comes out now.
/// </summary>
static class RecordedRuns
{
    public static readonly Guid Checkpoint = Guid.Parse("0198c0de-0000-7000-8000-000000000002");

    static readonly TrainingSpec s_training = new()
    {
        Seed = 11,
        Task = new QuadraticTask.Options { Dimensions = 5 },
        Optimizer = new CoordinatewiseLstm.Options { Layers = [6, 5] },
        Training = new TrainingOptions
        {
            Horizon = 20,
            Unroll = 5,
            MetaBatch = 4,
            MetaEpochs = 6,
            MetaOptimizer = new() { LearningRate = 0.01 },
            Validation = new() { Every = 2, Instances = 8 },
        },
    };

    static TrainingSpec Train(Func<TrainingOptions, TrainingOptions> change, LearnedOptimizerOptions? optimizer = null,
        TaskOptions? task = null) =>
        s_training with
        {
            Training = change(s_training.Training),
            Optimizer = optimizer ?? s_training.Optimizer,
            Task = task ?? s_training.Task
        };

    static readonly EvaluationSpec s_evaluation = new()
    {
        Seed = 3,
        Task = new QuadraticTask.Options { Dimensions = 3 },
        Horizon = 12,
        Instances = 20,
        KeptInstances = 3,
        Targets = [2.5, 0.5],
        Tuning = new() { Instances = 16, Rungs = 2, Refinements = 1 },
        BootstrapResamples = 100,
        Contestants =
        [
            new() { Checkpoint = Checkpoint },
            new() { Optimizer = new Sgd.Options() },
            new() { Optimizer = new Adam.Options { LearningRate = 0.1, Schedule = new CosineSchedule.Options() } },
            new() { Optimizer = new Bfgs.Options { LearningRate = 0.5 } },
        ],
    };

    public static readonly IReadOnlyDictionary<string, RunSpec> Specs = new Dictionary<string, RunSpec>
    {
        ["truncated"] = Train(t => t with { StartOffset = 3, LossWeights = LossWeights.Linear, ShortestHorizon = 5 }),
        ["truncated-log"] = Train(
            t => t with { LossWeights = LossWeights.Log, MetaOptimizer = t.MetaOptimizer with { ClipNorm = 0.1 } },
            new RnnProp.Options { Layers = [4] }),
        ["on-the-tape"] = Train(t => t with { MetaEpochs = 3 }, new HierarchicalRnn.Options()),
        ["second-derivatives"] = Train(t => t with { SecondDerivatives = true, StartOffset = 4, LossWeights = LossWeights.Log }),
        ["second-derivatives-classes"] = Train(t => t with { SecondDerivatives = true, MetaEpochs = 2 },
            new LstmGac.Options(), new LogisticRegressionTask.Options { Examples = 10 }),
        ["es"] = Train(t => t with
        {
            Estimator = new EvolutionStrategies.TruncatedOptions { Pairs = 2 },
            StartOffset = 4,
            LossWeights = LossWeights.Log
        }),
        ["pes-hardened"] = Train(t => t with
        {
            Estimator = new EvolutionStrategies.PersistentOptions { Pairs = 2 },
            StartOffset = 4,
            RandomScaling = 1,
            ConvexDimensions = 3,
        }),
        ["curriculum"] = Train(t => t with
        {
            MetaEpochs = 60,
            MetaOptimizer = new() { LearningRate = 0.02 },
            Curriculum = new() { Horizons = [5, 10], Validations = 2 },
            Imitation = new() { Shares = [0.5, 0.1], Teacher = new Adam.Options { LearningRate = 0.05 } },
            Validation = new() { Every = 2, Instances = 16 },
        }),
        ["imitation"] = Train(t => t with { StartOffset = 3, RandomScaling = 1, Imitation = new() { Shares = [0.6] } }),
        ["patience"] = Train(t => t with
        {
            MetaEpochs = 200,
            MetaOptimizer = new() { LearningRate = 0.5 },
            Validation = new() { Every = 1, Instances = 8, Patience = 3, Criterion = Criterion.Average },
        }),
        ["returns-to-best"] = Train(t => t with { Unroll = 20, MetaEpochs = 60, MetaOptimizer = new() { LearningRate = 15 } },
            new LearnableSgd.Options { InitialLearningRate = 1e-5 }),
        ["network"] = Train(t => t with { MetaEpochs = 3 }, task: new MlpClassificationTask.Options { Hidden = [4], Batch = 8 }),
        ["characters"] = Train(t => t with { MetaEpochs = 2, Horizon = 10 },
            new LearnableAdam.Options(), new CharacterModelTask.Options { Dataset = TextDataset.Grammar }),
        ["evaluation"] = s_evaluation,
        ["evaluation-network"] = s_evaluation with
        {
            Task = new MlpClassificationTask.Options { Hidden = [4], Batch = 8 },
            Horizon = 6,
            Instances = 5,
            Targets = [],
            Tuning = new() { Instances = 4, Rungs = 1 },
        },
        ["diagnosis"] = new DiagnosisSpec
        {
            Seed = 3,
            Task = s_training.Task,
            Optimizer = new LearnableSgd.Options { InitialLearningRate = 0.01 },
            Horizon = 8,
            Unroll = 2,
            Instances = 2,
            Estimates = 150,
            Pairs = 2,
            ReferencePairs = 40,
        },
    };

    /// <summary>
    /// Specifications of which a resume point is kept that was written before resume points were snapshots, and after how many
    /// points.
    /// </summary>
    public static readonly IReadOnlyList<(string Name, int Points)> Interrupted =
        [("truncated", 3), ("pes-hardened", 7), ("curriculum", 33), ("imitation", 6), ("evaluation", 30), ("diagnosis", 130)];

    public static RunInputs Inputs(IKernels<float> kernels, byte[]? resumePoint = null)
    {
        var spec = new TrainingSpec
        {
            Task = s_evaluation.Task,
            Optimizer = new LearnableSgd.Options { InitialLearningRate = 0.03 }
        };
        return Execution.Inputs(kernels, resumePoint,
            new Dictionary<Guid, byte[]> { [Checkpoint] = LearnedOptimizerCheckpoint.Write(spec, [-3.5f]) });
    }

    /// <summary>Sums of a run's points, checkpoints and result; times are left out.</summary>
    public static string Sums(IEnumerable<RunEvent> events)
    {
        var (points, rest) = (new StringBuilder(), new StringBuilder());
        foreach (var runEvent in events)
            switch (runEvent)
            {
                case RunEvent.Point point:
                    points.Append(point.Series).Append(' ').Append(point.Step).Append(' ')
                        .Append(BitConverter.DoubleToInt64Bits(point.Value)).Append('\n');
                    break;
                case RunEvent.Checkpoint checkpoint:
                    rest.Append(checkpoint.Name).Append(' ').Append(checkpoint.Step).Append(' ').Append(Hash(checkpoint.Bytes))
                        .Append('\n');
                    break;
                case RunEvent.Result result:
                    rest.Append(WithoutTimes(result.Document.ToJson()));
                    break;
            }
        return $"{Hash(Encoding.UTF8.GetBytes(points.ToString()))[..16]} {Hash(Encoding.UTF8.GetBytes(rest.ToString()))[..16]}";
    }

    static string WithoutTimes(JsonObject document)
    {
        foreach (var contestant in document["contestants"]?.AsArray() ?? [])
        {
            contestant!["secondsPerStep"] = 0;
            foreach (var target in contestant["targets"]!.AsArray()) target!["seconds"] = 0;
        }
        return document.ToJsonString();
    }

    public static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
