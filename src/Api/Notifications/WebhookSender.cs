using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using MetaOpt.Storage;

namespace MetaOpt.Api.Notifications;

/// <summary>
/// Posts deliveries to webhooks. Every connection goes to an address that the administrator's list allows; redirects are not
/// followed, no proxy is used, and the answer's body is not read.
/// </summary>
public sealed class WebhookSender : IDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    readonly HttpClient _http;

    /// <summary>A sender with connections of its own.</summary>
    public WebhookSender(NotificationSettings settings)
    {
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            ConnectTimeout = s_patience,
            MaxResponseHeadersLength = 16,
            // An answer that is longer than its headers is cut off, not read to its end.
            MaxResponseDrainSize = 0,
            // Names are looked up and checked again for each delivery.
            PooledConnectionLifetime = TimeSpan.Zero,
            ConnectCallback = async (context, cancel) =>
            {
                var address = await settings.Hosts.ResolveAsync(context.DnsEndPoint.Host, cancel);
                var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                try
                {
                    await socket.ConnectAsync(new IPEndPoint(address, context.DnsEndPoint.Port), cancel);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        })
        { Timeout = s_patience };
    }

    /// <summary>Posts one delivery; the receiver's answer in a few words.</summary>
    /// <exception cref="ForbiddenHostException">Its host is not allowed.</exception>
    /// <exception cref="DeliveryFailedException">It was not taken: another try may help.</exception>
    public async Task<string> SendAsync(Delivery delivery, Subscription subscription, string body, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post,
            subscription.Address)
        { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        var timestamp = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        request.Headers.Add("User-Agent", "MetaOpt");
        request.Headers.Add("X-MetaOpt-Event", delivery.Event);
        request.Headers.Add("X-MetaOpt-Delivery", delivery.Id.ToString());
        request.Headers.Add("X-MetaOpt-Timestamp", timestamp);
        request.Headers.Add("X-MetaOpt-Signature", "sha256=" + Sign(subscription.Secret, timestamp, body));
        try
        {
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            var status = $"HTTP {(int)answer.StatusCode}";
            return answer.IsSuccessStatusCode ? status
                : throw new DeliveryFailedException((int)answer.StatusCode is >= 300 and < 400
                    ? $"{status}: redirects are not followed."
                    : status);
        }
        catch (HttpRequestException error) when (error.InnerException is ForbiddenHostException forbidden)
        {
            throw forbidden;
        }
        catch (HttpRequestException error)
        {
            throw new DeliveryFailedException(error.InnerException?.Message ?? error.Message);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new DeliveryFailedException($"No answer within {s_patience.TotalSeconds:F0} s.");
        }
    }

    /// <summary>Lower-case hex of HMAC-SHA-256 over the timestamp, a dot and the body.</summary>
    public static string Sign(byte[] secret, string timestamp, string body) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes($"{timestamp}.{body}")));

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}

/// <summary>A receiver did not take a delivery; another try may help.</summary>
public sealed class DeliveryFailedException(string detail) : Exception(detail);
