using System.Net;

namespace MetaOpt.Api;

/// <summary>
/// Where the API listens: <c>--listen HOST:PORT</c> (METAOPT_LISTEN). Tokens must not cross a network in the clear, so beyond
/// this machine it needs <c>--certificate FILE</c> (METAOPT_CERTIFICATE: PEM, with its key there or in <c>--certificate-key</c>),
/// or
/// <c>--behind-proxy NETWORKS</c> (METAOPT_BEHIND_PROXY): from there a proxy brings requests that came to it over TLS.
/// </summary>
static class ListenSettings
{
    const string Default = "127.0.0.1:5080";

    /// <summary>Checks the settings and fills in what Kestrel reads; the proxies' networks.</summary>
    public static IReadOnlyList<IPNetwork> Apply(IConfiguration configuration)
    {
        var proxies = (Text(configuration, "behind-proxy") ?? "")
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Network).ToList();
        var certificate = Text(configuration, "certificate");
        if (certificate is not null) UseCertificate(configuration, certificate);
        configuration["urls"] ??= $"{(certificate is null ? "http" : "https")}://{Text(configuration, "listen") ?? Default}";
        foreach (var url in configuration["urls"]!.Split(';', StringSplitOptions.RemoveEmptyEntries))
            if (!IsLoopback(url) && !url.StartsWith("https:", StringComparison.OrdinalIgnoreCase) && proxies.Count == 0)
                throw new InvalidOperationException(
                    $"{url} can be reached from other machines, and tokens would cross the network in the clear. Give "
                    + "--certificate FILE, "
                    + "or --behind-proxy with the addresses of a proxy that ends TLS (such as 10.0.0.7 or 172.16.0.0/12), or "
                    + "listen on 127.0.0.1.");
        return proxies;
    }

    static void UseCertificate(IConfiguration configuration, string file)
    {
        var key = Text(configuration, "certificate-key");
        foreach (var path in new[] { file, key })
            if (path is not null && !File.Exists(path))
                throw new InvalidOperationException(
                    $"There is no file \"{path}\"; --certificate and --certificate-key name PEM files.");
        configuration["Kestrel:Certificates:Default:Path"] = file;
        configuration["Kestrel:Certificates:Default:KeyPath"] = key ?? file;
    }

    /// <summary>From the command line, else from the environment.</summary>
    static string? Text(IConfiguration configuration, string name) =>
        (configuration[name] ?? configuration[$"METAOPT_{name.Replace('-', '_').ToUpperInvariant()}"]) is { Length: > 0 } text
            ? text
            : null;

    static IPNetwork Network(string text)
    {
        if (IPAddress.TryParse(text, out var address)) return new(address, address.GetAddressBytes().Length * 8);
        return IPNetwork.TryParse(text, out var network)
            ? network
            : throw new InvalidOperationException(
                $"--behind-proxy names \"{text}\"; it must be addresses or networks with commas between, such as 10.0.0.7 or "
                + "172.16.0.0/12.");
    }

    static bool IsLoopback(string url)
    {
        var host = BindingAddress.Parse(url).Host;
        return host == "localhost" || IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address);
    }
}
