using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace MetaOpt.Service.Tests.Notifications;

/// <summary>
/// A webhook that gives its callers a hard time: of each delivery it takes the third attempt at the latest. Before, it fails,
/// answers slowly, hangs up, or redirects to an address that must not be reached; some of what it takes it answers with a
/// gigabyte.
/// </summary>
sealed class Receiver : IAsyncDisposable
{
    const long Gigabyte = 1L << 30;
    readonly WebApplication _app;

    /// <summary>
    /// What came: by id of the delivery, every attempt's signature, timestamp and body, and whether it was taken.
    /// </summary>
    public ConcurrentDictionary<string,
        ConcurrentQueue<(string Signature, string Timestamp, string Body, bool Taken)>> Came
    { get; } = new();

    /// <summary>Requests to where redirects lead.</summary>
    public int Forbidden;

    /// <summary>Bytes of long answers that somebody took.</summary>
    public long Swallowed;

    /// <summary>Long answers.</summary>
    public long Long;

    public Receiver(bool kind = false)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.MapPost("/hook", async (HttpContext context) =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var (body, headers) = (await reader.ReadToEndAsync(), context.Request.Headers);
            var attempts = Came.GetOrAdd(headers["X-MetaOpt-Delivery"].ToString(), _ => new());
            var turn = kind ? 5 : Random.Shared.Next(6);
            var taken = turn >= 3 || attempts.Count >= 2;
            attempts.Enqueue((headers["X-MetaOpt-Signature"].ToString(), headers["X-MetaOpt-Timestamp"].ToString(), body, taken));
            if (taken && turn == 3) await AnswerAtLengthAsync(context);
            else if (taken) context.Response.StatusCode = 204;
            else if (turn == 0) context.Response.StatusCode = 500;
            else if (turn == 1) (context.Response.StatusCode, context.Response.Headers.Location) = (307, "/inside");
            else if (attempts.Count % 2 == 0) context.Abort();
            else
            {
                await Task.Delay(300);
                context.Response.StatusCode = 503;
            }
        });
        _app.Map("/inside", () => Interlocked.Increment(ref Forbidden));
    }

    public async Task<Uri> StartAsync()
    {
        await _app.StartAsync();
        return new Uri(_app.Urls.First());
    }

    /// <summary>
    /// Past the server, which takes everything once the caller is gone: what the connection itself takes is counted.
    /// </summary>
    async Task AnswerAtLengthAsync(HttpContext context)
    {
        Interlocked.Increment(ref Long);
        var (socket, block) = (context.Features.GetRequiredFeature<IConnectionSocketFeature>().Socket, new byte[1 << 20]);
        try
        {
            await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {Gigabyte}\r\n\r\n"));
            for (var sent = 0L; sent < Gigabyte; sent += block.Length)
                Interlocked.Add(ref Swallowed, await socket.SendAsync(block));
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // As it should.
        }
        context.Abort();
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
