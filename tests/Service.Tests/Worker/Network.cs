using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace MetaOpt.Service.Tests.Workers;

/// <summary>
/// What lies between a worker and the database: forwards connections until it is cut. Then no byte passes and nobody is told, as
/// when a firewall drops packets. When it is mended, new connections pass; the old ones are reset.
/// </summary>
sealed class Network : IDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly ConcurrentBag<Socket> _sockets = [];
    readonly CancellationTokenSource _end = new();
    readonly EndPoint _database;
    long _left = long.MaxValue;
    TaskCompletionSource _whole = new();

    public Network(string connectionString)
    {
        var direct = new NpgsqlConnectionStringBuilder(connectionString);
        _database = direct.Host!.StartsWith('/')
            ? new UnixDomainSocketEndPoint($"{direct.Host}/.s.PGSQL.{direct.Port}") : new DnsEndPoint(direct.Host, direct.Port);
        _whole.SetResult();
        _listener.Start();
        ConnectionString = new NpgsqlConnectionStringBuilder(connectionString)
        {
            Host = "127.0.0.1",
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port,
        }.ConnectionString;
        _ = AcceptAsync();
    }

    /// <summary>To the same database, through here.</summary>
    public string ConnectionString { get; }

    public bool IsCut => !_whole.Task.IsCompleted;

    public void Cut() => _whole = new();

    /// <summary>Cuts it in the middle of what is sent, after so many bytes or a little more.</summary>
    public void CutAfter(int bytes) => _left = bytes;

    public void Mend()
    {
        foreach (var socket in _sockets) socket.Close(0);
        _whole.SetResult();
    }

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        foreach (var socket in _sockets) socket.Dispose();
        _end.Dispose();
    }

    async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ForwardAsync(await _listener.AcceptSocketAsync(_end.Token));
        }
        catch (Exception ended) when (ended is OperationCanceledException or ObjectDisposedException or SocketException)
        {
        }
    }

    async Task ForwardAsync(Socket client)
    {
        _sockets.Add(client);
        await _whole.Task;
        var server = new Socket(_database.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        _sockets.Add(server);
        try
        {
            await server.ConnectAsync(_database, _end.Token);
            await Task.WhenAll(CopyAsync(client, server), CopyAsync(server, client));
        }
        catch (Exception broken) when (broken is SocketException or ObjectDisposedException or OperationCanceledException)
        {
        }
    }

    async Task CopyAsync(Socket from, Socket to)
    {
        var bytes = new byte[1 << 16];
        while (await from.ReceiveAsync(bytes, _end.Token) is > 0 and var count)
        {
            await _whole.Task;
            await to.SendAsync(bytes.AsMemory(0, count), _end.Token);
            if (Interlocked.Add(ref _left, -count) <= 0 && !IsCut) Cut();
        }
        to.Shutdown(SocketShutdown.Send);
    }
}
