using System.Globalization;
using MetaOpt.Storage.Embedded;

namespace MetaOpt.Workers;

/// <summary>The command line is wrong; the message is for the user.</summary>
sealed class UsageException(string message) : Exception(message);

/// <summary>How a worker was started.</summary>
sealed record WorkerSettings
{
    /// <summary>Unique among workers.</summary>
    public string Name { get; private set; } = $"{Environment.MachineName}-{Environment.ProcessId}";
    /// <summary>It takes runs of this pool.</summary>
    public string Pool { get; private set; } = "cpu";
    /// <summary>Runs at once.</summary>
    public int Slots { get; private set; } = 1;
    /// <summary>Threads of each run.</summary>
    public int Threads { get; private set; }
    /// <summary>Where datasets lie.</summary>
    public string DataFolder { get; private set; } = Path.Combine(EmbeddedOptions.FromEnvironment().DataFolder, "data");
    /// <summary>Devices of the slots, in turn; empty: none are assigned.</summary>
    public IReadOnlyList<string> Devices { get; private set; } = [];
    /// <summary>MiB that must be free on a slot's device before it claims a run.</summary>
    public int FreeDeviceMemory { get; private set; }
    /// <summary>MiB of memory that a run may take; 0: no limit.</summary>
    public int Memory { get; private set; }
    /// <summary>How long a lease holds without a heartbeat.</summary>
    public TimeSpan Lease { get; private set; } = TimeSpan.FromSeconds(30);
    /// <summary>Time between two resume points that are stored.</summary>
    public TimeSpan ResumeInterval { get; private set; } = TimeSpan.FromSeconds(5);
    /// <summary>Time a child has between SIGTERM and SIGKILL.</summary>
    public TimeSpan Grace { get; private set; } = TimeSpan.FromSeconds(10);

    /// <summary>Shown by <c>--help</c>.</summary>
    public const string Help =
        """
        metaopt-worker: takes runs from the queue and executes each in a child process.

          --name NAME            unique among workers                           (host name and process id)
          --pool POOL            takes runs of this pool                        (cpu)
          --slots N              runs at once, 1 to 256                         (1)
          --devices 0,1          GPUs of the slots, in turn: CUDA_VISIBLE_DEVICES of the run; a slot for each  (none)
          --device-memory-mb N   free memory that a slot's GPU must have before a claim (by nvidia-smi)  (0)
          --memory-mb N          memory of each run; one that takes more is ended and fails, 0: no limit  (0)
          --threads N            threads of each run, 1 to 1024                 (cores / slots)
          --data DIR             datasets: DIR/mnist/*, DIR/fashion-mnist/*     (data in the data folder)
          --lease-seconds S      a run is taken away after this silence, 1 to 3600  (30)
          --resume-seconds S     between two stored resume points, 0 to 86400   (5)
          --grace-seconds S      from SIGTERM to SIGKILL of a child, 0 to 3600  (10)

        METAOPT_DATABASE_URL is the connection string of PostgreSQL; without it the embedded one is started or reused.
        METAOPT_KERNELS=scalar|simd (torch-cpu|torch-cuda where built in) forces a kernel set. METAOPT_HOME is the data folder.
        SIGTERM and Ctrl-C store a resume point, hand the runs back and exit with 0.

        metaopt-worker execute is the child: one run, frames on standard input and output, no database.
        metaopt-worker examine DIR NAME writes what the network DIR/networks/NAME.pt is, as JSON.
        The child exits with 0 (done), 1 (fault), 10 (stopped by SIGTERM) or 11 (its worker is gone).
        """;

    /// <summary>Reads the arguments.</summary>
    /// <exception cref="UsageException">Says what is wrong and what is allowed.</exception>
    public static WorkerSettings Parse(IReadOnlyList<string> args)
    {
        var (settings, slots) = (new WorkerSettings(), 0);
        for (var i = 0; i < args.Count; i++)
        {
            var (option, value) = args[i].IndexOf('=') is > 0 and var at ? (args[i][..at], args[i][(at + 1)..]) : (args[i], null);
            value ??= i + 1 < args.Count
                ? args[++i]
                : throw new UsageException($"{option} needs a value, or is no option; see --help.");
            switch (option)
            {
                case "--name": settings.Name = Text(option, value); break;
                case "--pool": settings.Pool = Text(option, value); break;
                case "--data": settings.DataFolder = Path.GetFullPath(Text(option, value)); break;
                case "--devices": settings.Devices = DeviceList(option, value); break;
                case "--device-memory-mb":
                    settings.FreeDeviceMemory =
                    (int)Number(option, value, 0, 10_000_000, whole: true); break;
                case "--memory-mb": settings.Memory = (int)Number(option, value, 0, 100_000_000, whole: true); break;
                case "--slots": slots = (int)Number(option, value, 1, 256, whole: true); break;
                case "--threads": settings.Threads = (int)Number(option, value, 1, 1024, whole: true); break;
                case "--lease-seconds": settings.Lease = TimeSpan.FromSeconds(Number(option, value, 1, 3600)); break;
                case "--resume-seconds": settings.ResumeInterval = TimeSpan.FromSeconds(Number(option, value, 0, 86400)); break;
                case "--grace-seconds": settings.Grace = TimeSpan.FromSeconds(Number(option, value, 0, 3600)); break;
                default: throw new UsageException($"'{option}' is not an option of metaopt-worker; see --help.");
            }
        }
        settings.Slots = slots > 0 ? slots : Math.Max(1, settings.Devices.Count);
        if (settings.Threads == 0) settings.Threads = Math.Max(1, Environment.ProcessorCount / settings.Slots);
        return settings;
    }

    static string[] DeviceList(string option, string value) =>
        value.Split(',') is var names && names.Length <= 64
            && names.All(n => n.Length is > 0 and <= 60 && n.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '/'))
            ? names
            : throw new UsageException(
                $"{option} must be numbers or ids of GPUs with commas between them, such as 0,1, got '{value}'.");

    static string Text(string option, string value) =>
        value is { Length: > 0 and <= 200 } && !value.StartsWith("--", StringComparison.Ordinal)
        ? value : throw new UsageException($"{option} needs 1 to 200 characters, got '{value}'.");

    static double Number(string option, string value, double least, double most, bool whole = false) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && number >= least && number <= most && (!whole || number == Math.Floor(number))
            ? number
            : throw new UsageException(
                $"{option} must be a {(whole ? "whole " : "")}number from {least} to {most}, got '{value}'.");
}
