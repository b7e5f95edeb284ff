using System.Text.RegularExpressions;
using MetaOpt.Storage;

namespace MetaOpt.Api.Users;

/// <summary>The body of <c>POST /users</c>.</summary>
public sealed partial record NewUser : IChecked
{
    /// <summary>Lower-case letters, digits, dots, hyphens and underscores; it stays, because runs carry it.</summary>
    [Length(1, 40)]
    public required string Name { get; init; }

    /// <summary>admin, member or viewer.</summary>
    public UserRole Role { get; init; } = UserRole.Member;

    /// <summary>Share of the machines relative to the others' weights.</summary>
    [Bounds(0.001, 1000)]
    public double Weight { get; init; } = 1;

    /// <inheritdoc/>
    public IEnumerable<SpecError> Check()
    {
        if (!UserName().IsMatch(Name))
            yield return new("/name",
                $"must begin with a lower-case letter and go on with such letters, digits, dots, hyphens and underscores, "
                + $"got \"{Name}\".");
    }

    [GeneratedRegex(@"\A[a-z][a-z0-9._-]*\z")]
    private static partial Regex UserName();
}

/// <summary>The body of <c>PATCH /users/{name}</c>; a field that is absent stays as it is.</summary>
public sealed record UserEdit
{
    /// <summary>admin, member or viewer.</summary>
    public UserRole? Role { get; init; }

    /// <summary>Share of the machines relative to the others' weights.</summary>
    [Bounds(0.001, 1000)]
    public double? Weight { get; init; }

    /// <summary>True refuses every token of the user from now on, false accepts them again. Runs go on.</summary>
    public bool? Disabled { get; init; }
}
