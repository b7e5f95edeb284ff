using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http.Features;

namespace MetaOpt.Api.Problems;

/// <summary>Reads what a client sent, trusting nothing.</summary>
static class Request
{
    static readonly JsonDocumentOptions s_strict = new() { MaxDepth = 32 };

    /// <summary>The body as one closed record; every error is a <see cref="ProblemException"/>.</summary>
    public static async Task<T> ReadAsync<T>(this HttpRequest request) where T : class
    {
        using var document = await request.ReadJsonAsync();
        return SpecReader.Read<T>(document.RootElement);
    }

    /// <summary>
    /// The same for a change, in which what is left out stays: null would change nothing and look as if it did, as a number that
    /// a client could not read does in JSON.
    /// </summary>
    public static async Task<T> ReadChangeAsync<T>(this HttpRequest request) where T : class
    {
        using var document = await request.ReadJsonAsync();
        if (document.RootElement.ValueKind == JsonValueKind.Object
            && document.RootElement.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Null).Select(p => p.Name)
                .ToList() is { Count: > 0 } empty)
            throw new SpecException(
                [.. empty.Select(name => new SpecError($"/{name}", "must not be null; leave it out to keep what is there."))]);
        return SpecReader.Read<T>(document.RootElement);
    }

    public static async Task<JsonDocument> ReadJsonAsync(this HttpRequest request)
    {
        if (!request.HasJsonContentType())
            throw new ProblemException(415, "unsupported-media-type",
                $"Send application/json; got \"{request.ContentType ?? "no content type"}\".");
        var bytes = await ReadBytesAsync(request);
        if (!Utf8.IsValid(bytes)) throw new ProblemException(400, "malformed-json", "The body is not valid UTF-8.");
        try
        {
            // Editors on Windows put a byte order mark before the text; JSON does not know it.
            var start = bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
            var document = JsonDocument.Parse(bytes.AsMemory(start), s_strict);
            CheckText(document.RootElement);
            return document;
        }
        catch (JsonException error)
        {
            throw new ProblemException(400, "malformed-json",
                $"The body is not JSON: line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}. At most 32 levels may "
                + "be nested.");
        }
        catch (InvalidOperationException)
        {
            throw new ProblemException(400, "malformed-json", "The body has a text with half a surrogate pair, such as \\ud800.");
        }
    }

    static async Task<byte[]> ReadBytesAsync(HttpRequest request)
    {
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        for (int read; (read = await request.Body.ReadAsync(buffer, request.HttpContext.RequestAborted)) > 0;)
        {
            body.Write(buffer, 0, read);
            if (body.Length > ApiSettings.MaxBodyBytes)
                throw new ProblemException(413, "body-too-large", $"The body may have {ApiSettings.MaxBodyBytes} bytes at most.");
        }
        return body.ToArray();
    }

    /// <summary>Decodes every text once: .NET refuses half surrogate pairs only then.</summary>
    static void CheckText(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.String) _ = element.GetString();
        else if (element.ValueKind == JsonValueKind.Array)
            foreach (var entry in element.EnumerateArray()) CheckText(entry);
        else if (element.ValueKind == JsonValueKind.Object)
            foreach (var property in element.EnumerateObject())
            {
                _ = property.Name;
                CheckText(property.Value);
            }
    }

    /// <summary>A whole number in the query, or null when it is absent.</summary>
    public static long? QueryNumber(this HttpRequest request, string name, long min, long max)
    {
        if (request.QueryText(name) is not { } text) return null;
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= min
            && value <= max
            ? value
            : throw ProblemException.BadParameter(name,
                $"must be a whole number between {min} and {max}, got \"{Shorten(text)}\".");
    }

    /// <summary>One of a few words in the query, or null when it is absent.</summary>
    public static string? QueryChoice(this HttpRequest request, string name, IEnumerable<string> choices)
    {
        if (request.QueryText(name) is not { } text) return null;
        return choices.Contains(text)
            ? text
            : throw ProblemException.BadParameter(name, $"must be {string.Join(", ", choices)}, got \"{Shorten(text)}\".");
    }

    /// <summary>A time in the query, or null when it is absent; without an offset it is UTC.</summary>
    public static DateTimeOffset? QueryTime(this HttpRequest request, string name)
    {
        if (request.QueryText(name) is not { } text) return null;
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time
            : throw ProblemException.BadParameter(name, $"must be a time such as 2026-01-31T12:00:00Z, got \"{Shorten(text)}\".");
    }

    /// <summary>A short text in the query, or null when it is absent.</summary>
    public static string? QueryText(this HttpRequest request, string name)
    {
        if (!request.Query.TryGetValue(name, out var values)) return null;
        if (values.Count != 1) throw ProblemException.BadParameter(name, "is given more than once.");
        var text = values[0] ?? "";
        return text.Length <= 200 && text.EnumerateRunes().All(IsStored)
            ? text
            : throw ProblemException.BadParameter(name, "must be at most 200 ordinary characters.");
    }

    /// <summary>
    /// Characters that a name can hold: SpecReader takes no other control characters, and text that is not UTF-8 is read as
    /// U+FFFD.
    /// </summary>
    static bool IsStored(Rune rune) =>
        rune != Rune.ReplacementChar && (!Rune.IsControl(rune) || rune.Value is '\n' or '\r' or '\t');

    /// <summary>
    /// The path from behind <paramref name="marker"/> on, decoded once. The router's own value leaves an escaped slash as it is,
    /// and so cannot tell it from an escaped percent sign before 2F.
    /// </summary>
    public static string PathEnd(this HttpRequest request, string marker)
    {
        var target = request.HttpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?')[0];
        return Uri.UnescapeDataString(target[(target.IndexOf(marker, StringComparison.OrdinalIgnoreCase) + marker.Length)..]);
    }

    /// <summary>Query parameters that this endpoint does not know are refused.</summary>
    public static void AllowQuery(this HttpRequest request, params string[] names)
    {
        if (request.Query.Keys.FirstOrDefault(k => !names.Contains(k)) is { } unknown)
            throw ProblemException.BadParameter(Shorten(unknown), names.Length == 0
                ? "is not known; this address takes none."
                : $"is not known; known: {string.Join(", ", names)}.");
    }

    static string Shorten(string text) => new([.. text.Take(60).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)]);
}
