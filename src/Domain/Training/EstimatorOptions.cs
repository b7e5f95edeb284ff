using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Tasks;

namespace MetaOpt.Training;

/// <summary>Base of every meta-gradient estimator's options.</summary>
public abstract record EstimatorOptions
{
    /// <summary>The estimator of <paramref name="training"/>'s meta-gradient.</summary>
    public abstract IGradientEstimator<float> Create(IKernels<float> kernels, ITask task, ILearnedOptimizer rule,
        TrainingOptions training);

    /// <summary>Whether an unroll is kept to go back through it: for the prediction of memory and time.</summary>
    public virtual bool BackPropagates => false;

    /// <summary>Inner runs that are held at once, in multiples of the meta-batch: for the prediction of memory.</summary>
    public virtual int InnerRuns => 1;

    /// <summary>Copies of phi that are held, perturbations among them: for the prediction of memory.</summary>
    public virtual int CopiesOfPhi => 1;

    /// <summary>Inner runs that one unroll takes, in multiples of the meta-batch: for the prediction of time.</summary>
    public virtual int RunsPerUnroll => 1;
}

/// <summary>Truncated back-propagation through time: decoupled, or on the tape if second derivatives are asked for.</summary>
public static class TruncatedBptt
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<EstimatorOptions> Entry = Entry<EstimatorOptions>.Of<Options>(
        "truncated-bptt",
        "Back-propagation through the updates of one unroll; with unroll = horizon and secondDerivatives the exact "
        + "meta-gradient.",
        "Andrychowicz et al., 2016, arXiv:1606.04474, section 2");

    /// <summary>Options of <c>truncated-bptt</c>.</summary>
    public sealed record Options : EstimatorOptions
    {
        /// <inheritdoc/>
        public override bool BackPropagates => true;

        /// <inheritdoc/>
        public override IGradientEstimator<float> Create(IKernels<float> kernels, ITask task, ILearnedOptimizer rule,
            TrainingOptions training) =>
            training.SecondDerivatives
                ? new TapeBptt<float>(kernels, task, rule, training.MetaBatch, training.Unroll, training.LossWeights, true)
                : new DecoupledBptt<float>(kernels, task, rule, training.MetaBatch, training.Unroll, training.LossWeights);
    }
}
