using System.Net.Sockets;
using System.Text.Json;

namespace MetaOpt.Storage.Embedded;

/// <summary>A server that runs, perhaps in another container or on another host that shares the data folder.</summary>
/// <param name="Socket">Folder of its socket.</param>
/// <param name="Space">Where it was started; null when an earlier version or somebody else started it.</param>
sealed record RunningServer(string Socket, ProcessSpace? Space)
{
    const int SolSocket = 1, SoPeerCred = 17;

    /// <summary>Whether it takes connections here.</summary>
    public bool Answers => Peer() is not null;

    /// <summary>
    /// Its process id here, as the kernel tells it of whoever listens on the socket; null when it does not answer, or is in a
    /// container whose processes cannot be seen from here.
    /// </summary>
    public int? ProcessId => Peer() is > 0 and var id ? id : null;

    /// <summary>Says where it is, for a message about a server that this process cannot reach or stop.</summary>
    public string Where => Space is { IsHere: false } elsewhere ? elsewhere.ToString() : "on this machine";

    int? Peer()
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(Path.Combine(Socket, ".s.PGSQL.5432")));
            var credentials = new byte[12];
            socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials);
            return BitConverter.ToInt32(credentials);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            return null;
        }
    }
}

/// <summary>Left beside the cluster by the last start: the server is to run, until somebody stops it on purpose.</summary>
/// <param name="Socket">Folder of the socket, as the starter saw it.</param>
/// <param name="Space">Where it was started.</param>
sealed record StartRecord(string Socket, ProcessSpace Space)
{
    public void Write(string file) => AtomicFile.Write(file, JsonSerializer.Serialize(this));

    public static StartRecord? Read(string file)
    {
        try
        {
            return JsonSerializer.Deserialize<StartRecord>(File.ReadAllText(file));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }
}
