using System.Globalization;
using MailKit.Security;

namespace MetaOpt.Api.Notifications;

/// <summary>Where notifications may go; an administrator sets it, from environment or command line.</summary>
/// <param name="Hosts">Hosts of webhooks: <c>METAOPT_NOTIFY_HOSTS</c>.</param>
/// <param name="Smtp">The mail server: <c>METAOPT_SMTP</c> and the settings that begin so; null without one.</param>
/// <param name="MailDomains">Domains of e-mail addresses: <c>METAOPT_NOTIFY_MAIL</c>, separated by commas; <c>*</c> for
/// all.</param>
public sealed record NotificationSettings(AllowedHosts Hosts, SmtpSettings? Smtp, IReadOnlyList<string> MailDomains)
{
    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidOperationException">A setting is wrong; the message says which and how.</exception>
    public static NotificationSettings Read(IConfiguration configuration)
    {
        AllowedHosts hosts;
        try
        {
            hosts = AllowedHosts.Parse(configuration["METAOPT_NOTIFY_HOSTS"]);
        }
        catch (FormatException entry)
        {
            throw new InvalidOperationException(
                $"METAOPT_NOTIFY_HOSTS has \"{entry.Message}\"; it must be host names, *.names, * and networks such as "
                + "10.1.2.0/24, separated by commas.");
        }
        return new(hosts, SmtpSettings.Read(configuration),
            (configuration["METAOPT_NOTIFY_MAIL"] ?? "")
                .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>Whether mail may go to an address.</summary>
    public bool CoversMail(string address) =>
        MailDomains.Any(domain => domain == "*" || address.EndsWith("@" + domain, StringComparison.OrdinalIgnoreCase));
}

/// <summary>A mail server.</summary>
/// <param name="Host">Its name.</param>
/// <param name="Port">587 by default.</param>
/// <param name="From">The sender's address.</param>
/// <param name="Security">How the connection is kept private.</param>
/// <param name="User">Null: it asks for none.</param>
/// <param name="Password">Of the user.</param>
public sealed record SmtpSettings(string Host, int Port, string From, SecureSocketOptions Security, string? User,
    string? Password)
{
    internal static SmtpSettings? Read(IConfiguration configuration)
    {
        if (configuration["METAOPT_SMTP"] is not { Length: > 0 } server) return null;
        var colon = server.LastIndexOf(':');
        var port = 587;
        if (colon >= 0
            && !(int.TryParse(server[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out port)
                && port is > 0 and < 65536))
            throw new InvalidOperationException($"METAOPT_SMTP is \"{server}\"; it must be HOST or HOST:PORT.");
        var from = configuration["METAOPT_SMTP_FROM"] is { Length: > 0 } sender && sender.Contains('@')
            ? sender
            : throw new InvalidOperationException(
                "METAOPT_SMTP_FROM must be the address that mails come from, such as metaopt@example.org.");
        var security = configuration["METAOPT_SMTP_SECURITY"] switch
        {
            null or "" or "starttls" => SecureSocketOptions.StartTls,
            "tls" => SecureSocketOptions.SslOnConnect,
            "none" => SecureSocketOptions.None,
            var other =>
                throw new InvalidOperationException($"METAOPT_SMTP_SECURITY is \"{other}\"; it must be starttls, tls or none."),
        };
        return new(colon < 0 ? server : server[..colon], port, from, security,
            configuration["METAOPT_SMTP_USER"] is { Length: > 0 } user ? user : null, configuration["METAOPT_SMTP_PASSWORD"]);
    }
}
