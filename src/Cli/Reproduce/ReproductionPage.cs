using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using MetaOpt.Cli.Client;

namespace MetaOpt.Cli.Reproduce;

/// <summary>
/// <c>reproduction.md</c>: a section for each preset and size that was run, between marks, and before them a table that also
/// names what was not run. Sections stay until they are written anew, in the catalogue's order.
/// </summary>
sealed partial class ReproductionPage
{
    static readonly string[] s_sizes = ["quick", "full"];
    readonly string _file;
    readonly Dictionary<(string Name, string Size), (string Summary, string Text)> _sections = [];

    /// <param name="file">Read when it is there.</param>
    public ReproductionPage(string file)
    {
        _file = file;
        if (!File.Exists(file)) return;
        foreach (Match section in Section().Matches(File.ReadAllText(file)))
            _sections[(section.Groups["name"].Value, section.Groups["size"].Value)] = (section.Groups["summary"].Value,
                section.Groups["text"].Value);
    }

    // As long as lines end with \n, as they do here.
    [GeneratedRegex(@"<!-- begin (?<name>[a-z0-9-]+) (?<size>quick|full): (?<summary>[^\n]*) -->\n(?<text>.*?)<!-- end -->\n",
        RegexOptions.Singleline)]
    private static partial Regex Section();

    /// <summary>The section of one preset.</summary>
    public void Put(Findings findings, string markdown) =>
        _sections[(findings.Name, findings.Preset.Text("size")!)] = (
            string.Create(CultureInfo.InvariantCulture,
                $"{findings.Claims.Count(c => c.Met)} of {findings.Claims.Count} met, {findings.Seconds / 60:F1} min"), markdown);

    /// <summary>Writes the page.</summary>
    /// <param name="presets">The answer to <c>GET /presets</c>.</param>
    public void Write(JsonElement presets)
    {
        var (table, sections) = (new StringBuilder(), new StringBuilder());
        foreach (var preset in presets.Items())
        {
            var name = preset.Text("name")!;
            table.Append(CultureInfo.InvariantCulture, $"| {name} | {preset.Text("title")} |");
            foreach (var size in s_sizes)
            {
                var declared = preset.Field("minutes")?.Text(size);
                if (!_sections.TryGetValue((name, size), out var section))
                {
                    table.Append(CultureInfo.InvariantCulture, $" not run ({declared} min) |");
                    continue;
                }
                table.Append(CultureInfo.InvariantCulture, $" {section.Summary} (declared {declared}) |");
                sections.Append(CultureInfo.InvariantCulture,
                    $"<!-- begin {name} {size}: {section.Summary} -->\n{section.Text}<!-- end -->\n\n");
            }
            table.Append('\n');
        }
        File.WriteAllText(_file, $"""
            # Reproductions

            Written by `./metaopt reproduce NAME --docs docs` (with `--full` for the full size), one section at a time. Minutes are those of its runs
            on two cores; a busy machine makes them longer.

            | preset | what it shows | quick | full |
            |---|---|---|---|
            {table}
            {sections}
            """.TrimEnd() + "\n");
    }
}
