using MetaOpt.Runs;

namespace MetaOpt.Training;

/// <summary>
/// The horizons of a training's inner runs, stage by stage of the curriculum (see <see cref="CurriculumOptions"/>), and what is
/// drawn for each inner run: its length, where it begins, whether it is the teacher's. Without a curriculum there is one stage.
/// </summary>
sealed class HorizonSchedule(TrainingOptions options, ulong seed)
{
    int _stage; // stages that are behind
    int _validations; // of this stage
    bool _improved; // one of them was an improvement
    bool _isToBeScored;
    bool _isOver;

    /// <summary>The horizon of the current stage; an inner run's may be drawn shorter.</summary>
    public int Horizon => HorizonOf(_stage);

    /// <summary>A stage is validated at the next one's horizon.</summary>
    public int ValidationHorizon => HorizonOf(_stage + 1);

    /// <summary>The phi that a stage begins with was not scored at that stage's horizon yet: it is the first to beat.</summary>
    public bool IsToBeScored => _isToBeScored;

    /// <summary>The last stage is over, or one brought nothing.</summary>
    public bool IsOver => _isOver;

    /// <summary>Unrolls of an inner run that is as long as the stage's horizon.</summary>
    public int StageUnrolls => Horizon / options.Unroll;

    int HorizonOf(int stage) =>
        options.Curriculum is { } curriculum && stage < curriculum.Horizons.Count ? curriculum.Horizons[stage] : options.Horizon;

    /// <summary>Unrolls of an inner run.</summary>
    public int Unrolls(int metaEpoch) =>
        new MetaEpochDraw(seed, metaEpoch).Unrolls(options.ShortestHorizon, Horizon, options.Unroll);

    /// <summary>Steps before an inner run's first unroll.</summary>
    public int Offset(int metaEpoch) => new MetaEpochDraw(seed, metaEpoch).Offset(options.StartOffset);

    /// <summary>An inner run is the teacher's.</summary>
    public bool Imitates(int metaEpoch) => options.Imitation is { } imitation
        && new MetaEpochDraw(seed, metaEpoch).Chosen(imitation.Shares[Math.Min(_stage, imitation.Shares.Count - 1)]);

    /// <summary>Notes that the first phi of the stage was scored.</summary>
    public void BeginStage() => _isToBeScored = false;

    /// <summary>
    /// Counts a validation. True when it ends the stage and another one follows, which begins with the best phi.
    /// </summary>
    public bool Judge(bool improved)
    {
        _validations++;
        _improved |= improved;
        if (improved || options.Curriculum is not { } curriculum || _validations < curriculum.Validations) return false;
        _isOver = !_improved || _stage == curriculum.Horizons.Count;
        if (_isOver) return false;
        (_stage, _validations, _improved, _isToBeScored) = (_stage + 1, 0, false, true);
        return true;
    }

    /// <summary>Keeps where the curriculum stands.</summary>
    public void Keep(Snapshot snapshot)
    {
        snapshot.Keep("stage", ref _stage, 0, options.Curriculum?.Horizons.Count ?? 0);
        snapshot.Keep("validations", ref _validations);
        snapshot.Keep("improved", ref _improved);
        snapshot.Keep("is-to-be-scored", ref _isToBeScored);
        snapshot.Keep("is-over", ref _isOver);
    }
}
