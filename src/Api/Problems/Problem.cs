using System.Text.Json.Nodes;

namespace MetaOpt.Api.Problems;

/// <summary>Ends a request with an RFC 9457 problem document.</summary>
/// <param name="status">HTTP status.</param>
/// <param name="code">Stable, kebab-case.</param>
/// <param name="detail">What is wrong with this request and what to do.</param>
/// <param name="errors">Single fields; pointers into the request body.</param>
public sealed class ProblemException(int status, string code, string detail, IReadOnlyList<SpecError>? errors = null)
    : Exception(detail)
{
    /// <summary>HTTP status.</summary>
    public int Status => status;

    /// <summary>Stable, kebab-case.</summary>
    public string Code => code;

    /// <summary>Single fields.</summary>
    public IReadOnlyList<SpecError> Errors => errors ?? [];

    /// <summary>Name of the query parameter that is wrong, or null.</summary>
    public string? Parameter { get; init; }

    /// <summary>Seconds after which to try again, or null.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>There is no such thing.</summary>
    public static ProblemException NotFound(string what) => new(404, "not-found", $"There is no {what}.");

    /// <summary>A query parameter is wrong.</summary>
    public static ProblemException BadParameter(string name, string detail) =>
        new(400, "bad-parameter", $"The query parameter \"{name}\" {detail}") { Parameter = name };

    /// <summary>Fields of the body are wrong; <paramref name="prefix"/> is where the document lies in it.</summary>
    public static ProblemException Invalid(SpecException error, string prefix = "") => new(
        422, "invalid-field", error.Errors.Count == 1 ? "One field is wrong." : $"{error.Errors.Count} fields are wrong.",
        [.. error.Errors.Select(e => e with { Pointer = prefix + e.Pointer })]);

    /// <summary>The document.</summary>
    public JsonObject ToJson(string traceId)
    {
        var problem = new JsonObject
        {
            ["type"] = $"/problems/{code}",
            ["title"] = ProblemWriter.Title(status),
            ["status"] = status,
            ["detail"] = Message,
            ["code"] = code,
            ["traceId"] = traceId,
        };
        if (Parameter is not null) problem["parameter"] = Parameter;
        if (Errors.Count > 0)
            problem["errors"] =
                new JsonArray([.. Errors.Select(e => new JsonObject { ["pointer"] = e.Pointer, ["detail"] = e.Detail })]);
        return problem;
    }
}
