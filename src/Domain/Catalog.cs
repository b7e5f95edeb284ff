using MetaOpt.Evaluation;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Presets;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Training;

namespace MetaOpt;

/// <summary>
/// THE registration lists. A new task or optimizer is one new file and one line here, a kind of run a folder and one line;
/// validation, Swagger, the catalogue endpoint, the dashboard and the contract tests pick it up.
/// </summary>
public static class Catalog
{
    /// <summary>Kinds of runs.</summary>
    public static readonly RunKinds RunKinds = new(
        TrainingKind.Entry,
        EvaluationKind.Entry,
        DiagnosisKind.Entry);

    /// <summary>Distributions of optimizees.</summary>
    public static readonly Registry<TaskOptions> Tasks = new(
        "task", "tasks",
        QuadraticTask.Entry,
        MlpClassificationTask.Entry,
        ConvClassificationTask.Entry,
        LogisticRegressionTask.Entry,
        LassoTask.Entry,
        RastriginTask.Entry,
        RosenbrockTask.Entry,
        AckleyTask.Entry,
        NeuralArtTask.Entry,
        CharacterModelTask.Entry,
        TorchScriptTask.Entry);

    /// <summary>Hand-designed optimizers: the baselines, and the meta-optimizer.</summary>
    public static readonly Registry<OptimizerOptions> Optimizers = new(
        "optimizer", "optimizers",
        Sgd.Entry,
        Momentum.Entry,
        Nag.Entry,
        RmsProp.Entry,
        Adam.Entry,
        AdaGrad.Entry,
        AdamW.Entry,
        Lion.Entry,
        LBfgs.Entry,
        Bfgs.Entry);

    /// <summary>How a learning rate changes along an inner run.</summary>
    public static readonly Registry<ScheduleOptions> Schedules = new(
        "schedule", "schedules",
        ConstantSchedule.Entry,
        CosineSchedule.Entry,
        StepSchedule.Entry);

    /// <summary>Learned optimizers.</summary>
    public static readonly Registry<LearnedOptimizerOptions> LearnedOptimizers = new(
        "learned optimizer", "learnedOptimizers",
        CoordinatewiseLstm.Entry,
        LstmGac.Entry,
        NtmBfgs.Entry,
        RnnProp.Entry,
        HierarchicalRnn.Entry,
        AdafactorMlp.Entry,
        LearnableSgd.Entry,
        LearnableAdam.Entry,
        Partitioned.Entry);

    /// <summary>Meta-gradient estimators.</summary>
    public static readonly Registry<EstimatorOptions> Estimators = new(
        "estimator", "estimators",
        TruncatedBptt.Entry,
        EvolutionStrategies.Entry,
        EvolutionStrategies.PersistentEntry);

    /// <summary>All of them: what a field of a specification may choose from.</summary>
    public static readonly IReadOnlyList<Registry> Registries = [Tasks, Optimizers, LearnedOptimizers, Estimators, Schedules];

    /// <summary>Figures and tables that can be reproduced.</summary>
    public static readonly IReadOnlyList<Preset> Presets =
    [
        LearnablePreset.Entry,
        LaterMethodsPreset.Entry,
        QuadraticsPreset.Entry,
        PublishedQuadraticsPreset.Entry,
        MnistPreset.Entry,
        MnistPreset.Architectures,
        ConvolutionsPreset.Mnist,
        ConvolutionsPreset.Cifar,
        NeuralArtPreset.Entry,
        LongHorizonPreset.Entry,
        EstimatorsPreset.Entry,
    ];
}
