using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MetaOpt.Service.Tests.Notifications;

/// <summary>
/// An SMTP server on a port of its own: it keeps what comes, and refuses the first messages for now if asked to.
/// </summary>
sealed class MailServer : IDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    int _refusals;

    public ConcurrentQueue<(string From, string To, string Text)> Mails { get; } = new();

    public int Port { get; }

    public MailServer(int refusals = 0)
    {
        _refusals = refusals;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = AcceptAsync();
    }

    async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptTcpClientAsync());
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    async Task ServeAsync(TcpClient client)
    {
        using var _ = client;
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        await using var writer = new StreamWriter(client.GetStream(), new UTF8Encoding(false))
        {
            AutoFlush = true,
            NewLine = "\r\n"
        };
        var (from, to) = ("", "");
        await writer.WriteLineAsync("220 test ESMTP");
        while (await reader.ReadLineAsync() is { } line)
        {
            var verb = line.Split(' ', ':')[0].ToUpperInvariant();
            if (verb == "MAIL") from = line;
            if (verb == "RCPT") to = line;
            if (verb == "DATA")
            {
                await writer.WriteLineAsync("354 go on");
                var text = new StringBuilder();
                while (await reader.ReadLineAsync() is { } part && part != ".") text.AppendLine(part);
                if (Interlocked.Decrement(ref _refusals) >= 0)
                {
                    await writer.WriteLineAsync("451 later, please");
                    continue;
                }
                Mails.Enqueue((from, to, text.ToString()));
            }
            await writer.WriteLineAsync(verb == "QUIT" ? "221 bye" : "250 done");
            if (verb == "QUIT") return;
        }
    }

    public void Dispose() => _listener.Dispose();
}
