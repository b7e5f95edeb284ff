using System.Net.Sockets;
using MailKit.Net.Smtp;
using MailKit.Security;
using MetaOpt.Storage;
using MimeKit;

namespace MetaOpt.Api.Notifications;

/// <summary>Sends deliveries by e-mail, through the server that the administrator names.</summary>
public sealed class MailSender(NotificationSettings settings)
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>Sends one delivery; the mail server's answer.</summary>
    /// <exception cref="ForbiddenHostException">The address's domain is not allowed.</exception>
    /// <exception cref="DeliveryFailedException">It was not taken: another try may help.</exception>
    public async Task<string> SendAsync(Delivery delivery, string address, string subject, string text, CancellationToken cancel)
    {
        var smtp = settings.Smtp ?? throw new ForbiddenHostException("the mail server");
        if (!settings.CoversMail(address)) throw new ForbiddenHostException(address[(address.LastIndexOf('@') + 1)..]);
        using var message = new MimeMessage
        {
            Subject = subject,
            // The same for each attempt: a mail program shows one.
            MessageId = $"{delivery.Id}@metaopt",
            Body = new TextPart("plain") { Text = text },
        };
        message.From.Add(MailboxAddress.Parse(smtp.From));
        message.To.Add(MailboxAddress.Parse(address));
        message.Headers.Add("X-MetaOpt-Delivery", delivery.Id.ToString());
        message.Headers.Add("Auto-Submitted", "auto-generated");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(s_patience);
        try
        {
            using var client = new SmtpClient { Timeout = (int)s_patience.TotalMilliseconds };
            await client.ConnectAsync(smtp.Host, smtp.Port, smtp.Security, limit.Token);
            if (smtp.User is not null) await client.AuthenticateAsync(smtp.User, smtp.Password ?? "", limit.Token);
            var answer = await client.SendAsync(message, limit.Token);
            await client.DisconnectAsync(quit: true, limit.Token);
            return answer.Length <= 200 ? answer : answer[..200];
        }
        catch (Exception error)
            when (error is SmtpCommandException or SmtpProtocolException or AuthenticationException or SslHandshakeException
                or IOException or SocketException)
        {
            throw new DeliveryFailedException(error.Message);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new DeliveryFailedException($"No answer of the mail server within {s_patience.TotalSeconds:F0} s.");
        }
    }
}
