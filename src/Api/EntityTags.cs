using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using MetaOpt.Api.Problems;
using Microsoft.Net.Http.Headers;

namespace MetaOpt.Api;

/// <summary>Conditional requests: a 304 for what the client has, a 412 for a change of what it has not seen.</summary>
static class EntityTags
{
    /// <summary>
    /// The tag of a document whose row counts its changes: the count, and a hash of all the document says, also of other rows (a
    /// run's attempts, what it waits for).
    /// </summary>
    public static string Of(long version, JsonNode document) =>
        $"\"{version}-{Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(document.ToJsonString())).AsSpan(0, 12))}\"";

    /// <summary>If-None-Match names the tag, or is <c>*</c>; a weak tag (a proxy may make it one) counts.</summary>
    public static bool IsKnown(HttpRequest request, string etag)
    {
        var tag = new EntityTagHeaderValue(etag);
        return request.GetTypedHeaders().IfNoneMatch.Any(
            known => known.Tag == "*" || known.Compare(tag, useStrongComparison: false));
    }

    /// <summary>
    /// Refuses a change when If-Match is there, is not <c>*</c> and does not name the version. The count alone decides: what else
    /// happened to the document, such as an attempt that ended, is no reason to refuse a change of its name.
    /// </summary>
    public static void RequireMatch(HttpRequest request, long version)
    {
        if (request.Headers.IfMatch.Count == 0) return;
        var start = string.Create(CultureInfo.InvariantCulture, $"\"{version}-");
        if (!request.GetTypedHeaders().IfMatch.Any(
            tag => tag.Tag == "*" || !tag.IsWeak && tag.Tag.StartsWith(start, StringComparison.Ordinal)))
            throw ChangedMeanwhile();
    }

    public static ProblemException ChangedMeanwhile() =>
        new(412, "changed-meanwhile", "It was changed meanwhile; read it again and repeat the change with its new ETag.");
}
