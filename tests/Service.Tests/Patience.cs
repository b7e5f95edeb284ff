namespace MetaOpt.Service.Tests;

/// <summary>How long tests wait for what has to happen.</summary>
static class Patience
{
    /// <summary>
    /// Only a test that fails waits so long without anything moving: no verdict depends on how busy the machine is.
    /// </summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);
}
