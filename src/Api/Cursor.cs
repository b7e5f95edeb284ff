using System.Buffers.Text;
using MetaOpt.Api.Problems;

namespace MetaOpt.Api;

/// <summary>Where a list in order of ids goes on: opaque to clients.</summary>
static class Cursor
{
    public static string Of(Guid last) => Base64Url.EncodeToString(last.ToByteArray());

    /// <summary>The id that the next page begins after.</summary>
    /// <exception cref="ProblemException">It is not an answer's <c>nextCursor</c>.</exception>
    public static Guid Read(string cursor)
    {
        var bytes = new byte[16];
        return Base64Url.IsValid(cursor) && Base64Url.TryDecodeFromChars(cursor, bytes, out var written) && written == 16
            ? new Guid(bytes)
            : throw ProblemException.BadParameter("cursor", "must be the nextCursor of an earlier answer.");
    }
}
