namespace MetaOpt.Optimizers;

/// <summary>
/// Base of every learning-rate schedule's options: a factor on the learning rate that depends on how much of the inner run is
/// done.
/// </summary>
public abstract record ScheduleOptions
{
    /// <summary>
    /// The factor after the share <paramref name="done"/> of the horizon's steps: 0 at the first step, 1 after the last.
    /// </summary>
    public abstract double Factor(double done);
}

/// <summary>The learning rate of every step of an inner run.</summary>
/// <param name="Rate">The rate as it is given or tuned; schedules only scale it.</param>
/// <param name="Schedule">How it changes.</param>
/// <param name="Horizon">Steps of the inner run; steps beyond it go on with the last factor.</param>
public readonly record struct StepSizes(double Rate, ScheduleOptions Schedule, int Horizon)
{
    /// <summary>The learning rate of step 1, 2, ..</summary>
    public double At(long step) => Rate * Schedule.Factor(Math.Min(1, (step - 1) / (double)Horizon));
}

/// <summary>The learning rate as it is.</summary>
public static class ConstantSchedule
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<ScheduleOptions> Entry = Entry<ScheduleOptions>.Of<Options>(
        "constant", "The same learning rate at every step.", "Robbins and Monro 1951, doi:10.1214/aoms/1177729586");

    /// <summary>Options of <c>constant</c>.</summary>
    public sealed record Options : ScheduleOptions
    {
        /// <inheritdoc/>
        public override double Factor(double done) => 1;
    }
}

/// <summary>Half a cosine from the learning rate down to a share of it.</summary>
public static class CosineSchedule
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<ScheduleOptions> Entry = Entry<ScheduleOptions>.Of<Options>(
        "cosine",
        "factor = final + (1 - final) (1 + cos(pi done)) / 2, where done goes from 0 to 1 over the horizon.",
        "Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts");

    /// <summary>Options of <c>cosine</c>.</summary>
    public sealed record Options : ScheduleOptions
    {
        /// <summary>The factor that is reached after the last step.</summary>
        [Bounds(0, 1)]
        public double Final { get; init; }

        /// <inheritdoc/>
        public override double Factor(double done) => Final + (1 - Final) * (1 + Math.Cos(Math.PI * done)) / 2;
    }
}

/// <summary>The learning rate falls in steps.</summary>
public static class StepSchedule
{
    /// <summary>The catalogue's entry.</summary>
    public static readonly Entry<ScheduleOptions> Entry = Entry<ScheduleOptions>.Of<Options>(
        "step",
        "The learning rate is multiplied by decay at each milestone, a share of the horizon.",
        "He et al. 2016, arXiv:1512.03385, section 4.2: a tenth at 1/2 and 3/4");

    /// <summary>Options of <c>step</c>.</summary>
    public sealed record Options : ScheduleOptions
    {
        /// <summary>The factor of the rate at each milestone.</summary>
        [Bounds(0, 1)]
        public double Decay { get; init; } = 0.1;

        /// <summary>When: shares of the horizon, in any order.</summary>
        [Bounds(0, 1), Length(1, 16)]
        public IReadOnlyList<double> Milestones { get; init; } = [0.5, 0.75];

        /// <inheritdoc/>
        public override double Factor(double done)
        {
            var factor = 1.0;
            for (var i = 0; i < Milestones.Count; i++)
                if (done >= Milestones[i]) factor *= Decay;
            return factor;
        }
    }
}
