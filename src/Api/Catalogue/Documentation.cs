using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace MetaOpt.Api.Catalogue;

/// <summary>Sentences on the specifications' fields: the learning library's own documentation comments.</summary>
sealed partial class Documentation
{
    readonly Dictionary<string, string> _summaries;

    public Documentation()
    {
        var file = Path.ChangeExtension(typeof(SpecReader).Assembly.Location, ".xml");
        _summaries = !File.Exists(file) ? [] : XDocument.Load(file).Descendants("member")
            .Where(m => m.Element("summary") is not null)
            .ToDictionary(m => m.Attribute("name")!.Value, m => Plain(m.Element("summary")!));
    }

    public string? SummaryOf(PropertyInfo property) =>
        _summaries.GetValueOrDefault($"P:{property.DeclaringType!.FullName!.Replace('+', '.')}.{property.Name}");

    static string Plain(XElement summary)
    {
        foreach (var reference in summary.Descendants()
            .Where(e => e.Attribute("cref") is not null || e.Attribute("name") is not null).ToList())
            reference.ReplaceWith(((string?)reference.Attribute("cref") ?? (string)reference.Attribute("name")!)
                .Split('.', ':')[^1]);
        return Spaces().Replace(summary.Value, " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
