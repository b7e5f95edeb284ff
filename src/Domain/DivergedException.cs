namespace MetaOpt;

/// <summary>
/// A run's values are no longer finite numbers, and no further step can change that: the run fails and is never retried. Its
/// specification is valid.
/// </summary>
/// <param name="detail">What diverged, at which step, and what to change.</param>
public sealed class DivergedException(string detail) : Exception(detail);
