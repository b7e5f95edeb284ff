using System.Net;
using System.Text;
using System.Text.Json;

namespace MetaOpt.Cli.Client;

/// <summary>The server refused. The message shows its problem document (RFC 9457), one line a field.</summary>
public sealed class ApiException(HttpStatusCode status, string body) : Exception(Render(status, body))
{
    /// <summary>HTTP status of the answer.</summary>
    public HttpStatusCode Status { get; } = status;

    /// <summary>
    /// Readable lines: the title, the detail, then every field with what is wrong with it. A body that is not a problem
    /// document is quoted.
    /// </summary>
    public static string Render(HttpStatusCode status, string body)
    {
        var lines = new StringBuilder();
        if (!TryParse(body, out var problem))
            return lines.Append($"{(int)status} {status}: {body.Trim()}".TrimEnd(' ', ':')).ToString();
        lines.Append($"{(int)status} {Text(problem, "title") ?? status.ToString()}");
        if (Text(problem, "detail") is { } detail)
            lines.Append($": {detail}");
        if (problem.TryGetProperty("errors", out var errors))
            foreach (var (field, message) in Fields(errors))
                lines.Append($"\n  {(field.Length == 0 ? "(the document)" : field)}  {message}");
        if (status == HttpStatusCode.Unauthorized)
            lines.Append(
                "\n  Sign in (./metaopt login), set METAOPT_TOKEN, or let METAOPT_HOME name the data folder with the file "
                + "admin-token.");
        return lines.ToString();
    }

    static bool TryParse(string body, out JsonElement problem)
    {
        try
        {
            problem = JsonElement.Parse(body);
            return problem.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            problem = default;
            return false;
        }
    }

    static IEnumerable<(string Field, string Message)> Fields(JsonElement errors) => errors.ValueKind switch
    {
        JsonValueKind.Array => errors.EnumerateArray().Select(e => (Text(e, "pointer") ?? "", Text(e, "detail") ?? "")),
        JsonValueKind.Object =>
            errors.EnumerateObject().SelectMany(p => p.Value.EnumerateArray(), (p, m) => (p.Name, m.ToString())),
        _ => [],
    };

    static string? Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
