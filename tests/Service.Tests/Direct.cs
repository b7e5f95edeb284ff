using MetaOpt.Cli.Client;

namespace MetaOpt.Service.Tests;

/// <summary>The tests' own clients talk to servers on this machine, whatever proxy is set here.</summary>
static class Direct
{
    /// <summary>
    /// Called before the first test; a child that loads these tests to print (<see cref="StartupHook"/>) has no client.
    /// </summary>
    internal static void Apply() => LoopbackIsDirect.Apply();
}
