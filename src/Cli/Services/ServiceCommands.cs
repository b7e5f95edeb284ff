using System.CommandLine;
using MetaOpt.Cli.Client;
using MetaOpt.Storage;

namespace MetaOpt.Cli.Services;

/// <summary>Start, stop and look after the services of this machine.</summary>
public static class ServiceCommands
{
    static readonly string[] Logged = ["api", "worker", LocalServices.TorchWorker, "supervisor"];

    static Option<int> Port() =>
        new Option<int>("--port") { Description = "Port of the API on 127.0.0.1.", DefaultValueFactory = _ => 5080 }
            .Between(1, 65535);

    static Option<bool> Torch() =>
        new("--torch")
        {
            Description =
            "A second worker, over libtorch: kernels torch-cpu or torch-cuda, and networks of your own."
        };

    /// <summary><c>up</c>: database, API and a worker in the background, kept alive. A second <c>up</c> reuses them.</summary>
    public static Command Up()
    {
        var (port, torch) = (Port(), Torch());
        var command = new Command("up",
            "Start the database, the API and a worker in the background; what dies is started again.") { port, torch };
        command.SetAction(async (arguments, cancel) =>
        {
            var home = Home.FromEnvironment().Prepare();
            var supervisor = new Supervisor(home);
            if (supervisor.Find() is not { } running)
                await StartAsync(supervisor, arguments.GetValue(port), arguments.GetValue(torch), cancel);
            else if (arguments.GetValue(torch) && !File.Exists(home.PidFile(LocalServices.TorchWorker)))
                throw new CommandException("The services are up without a worker over libtorch; stop them first: ./metaopt down");
            else
            {
                Console.WriteLine(running.Space.IsHere ? "Already up." : $"Already up {running.Space}.");
                // Somebody may have stopped the database, without which the API never gets ready.
                await Database.EnsureStartedAsync(cancel);
            }
            await WaitAsync(home, supervisor, cancel);
            await DescribeAsync(home, cancel);
        });
        return command;
    }

    /// <summary><c>down</c>: stops API and worker; the database stays.</summary>
    public static Command Down()
    {
        var command = new Command("down", "Stop the API and the worker; the database keeps running.");
        command.SetAction(async (_, cancel) =>
        {
            var stopped = await new Supervisor(Home.FromEnvironment().Prepare()).StopAsync(cancel);
            Console.WriteLine(stopped
                ? "Stopped the API and the worker; a run in progress continues at the next start."
                : "Nothing was up.");
            await SayDatabaseStaysAsync(cancel);
        });
        return command;
    }

    /// <summary><c>status</c>: what runs and where; exits 1 when nothing is up.</summary>
    public static Command Status()
    {
        var command = new Command("status", "Say what runs and where; exits 1 unless the API answers.");
        command.SetAction(async (_, cancel) => await DescribeAsync(Home.FromEnvironment().Prepare(), cancel)
            ? ExitCode.Success
            : ExitCode.Failure);
        return command;
    }

    /// <summary><c>server-logs [-f] [api|worker]</c>.</summary>
    public static Command ServerLogs()
    {
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with what is written from now on." };
        var lines = new Option<int>("--lines", "-n")
        {
            Description = "Begin with so many lines of each log.",
            DefaultValueFactory = _ => 40,
        }.Between(0, 1_000_000);
        var name = new Argument<string?>("name") { Description = "Whose log; all by default.", Arity = ArgumentArity.ZeroOrOne };
        name.AcceptOnlyFromAmong(Logged);
        var command = new Command("server-logs", "Print the logs of the services on this machine.") { name, follow, lines };
        command.SetAction(async (arguments, cancel) =>
        {
            var home = Home.FromEnvironment().Prepare();
            var files = (arguments.GetValue(name) is { } one ? [one] : Logged).ToDictionary(n => n, home.LogFile);
            var prefix = files.Count > 1;
            void Write(string from, string line) => Console.WriteLine(prefix ? $"{from,-12} | {line}" : line);
            foreach (var (from, file) in files)
                foreach (var line in Log.Tail(file, arguments.GetValue(lines)))
                    Write(from, line);
            if (!arguments.GetValue(follow)) return ExitCode.Success;
            return await Terminal.WhileReadAsync(async read =>
            {
                await Log.FollowAsync(files, Write, read);
                return ExitCode.Success;
            }, cancel);
        });
        return command;
    }

    /// <summary><c>supervise</c>: what <c>up</c> starts in the background.</summary>
    public static Command Supervise()
    {
        var (port, torch) = (Port(), Torch());
        var command = new Command("supervise", "Keep the API and its workers alive, in the foreground.") { port, torch };
        command.Hidden = true;
        command.SetAction((arguments, cancel) =>
            new Supervisor(Home.FromEnvironment().Prepare())
                .RunAsync(arguments.GetValue(port), arguments.GetValue(torch), cancel));
        return command;
    }

    static async Task StartAsync(Supervisor supervisor, int port, bool torch, CancellationToken cancel)
    {
        LocalServices.CheckFree(port);
        if (torch) Programs.FindTorchWorker(); // before anything is started
        if (Database.IsEmbedded)
            Console.WriteLine("Starting the database...");
        await Database.EnsureStartedAsync(cancel);
        Console.WriteLine("Starting the API and a worker...");
        using var process = supervisor.Launch(port, torch);
        while (supervisor.Find() is null && !process.HasExited)
            await Task.Delay(50, cancel);
    }

    static async Task WaitAsync(Home home, Supervisor supervisor, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        try
        {
            while (supervisor.Find() is not null && home.Address is { } address)
            {
                using var api = new ApiClient(address, null);
                if (await api.IsReadyAsync(limit.Token))
                    return;
                await Task.Delay(100, limit.Token);
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
        }
        var last = Logged.SelectMany(n => Log.Tail(home.LogFile(n), 8).Select(line => $"  {n,-12} | {line}"));
        throw new CommandException(
            $"The services did not come up. The ends of their logs in {home.Logs}:\n{string.Join('\n', last)}");
    }

    static async Task<bool> DescribeAsync(Home home, CancellationToken cancel)
    {
        var ready = false;
        if (new Supervisor(home).Find() is { } supervisor && home.Address is { } address)
        {
            using var api = new ApiClient(address, null);
            ready = await api.IsReadyAsync(cancel);
            Console.WriteLine($"api       {(ready ? "ready" : "not ready")}, {address}swagger, process {Pid(home, "api")}");
            Console.WriteLine($"worker    process {Pid(home, "worker")}");
            if (File.Exists(home.PidFile(LocalServices.TorchWorker)))
                Console.WriteLine($"libtorch  process {Pid(home, LocalServices.TorchWorker)}");
            var where = supervisor.Space.IsHere ? "" : $" {supervisor.Space}";
            Console.WriteLine($"kept by   process {supervisor.Id}{where}; stop with: ./metaopt down");
            Console.WriteLine($"token     {home.TokenFile}");
        }
        else
            Console.WriteLine("api       not running; start with: ./metaopt up");
        Console.WriteLine($"database  {await Database.DescribeAsync(cancel)}");
        Console.WriteLine($"logs      {home.Logs}");
        return ready;
    }

    /// <summary>Nothing is left running but the database, and the user is told.</summary>
    public static async Task SayDatabaseStaysAsync(CancellationToken cancel)
    {
        if (Database.IsEmbedded && (await Database.DescribeAsync(cancel)).StartsWith("running", StringComparison.Ordinal))
            Console.WriteLine("The database keeps running, so that the next start is quick; stop it with: ./metaopt db stop");
    }

    static string Pid(Home home, string name) =>
        ProcessIdentity.Read(home.PidFile(name)) is { } process && (process.IsAlive || !process.Space.IsHere)
            ? $"{process.Id}" : "none (starting)";
}
