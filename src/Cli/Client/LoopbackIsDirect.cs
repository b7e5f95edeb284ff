using System.Net;

namespace MetaOpt.Cli.Client;

/// <summary>
/// The machine's proxies (http_proxy, https_proxy, all_proxy, no_proxy), but not for this machine's own servers: a proxy cannot
/// reach them, and must not see their tokens.
/// </summary>
/// <param name="proxies">What decides about other hosts.</param>
public sealed class LoopbackIsDirect(IWebProxy proxies) : IWebProxy
{
    /// <summary>Makes it the rule for every <see cref="HttpClient"/> of this process that names no proxy itself.</summary>
    public static void Apply() => HttpClient.DefaultProxy = new LoopbackIsDirect(HttpClient.DefaultProxy);

    /// <inheritdoc/>
    public ICredentials? Credentials
    {
        get => proxies.Credentials;
        set => proxies.Credentials = value;
    }

    /// <inheritdoc/>
    public Uri? GetProxy(Uri destination) => destination.IsLoopback ? null : proxies.GetProxy(destination);

    /// <inheritdoc/>
    public bool IsBypassed(Uri host) => host.IsLoopback || proxies.IsBypassed(host);
}
