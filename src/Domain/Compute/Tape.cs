using System.Numerics;

namespace MetaOpt.Compute;

/// <summary>Reverse-mode differentiation.</summary>
public sealed class Tape<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
}
