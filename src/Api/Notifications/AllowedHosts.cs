using System.Net;
using System.Net.Sockets;

namespace MetaOpt.Api.Notifications;

/// <summary>
/// Hosts that the server may send to, as an administrator lists them: names (<c>hooks.example.org</c>), everything below one
/// (<c>*.example.org</c>), every public host (<c>*</c>), and networks (<c>10.1.2.0/24</c>). A listed name must lead to a public
/// address or to one in a listed network: a name cannot smuggle a request into the server's own network.
/// </summary>
public sealed class AllowedHosts
{
    /// <summary>
    /// Addresses that are nobody's on the internet: this host, private networks, links, and forms of IPv6 that wrap IPv4.
    /// </summary>
    static readonly IPNetwork[] s_private =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
            "240.0.0.0/4",
            "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "2002::/16", "fc00::/7",
            "fe80::/10", "fec0::/10", "ff00::/8",
        }.Select(network => IPNetwork.Parse(network)),
    ];

    readonly List<string> _names = [];
    readonly List<IPNetwork> _networks = [];

    /// <summary>Reads a list that is separated by commas.</summary>
    /// <exception cref="FormatException">An entry is neither a name nor a network; the message is its text.</exception>
    public static AllowedHosts Parse(string? text)
    {
        var hosts = new AllowedHosts();
        foreach (var entry in (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            if (IPNetwork.TryParse(entry, out var network)) hosts._networks.Add(network);
            else if (IPAddress.TryParse(entry, out var address))
                hosts._networks.Add(new(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128));
            else if (entry == "*"
                || Uri.CheckHostName(entry.StartsWith("*.", StringComparison.Ordinal) ? entry[2..] : entry)
                    == UriHostNameType.Dns)
                hosts._names.Add(entry.ToLowerInvariant());
            else throw new FormatException(entry);
        return hosts;
    }

    /// <summary>Nothing is allowed.</summary>
    public bool IsEmpty => _names.Count + _networks.Count == 0;

    /// <summary>Whether a host may be named: a listed name, or an address that may be reached.</summary>
    public bool CoversName(string host)
    {
        host = host.Trim('[', ']').TrimEnd('.').ToLowerInvariant();
        if (IPAddress.TryParse(host, out var address)) return CoversAddress(address, named: _names.Contains("*"));
        // Whether an unlisted name leads into a listed network, its addresses tell when something is sent.
        return IsListed(host) || _networks.Count > 0;
    }

    /// <summary>
    /// Whether a connection to an address may be made; <paramref name="named"/> says that its name is listed, and then public
    /// ones may.
    /// </summary>
    public bool CoversAddress(IPAddress address, bool named)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return _networks.Any(n => n.Contains(address)) || named && !s_private.Any(n => n.Contains(address));
    }

    /// <summary>
    /// The first of a host's addresses that may be reached. The name is looked up here, once: the connection goes to what was
    /// checked.
    /// </summary>
    /// <exception cref="ForbiddenHostException">There is none.</exception>
    public async Task<IPAddress> ResolveAsync(string host, CancellationToken cancel)
    {
        var named = IPAddress.TryParse(host.Trim('[', ']'), out _)
            ? _names.Contains("*")
            : IsListed(host.TrimEnd('.').ToLowerInvariant());
        var addresses = await Dns.GetHostAddressesAsync(host.Trim('[', ']'), cancel);
        return addresses.FirstOrDefault(address => CoversAddress(address, named)) ?? throw new ForbiddenHostException(host);
    }

    /// <summary>Names without a dot, such as localhost, are this network's: <c>*</c> does not stand for them.</summary>
    bool IsListed(string host) => _names.Any(name =>
        name == "*" ? host.Contains('.') : name.StartsWith("*.", StringComparison.Ordinal)
            ? host.EndsWith(name[1..], StringComparison.Ordinal)
            : name == host);
}

/// <summary>The administrator's list does not cover where something should be sent.</summary>
public sealed class ForbiddenHostException(string host)
    : Exception($"The host \"{host}\" is not allowed; an administrator lists allowed hosts in METAOPT_NOTIFY_HOSTS.");
