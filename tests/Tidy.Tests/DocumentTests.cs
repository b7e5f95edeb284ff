using System.Text.RegularExpressions;
using Xunit;

namespace MetaOpt.Tidy.Tests;

public partial class DocumentTests
{
    [Fact]
    public void Every_link_in_a_document_leads_somewhere()
    {
        var wrong = new List<string>();
        foreach (var document in Checkout.Files(".md"))
        {
            var folder = Path.GetDirectoryName(Path.Combine(Checkout.Folder, document))!;
            foreach (Match link in Link().Matches(Fence().Replace(Checkout.Read(document), "")))
            {
                var (path, anchor) = (link.Groups[1].Value, link.Groups[2].Value);
                if (path.Contains("://", StringComparison.Ordinal) || path.StartsWith("mailto:", StringComparison.Ordinal))
                    continue;
                var target = path.Length == 0
                    ? Path.Combine(Checkout.Folder, document)
                    : Path.GetFullPath(Path.Combine(folder, path));
                if (!File.Exists(target) && !Directory.Exists(target)) wrong.Add($"{document}: {path}");
                else if (anchor.Length > 0 && !Anchors(target).Contains(anchor)) wrong.Add($"{document}: {path}#{anchor}");
            }
        }
        Assert.Empty(wrong);
    }

    /// <summary>The anchors that GitHub gives a document's headings.</summary>
    static HashSet<string> Anchors(string document) => [.. Heading().Matches(Fence().Replace(File.ReadAllText(document), ""))
        .Select(h => NotInAnchors().Replace(h.Groups[1].Value.Trim().ToLowerInvariant(), "").Replace(' ', '-'))];

    [GeneratedRegex(@"\]\(([^)\s#]*)#?([^)\s]*)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#+ (.*)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();
}
