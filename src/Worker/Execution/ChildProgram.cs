using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Runs;
using MetaOpt.Tasks;
using MetaOpt.Workers.Data;

namespace MetaOpt.Workers.Execution;

/// <summary>
/// <c>metaopt-worker execute</c>: executes one run. Frames on standard input and output, log lines and whatever else is printed
/// on standard error, no database. Exit codes are in <see cref="ChildExit"/>.
/// </summary>
static class ChildProgram
{
    static readonly CancellationTokenSource s_stop = new();

    // Kept until the process is gone: without a handler, a signal that comes after the last frame would turn success into a
    // death.
    static readonly List<PosixSignalRegistration> s_signals = [];

    public static int Run(Func<RunKinds> kinds)
    {
        // First, before anything else is loaded: a signal that comes earlier ends the process with 143.
        s_signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            s_stop.Cancel();
        }));
        // Ctrl-C reaches the whole group of a terminal; the worker decides what becomes of its children.
        s_signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => signal.Cancel = true));
        // Networks that print, and libraries, must not write between the frames.
        var (input, output) = (new BufferedStream(Console.OpenStandardInput()), Native.TakeStandardOutput());
        try
        {
            var job = Job.Parse(Frame.Read(input));
            var (resume, checkpoints) = ReadInputs(input);
            new ParentLink(input, TimeSpan.FromSeconds(job.SilenceSeconds)).Watch();
            var outbox = new Outbox(output, TimeSpan.FromSeconds(job.ResumeSeconds), s_stop.Token);
            outbox.Hello();
            return Execute(kinds(), job, resume, checkpoints, outbox, s_stop.Token);
        }
        catch (IOException gone)
        {
            Console.Error.WriteLine($"The worker is gone: {gone.Message}");
            return ChildExit.Abandoned;
        }
    }

    static int Execute(RunKinds kinds, Job job, byte[]? resume, Dictionary<Guid, byte[]> checkpoints, Outbox outbox,
        CancellationToken stop)
    {
        try
        {
            var spec = kinds.Read(job.Kind, job.Spec);
            Flavour.AddKernelSets();
            var (hashes, differences) = (new JsonObject(), new JsonArray());
            var folder = new DataFolder(job.DataFolder, Flavour.ReadNetwork);
            Dataset Read(string name)
            {
                var dataset = folder.Read(name);
                hashes[name] = dataset.Sha256;
                if (dataset.Difference is { } difference) differences.Add((JsonNode)difference);
                var facts = new JsonObject { ["datasets"] = hashes.DeepClone() };
                if (differences.Count > 0) facts["notes"] = differences.DeepClone();
                outbox.Send(new RunEvent.Metadata(facts));
                return dataset;
            }
            outbox.Send(new RunEvent.Metadata(new JsonObject { ["seed"] = spec.Seed }));
            using var kernels = KernelSets.Create(JsonNamingPolicy.KebabCaseLower.ConvertName(spec.Kernels.ToString()),
                job.Threads);
            if (spec.Precision == Precision.Bfloat16 && !kernels.UseBfloat16Products())
                throw new SpecException("/precision",
                    $"is bfloat16, and the kernel set {kernels.Name} has float32 only; choose that, or a worker with torch-cuda "
                    + "or torch-cpu.");
            if (kernels.Facts.Count > 0)
                outbox.Send(
                    new RunEvent.Metadata(
                        new JsonObject(kernels.Facts.Select(f => KeyValuePair.Create(f.Key, (JsonNode?)f.Value)))));
            foreach (var runEvent in spec.Execute(new RunInputs(kernels, Read, checkpoints, resume), stop)) outbox.Send(runEvent);
            outbox.Flush();
            return ChildExit.Done;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            outbox.Flush();
            return ChildExit.Stopped;
        }
        catch (SpecException wrong)
        {
            outbox.Fail(FailureKind.User, wrong.Message);
            return ChildExit.Done;
        }
        catch (DivergedException diverged)
        {
            outbox.Fail(FailureKind.Diverged, diverged.Message);
            return ChildExit.Done;
        }
        catch (Exception fault)
        {
            // When it is the pipe that broke, the next write says so, and the caller knows what that means.
            Console.Error.WriteLine(fault);
            outbox.Fail(FailureKind.Fault, $"{fault.GetType().Name}: {fault.Message}");
            return ChildExit.Fault;
        }
    }

    static (byte[]? Resume, Dictionary<Guid, byte[]> Checkpoints) ReadInputs(Stream input)
    {
        byte[]? resume = null;
        var checkpoints = new Dictionary<Guid, byte[]>();
        while (true)
        {
            var frame = Frame.Read(input) ?? throw new EndOfStreamException("The input ended before the start.");
            switch (frame.Kind)
            {
                case FrameKind.Resume:
                    resume = frame.Payload;
                    break;
                case FrameKind.Input:
                    var (id, bytes) = Messages.ReadInput(frame);
                    checkpoints[id] = bytes;
                    break;
                case FrameKind.Start:
                    return (resume, checkpoints);
                default:
                    throw new InvalidDataException($"A {frame.Kind} frame before the start.");
            }
        }
    }
}
