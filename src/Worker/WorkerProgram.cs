using System.Runtime.InteropServices;
using MetaOpt.Storage;
using MetaOpt.Storage.Embedded;
using MetaOpt.Workers.Execution;
using MetaOpt.Workers.Supervision;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MetaOpt.Workers;

/// <summary><c>metaopt-worker</c>: takes runs from the queue until SIGTERM or Ctrl-C.</summary>
static class WorkerProgram
{
    /// <summary>
    /// Runs the worker; its exit code: 0, 1 when the private database cannot be started, 2 when the command line is wrong.
    /// </summary>
    public static async Task<int> RunAsync(string[] args, WorkerHost host)
    {
        if (args is ["--help" or "-h" or "help"])
        {
            Console.WriteLine(WorkerSettings.Help);
            return 0;
        }
        try
        {
            var settings = WorkerSettings.Parse(args);
            Flavour.AddKernelSets();
            using var stop = new CancellationTokenSource();
            void Stop(PosixSignalContext signal)
            {
                signal.Cancel = true;
                stop.Cancel();
            }
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
            ParentProcess.OnEnd(stop.Cancel);

            var connection = DatabaseUrl.FromEnvironment()
                ?? await EmbeddedPostgres.EnsureStartedAsync(EmbeddedOptions.FromEnvironment(), stop.Token);
            await using var services = new ServiceCollection()
                .AddLogging(logging => logging
                    .AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat, console.UseUtcTimestamp) = (true,
                        "yyyy-MM-dd HH:mm:ss'Z' ", true))
                    .AddFilter("Microsoft", LogLevel.Warning).AddFilter("Npgsql", LogLevel.Warning))
                .AddMetaOptStorage(connection)
                .BuildServiceProvider();
            // Heartbeats never wait for a connection that a long write holds, nor long for one that a broken network swallows.
            await using var beats = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connection)
            {
                MaxPoolSize = settings.Slots,
                Timeout = Math.Clamp((int)(settings.Lease.TotalSeconds / 3), 1, 15),
                ApplicationName = "metaopt-heartbeat",
            }.ConnectionString);
            await new Supervisor(
                settings, host, services.GetRequiredService<RunQueue>(), new RunQueue(beats),
                services.GetRequiredService<NpgsqlDataSource>(),
                services.GetRequiredService<CheckpointStore>(),
                services.GetRequiredService<ILoggerFactory>().CreateLogger("worker")).RunAsync(stop.Token);
            return 0;
        }
        catch (UsageException wrong)
        {
            Console.Error.WriteLine(wrong.Message);
            return 2;
        }
        catch (DatabaseUrlException wrong)
        {
            Console.Error.WriteLine(wrong.Message);
            return 2;
        }
        catch (EmbeddedPostgresException trouble)
        {
            Console.Error.WriteLine(trouble.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            return 0;
        }
    }
}
