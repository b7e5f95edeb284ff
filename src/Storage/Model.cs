namespace MetaOpt.Storage;

/// <summary>A promoted checkpoint: <c>name@version</c>. It is kept until it is taken back.</summary>
public sealed class Model
{
    /// <summary>Lower-case letters, digits and hyphens.</summary>
    public required string Name { get; init; }
    /// <summary>1, 2, ...</summary>
    public int Version { get; init; }
    /// <summary>The checkpoint that it stands for.</summary>
    public Guid CheckpointId { get; init; }
    /// <summary>Free text.</summary>
    public string Notes { get; init; } = "";
    /// <summary>Name of the user who promoted it.</summary>
    public required string PromotedBy { get; init; }
    /// <summary>When.</summary>
    public DateTimeOffset PromotedAt { get; init; }
}
