using MetaOpt.Cli.Client;

namespace MetaOpt.Cli.Services;

/// <summary>
/// A server for a command that drives it: the one that <c>METAOPT_URL</c> names, or that <c>metaopt up</c> started, else one that
/// lives as long as the command.
/// </summary>
public static class Server
{
    /// <summary>
    /// Does <paramref name="work"/> with the server's address. Services that were started for it end with it; on Ctrl-C too.
    /// </summary>
    /// <param name="home">The data folder.</param>
    /// <param name="name">The command's name, for its log file.</param>
    /// <param name="started">Called when the server answers.</param>
    /// <param name="work">What to do.</param>
    /// <param name="cancel">Ctrl-C.</param>
    /// <param name="serveOn">Whether started services go on after the work, until Ctrl-C.</param>
    /// <param name="slots">Runs that a started worker executes at once.</param>
    public static async Task WithAsync(
        Home home, string name, Action started, Func<Uri, Task> work, CancellationToken cancel, bool serveOn = false,
        int slots = 1)
    {
        if (await RunningAsync(home, cancel) is { } address)
        {
            Console.WriteLine($"Using the server that is up at {address}.");
            started();
            await work(new Uri(address));
            return;
        }
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var services = new LocalServices(home, LocalServices.FreePort(), slots);
        var serving = await StartAsync(home, services, name, stop.Token);
        started();
        try
        {
            // Services that cannot be kept alive end the command with their last words.
            await await Task.WhenAny(work(services.Address), serving);
            if (serveOn)
            {
                Console.WriteLine("\nServing until you press Ctrl-C.");
                await serving;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancel.IsCancellationRequested) Console.WriteLine("\nStopped the API and the worker.");
            await ServiceCommands.SayDatabaseStaysAsync(CancellationToken.None);
        }
    }

    static async Task<string?> RunningAsync(Home home, CancellationToken cancel)
    {
        if (Environment.GetEnvironmentVariable("METAOPT_URL") is { Length: > 0 })
            return ApiClient.FromEnvironment().Server.AbsoluteUri;
        if (new Supervisor(home).Find() is null || home.Address is not { } address) return null;
        using var api = new ApiClient(address, null);
        return await api.IsReadyAsync(cancel) ? address.AbsoluteUri : null;
    }

    static async Task<Task> StartAsync(Home home, LocalServices services, string name, CancellationToken stop)
    {
        if (Database.IsEmbedded) Console.WriteLine("Starting the database...");
        var database = await Database.EnsureStartedAsync(stop);
        Console.WriteLine("Starting the API and a worker...");
        var log = Log.Open(home.LogFile(name));
        var serving = services.RunAsync(database, log.WriteLine, stop, giveUpAfter: 3);
        await services.WaitUntilReadyAsync(stop);
        return serving;
    }
}
