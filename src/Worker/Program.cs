using MetaOpt.Workers;
using MetaOpt.Workers.Execution;

// A child has to listen for SIGTERM as early as it can: what only the worker needs is loaded by its own method.
return args switch
{
    ["execute"] => ChildProgram.Run(),
    ["examine", var folder, var network] => Examination.Run(folder, network),
    _ => await WorkerProgram.RunAsync(args),
};
