using System.Runtime.CompilerServices;
using MetaOpt.Cli.Client;

namespace MetaOpt.Service.Tests;

/// <summary>The tests' own clients talk to servers on this machine, whatever proxy is set here.</summary>
static class Direct
{
    [ModuleInitializer]
    internal static void Apply() => LoopbackIsDirect.Apply();
}
