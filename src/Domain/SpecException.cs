namespace MetaOpt;

/// <summary>One thing wrong with a specification.</summary>
/// <param name="Pointer">RFC 6901 pointer to the field, for example <c>/training/horizon</c>.</param>
/// <param name="Detail">What is wrong: the value, the allowed range, and what to do.</param>
public sealed record SpecError(string Pointer, string Detail);

/// <summary>
/// The user asked for something that cannot be: answered with a 4xx, and a run that meets it fails and is never retried.
/// Everything else that goes wrong is a fault of ours or of the machine, and is retried.
/// </summary>
public sealed class SpecException(IReadOnlyList<SpecError> errors)
    : Exception(string.Join("; ", errors.Select(e => $"{e.Pointer}: {e.Detail}")))
{
    /// <summary>One error at <paramref name="pointer"/>.</summary>
    public SpecException(string pointer, string detail) : this([new SpecError(pointer, detail)]) { }

    /// <summary>Everything that is wrong, at least one entry.</summary>
    public IReadOnlyList<SpecError> Errors { get; } = errors;
}
