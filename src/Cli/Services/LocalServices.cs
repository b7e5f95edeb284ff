using System.Net;
using System.Net.Sockets;
using MetaOpt.Cli.Client;

namespace MetaOpt.Cli.Services;

/// <summary>The API and one worker, or two, as child processes on this machine.</summary>
/// <param name="home">The data folder.</param>
/// <param name="port">Where the API is to listen.</param>
/// <param name="slots">Runs that the worker executes at once; they share the cores.</param>
/// <param name="torch">Whether a worker over libtorch runs beside the default one.</param>
public sealed class LocalServices(Home home, int port, int slots = 1, bool torch = false)
{
    /// <summary>Name of the worker over libtorch, of its log and of its process's file.</summary>
    public const string TorchWorker = "worker-torch";

    readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Where the API listens.</summary>
    public Uri Address { get; } = new($"http://127.0.0.1:{port}");

    /// <summary>Keeps all alive until <paramref name="stop"/> fires and all are gone.</summary>
    /// <param name="databaseUrl">Connection string of the database.</param>
    /// <param name="say">Receives what happens, a line each.</param>
    /// <param name="stop">Ends all.</param>
    /// <param name="giveUpAfter">Deaths in a row that are too many; null tries for ever.</param>
    public async Task RunAsync(string databaseUrl, Action<string> say, CancellationToken stop, int? giveUpAfter = null)
    {
        var api = new Child("api", [.. Programs.Find("metaopt-api", "MetaOpt.Api"), "--urls", Address.AbsoluteUri.TrimEnd('/')],
            home);
        Child Worker(string name, IReadOnlyList<string> program) =>
            new(name, [.. program, "--data", home.Data, "--slots", $"{slots}"], home);
        List<Child> workers = [Worker("worker", Programs.Find("metaopt-worker", "MetaOpt.Worker"))];
        if (torch) workers.Add(Worker(TorchWorker, Programs.FindTorchWorker()));
        foreach (var child in (Child[])[api, .. workers])
        {
            child.Environment["METAOPT_DATABASE_URL"] = databaseUrl;
            child.Environment["METAOPT_HOME"] = home.Folder;
            // Standard input is a pipe that ends with this process: the child stops when it does.
            child.Environment["METAOPT_STOP_AT_END_OF_INPUT"] = "1";
        }
        try
        {
            // The API brings the database up to date; a worker that started first would find no tables.
            var serving = api.KeepAliveAsync(say, stop, giveUpAfter);
            var ready = WaitUntilReadyAsync(stop);
            await Task.WhenAny(serving, ready);
            await (serving.IsCompleted
                ? serving
                : Task.WhenAll([serving, .. workers.Select(w => w.KeepAliveAsync(say, stop, giveUpAfter))]));
        }
        catch (Exception e)
        {
            _failed.TrySetResult(e);
            throw;
        }
    }

    /// <summary>Completes when the API answers and its database too; throws when starting it failed.</summary>
    public async Task WaitUntilReadyAsync(CancellationToken cancel)
    {
        using var api = new ApiClient(Address, null);
        while (!await api.IsReadyAsync(cancel))
        {
            if (_failed.Task.IsCompleted)
                throw await _failed.Task;
            await Task.Delay(100, cancel);
        }
    }

    /// <summary>Throws when something listens on <paramref name="port"/> already.</summary>
    public static void CheckFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
        {
            throw new CommandException(
                $"Port {port} of 127.0.0.1 is taken by another program. Choose another one: ./metaopt up --port {port + 1}");
        }
    }

    /// <summary>A port nobody listens on.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
