using System.Data.Common;
using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;

namespace MetaOpt.Storage;

/// <summary>The value of <c>METAOPT_DATABASE_URL</c> is malformed. The message does not quote it: it holds a password.</summary>
public sealed class DatabaseUrlException(string what) : Exception(
    $"{DatabaseUrl.Variable} {what}; give postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with reserved characters "
    + "percent-encoded, "
    + "or Host=HOST;Database=DATABASE;Username=USER;Password=PASSWORD.");

/// <summary>
/// Reads <c>METAOPT_DATABASE_URL</c> in the forms that people have: a URI (<c>postgresql://</c>, <c>postgres://</c>), libpq's
/// <c>host=.. dbname=..</c>, and Npgsql's <c>Host=..;Database=..</c>. Names of parameters are libpq's or Npgsql's.
/// </summary>
public static partial class DatabaseUrl
{
    /// <summary>Name of the environment variable.</summary>
    public const string Variable = "METAOPT_DATABASE_URL";

    /// <summary>Npgsql's names of libpq's parameters; null: it has no such setting, and nothing depends on it.</summary>
    static readonly Dictionary<string, string?> s_libpq = new()
    {
        ["hostaddr"] = "Host",
        ["dbname"] = "Database",
        ["user"] = "Username",
        ["connect_timeout"] = "Timeout",
        ["application_name"] = "Application Name",
        ["client_encoding"] = "Client Encoding",
        ["keepalives"] = "TCP Keepalive",
        ["keepalives_idle"] = "TCP Keepalive Time",
        ["keepalives_interval"] = "TCP Keepalive Interval",
        ["sslmode"] = "SSL Mode",
        ["sslcert"] = "SSL Certificate",
        ["sslkey"] = "SSL Key",
        ["sslpassword"] = "SSL Password",
        ["sslrootcert"] = "Root Certificate",
        ["sslnegotiation"] = "SSL Negotiation",
        ["channel_binding"] = "Channel Binding",
        ["krbsrvname"] = "Kerberos Service Name",
        ["target_session_attrs"] = "Target Session Attributes",
        ["load_balance_hosts"] = "Load Balance Hosts",
        ["gssencmode"] = null,
        ["keepalives_count"] = null,
        ["tcp_user_timeout"] = null,
        ["fallback_application_name"] = null,
        ["sslcompression"] = null,
        ["sslsni"] = null,
    };

    /// <summary>Npgsql's connection string of the environment variable; null when it is unset or empty.</summary>
    /// <exception cref="DatabaseUrlException">The value is malformed.</exception>
    public static string? FromEnvironment() => Read(Environment.GetEnvironmentVariable(Variable));

    /// <summary>Npgsql's connection string of a value in any of the forms; null when it is empty.</summary>
    /// <exception cref="DatabaseUrlException">The value is malformed.</exception>
    public static string? Read(string? value)
    {
        var text = value?.Trim() ?? "";
        // As in a file for docker or systemd, where quotes may belong to the value.
        if (text.Length > 1 && text[0] is '"' or '\'' && text[^1] == text[0]) text = text[1..^1].Trim();
        if (text.Length == 0) return null;
        var builder = new NpgsqlConnectionStringBuilder();
        var pairs = Scheme().Match(text) is { Success: true } scheme ? OfUri(text[scheme.Length..])
            : text.Contains(';') ? OfNpgsql(text) : OfLibpq(text);
        foreach (var (name, setting) in pairs) Set(builder, name, setting);
        if (string.IsNullOrEmpty(builder.Host)) builder.Host = "localhost";
        return builder.ConnectionString;
    }

    static void Set(NpgsqlConnectionStringBuilder builder, string name, string value)
    {
        var key = s_libpq.TryGetValue(name, out var known) ? known : name;
        if (key is null) return;
        try
        {
            // A piece of a password that was not encoded looks like an unknown parameter, so its name is not quoted either.
            if (!builder.ContainsKey(key)) throw new DatabaseUrlException("has a parameter that is not known");
            builder[key] = key switch
            {
                "SSL Mode" => value.Replace("-", ""),
                "TCP Keepalive" => value switch { "1" => "true", "0" => "false", _ => value },
                "Load Balance Hosts" => value switch { "random" => "true", "disable" => "false", _ => value },
                "Target Session Attributes" => value.ToLowerInvariant(),
                _ => value,
            };
        }
        catch (Exception wrong) when (wrong is ArgumentException or FormatException or OverflowException or InvalidCastException)
        {
            throw new DatabaseUrlException($"has a value of \"{name}\" that is not allowed");
        }
    }

    /// <summary><c>[user[:password]@][host[:port],..][/database][?name=value&amp;..]</c>, as libpq reads it.</summary>
    static IEnumerable<(string Name, string Value)> OfUri(string text)
    {
        var (rest, query) = Split(text, '?');
        var (authority, database) = Split(rest, '/');
        if (database?.Contains('@') == true) throw new DatabaseUrlException("has an @ behind the host");
        // An @ that was not encoded can only belong to the password.
        var at = authority.LastIndexOf('@');
        if (at >= 0)
        {
            var (user, password) = Split(authority[..at], ':');
            if (user.Length > 0) yield return ("user", Decode(user));
            if (password is not null) yield return ("password", Decode(password));
        }
        foreach (var pair in Hosts(authority[(at + 1)..])) yield return pair;
        if (!string.IsNullOrEmpty(database)) yield return ("dbname", Decode(database));
        foreach (var part in (query ?? "").Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = Split(part, '=');
            if (value is null) throw new DatabaseUrlException("has a parameter without a value");
            yield return name == "ssl" && value == "true" ? ("sslmode", "require") : (Decode(name), Decode(value));
        }
    }

    static IEnumerable<(string Name, string Value)> Hosts(string text)
    {
        if (text.Length == 0) yield break;
        var hosts = text.Split(',').Select(h => HostAndPort().Match(h)).ToList();
        if (hosts.Exists(h => !h.Success)) throw new DatabaseUrlException("has a host or a port that is malformed");
        if (hosts is [var single])
        {
            yield return ("host", Decode(single.Groups["name"].Value.Trim('[', ']')));
            if (single.Groups["port"].Value is { Length: > 0 } port) yield return ("port", port);
        }
        else
            yield return ("host", string.Join(',', hosts.Select(h => Decode(h.Value))));
    }

    /// <summary><c>name = value</c>, separated by spaces; quotes ' and backslashes in values, as libpq reads it.</summary>
    static IEnumerable<(string Name, string Value)> OfLibpq(string text)
    {
        for (var at = 0; at < text.Length;)
        {
            var pair = NameAndValue().Match(text, at);
            if (!pair.Success) throw new DatabaseUrlException("is neither a URI nor a list of name=value");
            at += pair.Length;
            var value = pair.Groups["quoted"].Success ? pair.Groups["quoted"].Value : pair.Groups["plain"].Value;
            yield return (pair.Groups["name"].Value, Escaped().Replace(value, "$1"));
        }
    }

    static IEnumerable<(string Name, string Value)> OfNpgsql(string text)
    {
        DbConnectionStringBuilder pairs;
        try
        {
            pairs = new DbConnectionStringBuilder { ConnectionString = text };
        }
        catch (ArgumentException)
        {
            throw new DatabaseUrlException("is neither a URI nor a list of name=value");
        }
        return pairs.Keys.Cast<string>().Select(name => (name, Convert.ToString(pairs[name], CultureInfo.InvariantCulture)!));
    }

    static (string Before, string? After) Split(string text, char separator) =>
        text.IndexOf(separator) is >= 0 and var at ? (text[..at], text[(at + 1)..]) : (text, null);

    static string Decode(string text)
    {
        if (BadEscape().IsMatch(text)) throw new DatabaseUrlException("has a % that does not begin a percent-encoded character");
        var decoded = Uri.UnescapeDataString(text);
        return decoded.Contains('\0') ? throw new DatabaseUrlException("has a zero character") : decoded;
    }

    [GeneratedRegex("^postgres(ql)?://", RegexOptions.IgnoreCase)]
    private static partial Regex Scheme();

    [GeneratedRegex("%(?![0-9a-fA-F]{2})")]
    private static partial Regex BadEscape();

    [GeneratedRegex(@"^(?<name>\[[0-9a-fA-F:.%]+\]|[^:\[\]]*)(:(?<port>[0-9]{0,5}))?$")]
    private static partial Regex HostAndPort();

    [GeneratedRegex(@"\G\s*(?<name>\w+)\s*=\s*('(?<quoted>([^'\\]|\\.)*)'|(?<plain>([^\s'\\]|\\.)*))(\s+|$)",
        RegexOptions.Singleline)]
    private static partial Regex NameAndValue();

    [GeneratedRegex(@"\\(.)", RegexOptions.Singleline)]
    private static partial Regex Escaped();
}
