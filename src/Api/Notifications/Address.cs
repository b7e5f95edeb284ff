using System.Text.RegularExpressions;

namespace MetaOpt.Api.Notifications;

/// <summary>Addresses that notifications go to: <c>https://</c>, <c>http://</c> or <c>mailto:</c>.</summary>
static partial class Address
{
    public const string Mail = "mailto:";

    /// <summary>The fault of an address, or null.</summary>
    public static string? Error(string address, NotificationSettings settings)
    {
        if (address.StartsWith(Mail, StringComparison.Ordinal))
            return settings.Smtp is null
                ? "is an e-mail address, and this server sends no mail; an administrator sets METAOPT_SMTP."
                : !MailAddress().IsMatch(address) ? $"must be mailto: and one plain e-mail address, got \"{address}\"."
                : !settings.CoversMail(address)
                    ? "is in a domain that is not allowed; an administrator lists allowed domains in METAOPT_NOTIFY_MAIL."
                    : null;
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("https" or "http")
            || uri.UserInfo.Length > 0 || uri.Host.Length == 0)
            return $"must be an https:// or http:// address without a user name, or mailto: and an e-mail address, "
                + $"got \"{address}\".";
        return settings.Hosts.CoversName(uri.IdnHost) ? null
            : $"has the host \"{uri.IdnHost}\", which is not allowed; an administrator lists allowed hosts in "
                + "METAOPT_NOTIFY_HOSTS.";
    }

    [GeneratedRegex(@"\Amailto:[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\z")]
    private static partial Regex MailAddress();
}
