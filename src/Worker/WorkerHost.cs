using System.Runtime.CompilerServices;
using MetaOpt.Runs;
using MetaOpt.Workers.Execution;

namespace MetaOpt.Workers;

/// <summary>A program that is a worker, and its children when it is started as one.</summary>
/// <param name="program">The program's own assembly file, which children are started from.</param>
/// <param name="kinds">Finds the kinds of runs that it executes. Asked late: a child has to listen for SIGTERM before it loads
/// them.</param>
public sealed class WorkerHost(string program, Func<RunKinds> kinds)
{
    /// <summary>The assembly file of the worker as it is delivered.</summary>
    internal static string Delivered => Path.Combine(AppContext.BaseDirectory, "metaopt-worker.dll");

    internal string Program => program;

    internal RunKinds Kinds => kinds();

    /// <summary>Does what the command line says; the exit code.</summary>
    public Task<int> RunAsync(string[] args) => args switch
    {
        ["execute"] => Task.FromResult(Execute()),
        ["examine", var folder, var network] => Task.FromResult(Examination.Run(folder, network)),
        _ => Work(args),
    };

    // Methods of their own, so that each process loads only what it needs.
    [MethodImpl(MethodImplOptions.NoInlining)]
    int Execute() => ChildProgram.Run(kinds);

    [MethodImpl(MethodImplOptions.NoInlining)]
    Task<int> Work(string[] args) => WorkerProgram.RunAsync(args, this);
}
